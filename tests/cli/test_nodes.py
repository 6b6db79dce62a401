"""``vclab computer add|edit|show`` of computers that are loaded: their module's data, one option a thing."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from vclab.model.catalog import Endpoint
from vclab.provisioning import fake_metal, registry
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.kind import Need
from vclab.store import catalog
from vclab.store.engine import open_store

MAC = "52:54:00:00:00:01"
NODE = ("computer", "add", "metal01", "--module", "fake-metal", "--mac", MAC, "--address", "10.9.0.1")


@pytest.fixture(autouse=True)
def metal(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of nodes, of which something is known."""
    kind = replace(fake_metal.KIND, computer_data=NodeData, computer_needs=(Need.MAC, Need.ADDRESS))
    monkeypatch.setattr(registry, "KINDS", tuple(kind if k is fake_metal.KIND else k for k in registry.KINDS))
    opened = open_store(f"sqlite:///{store}")
    opened.run(lambda s: catalog.put_endpoint(s, Endpoint("metal", "fake-metal", "", "", "", "")))
    opened.close()


def test_a_node_is_added_and_changed(vclab: Command) -> None:
    made = vclab(*NODE, "--set", "disk=serial=S3X9NB0K", "--set", "keep=A1,B2", "--json").json
    assert (made["pool"], made["module"], made["private_mac"], made["host_key"]) == ("metal", "fake-metal", MAC, "")
    assert made["module_data"] == {"disk": "serial=S3X9NB0K", "keep": ["A1", "B2"], "firmware": ""}
    assert vclab("computer", "edit", "metal01", "--set", "firmware=efi", "--set", "keep=").code == 0
    shown = vclab("computer", "show", "metal01")
    lines = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
    assert (lines["Disk"], lines["Firmware"], lines["Private"]) == ("serial=S3X9NB0K", "efi", f"{MAC} 10.9.0.1")
    assert "Keep" not in lines and "Error" not in lines
    again = vclab(*NODE[:3], "--address", "10.9.0.2", "--group", "metal", "--json").json
    assert (again["private_address"], again["module_data"]["firmware"]) == ("10.9.0.2", "efi")


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("--set", "disk=sda"), 2, "the computer metal01: disk: 'sda' is no rule for a disk; write serial="),
        (("--set", "raid=1"), 2, "--set raid=… is not for the module fake-metal; its fields are disk, keep, firmware"),
        (("--set", "disk"), 2, "--set takes FIELD=VALUE, not 'disk'"),
        (("--count", "2"), 2, "a lab machine has no --count"),
        (("--public-mac", MAC), 2, "need different MACs"),
        (("--bmc", "ipmi://10.9.0.11"), 2, "the power address has no user"),
        (("--group", "vc1"), 4, "there is no group of lab machines 'vc1'"),
        (("--bmc", "ipmi://vclab@127.9.9.9"), 2, "there is no password"),
    ],
)
def test_what_is_no_node(
    vclab: Command, words: tuple[str, ...], code: int, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        vclab(*NODE, *words).one_line_error(code, "computer add: ", part)
    vclab("computer", "show", "metal01").one_line_error(4, "there is no computer")


def test_a_module_without_a_group(vclab: Command) -> None:
    words = ("computer", "add", "t1", "--module")
    vclab(*words, "text-file").one_line_error(4, "add one with `vclab endpoint add NAME --module text-file`")
    vclab(*words, "vsphere").one_line_error(2, "computers of the module vsphere are made")
    vclab("computer", "add", "t1", "--set", "disk=size=1TB").one_line_error(2, "--group or --module")
    vclab("computer", "edit", "vm01", "--set", "disk=size=1TB").one_line_error(3, "a virtual machine's identity")
    vclab("computer", "edit", "vm01").one_line_error(2, "nothing is to be changed", "--set")
