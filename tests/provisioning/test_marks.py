"""Marks that somebody forged: written by a machine's own root with its guest tools, or copied with a clone."""

from collections.abc import Mapping

import pytest

from tests.provisioning.bench import Bench, FakeContext
from vclab.model.errors import NotOurs
from vclab.model.plans import Target
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.machines import Machine, marks

DIGITS = "9" * 5000


def write(bench: Bench, machine: Machine, values: Mapping[str, str]) -> None:
    """As `vmware-rpctool info-set` does it for "guestinfo.", and an administrator for all others."""
    extra = [vim.option.OptionValue(key=key, value=value) for key, value in values.items()]
    bench.site().finish(machine.ref.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=extra)))


def loaded(bench: Bench) -> tuple[Target, Machine]:
    target = bench.target()
    bench.load(target)
    return target, bench.machines(target.computer)[0]


@pytest.mark.parametrize(
    "forged",
    [
        {"generation": "999"},
        {"generation": DIGITS},
        {"generation": "٣"},
        {"installation": "other"},
        {"installation": "", "computer": "", "generation": "-1"},
        {"computer": "vm9999", "reservation": "\u202er1", "image": "x" * 100_000},
    ],
    ids=["newer", "digits", "arabic", "another's", "junk", "terminal"],
)
def test_what_a_machine_writes_about_itself_decides_nothing(bench: Bench, forged: Mapping[str, str]) -> None:
    """It can neither escape from its removal nor stop the placing of others."""
    target, machine = loaded(bench)
    write(bench, machine, {f"guestinfo.vclab.{key}": value for key, value in forged.items()})
    listed = [m for m in bench.module.machines("lab-vcenter").machines if m.instance_uuid == target.instance_uuid]
    assert [(m.computer, m.generation, m.reservation) for m in listed] == [(target.computer, 3, target.reservation)]
    other, _ = loaded(bench)
    assert bench.module.power_status(target) == bench.module.power_status(other) == "on"
    for each in (target, other):
        bench.module.remove(FakeContext(), each)
        assert bench.machines(each.computer) == []


@pytest.mark.parametrize("generation", [DIGITS, "999", "junk", "-1", "1e9"])
def test_junk_on_one_machine_stops_no_other(bench: Bench, generation: str) -> None:
    """Also where only an administrator can write it."""
    foreign = bench.foreign("junk", marks={"vclab.installation": "vclab", "vclab.generation": generation})
    try:
        target, _ = loaded(bench)
        assert foreign.instance_uuid not in [m.instance_uuid for m in bench.module.machines("lab-vcenter").machines]
        bench.module.remove(FakeContext(), target)
    finally:
        bench.site().finish(foreign.ref.Destroy_Task())


def test_a_clone_with_our_marks_is_not_ours(bench: Bench) -> None:
    """A person's copy of a reserved machine is never taken for it: neither removed nor an obstacle."""
    target, _ = loaded(bench)
    clone = bench.foreign("thesis", marks=marks(target))
    assert [m.name for m in bench.module.machines("lab-vcenter").machines if m.computer == target.computer] == [
        target.machine_name
    ]
    with pytest.raises(NotOurs):
        bench.module.remove_machine("lab-vcenter", clone.instance_uuid)
    bench.module.remove(FakeContext(), target)
    assert [m.name for m in bench.machines(target.computer)] == ["thesis"]
    bench.site().finish(clone.ref.Destroy_Task())


def test_addresses_that_lead_elsewhere_are_not_taken(bench: Bench) -> None:
    """They come from guest tools."""
    from vclab.provisioning.vsphere.address import best

    assert (
        best(["-oProxyCommand=touch /tmp/x", "127.0.0.1", "224.0.0.1", "0.0.0.0", "169.254.1.1", "fe80::1%eth0"]) == ""
    )
    assert best(["::ffff:127.0.0.1", "10.77.0.9; id", "2001:db8::9", "10.77.0.9"]) == "10.77.0.9"


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMKKLVwURuX9A6argxmOoSX/Lmdl3sYkW9vvjGK4lczT"


@pytest.mark.parametrize(
    ("said", "known"),
    [(KEY, KEY), (f"{KEY} root@vm", KEY), ("ssh-ed25519 -oProxyCommand=x", ""), ("x" * 100_000, ""), ("", "")],
)
def test_the_host_key_that_a_machine_publishes(bench: Bench, said: str, known: str) -> None:
    """By its guest tools, beside its address; our marks are out of its reach."""
    target, machine = loaded(bench)
    tools = {
        "hostname": "h",
        "tools": "guestToolsRunning",
        "ips": [{"mac": target.private_mac, "address": "10.77.0.9"}],
    }
    info = {"vclab.hostkey": said, "vclab.generation": "999"}
    bench.simulator.control("POST", "/guest", {"uuid": machine.instance_uuid, "info": info, **tools})
    facts = bench.run("vsphere.find_address", target)
    assert (facts.private_address, facts.published_key) == ("10.77.0.9", known)
    assert bench.machines(target.computer)[0].generation == 3
    bench.module.remove(FakeContext(), target)
