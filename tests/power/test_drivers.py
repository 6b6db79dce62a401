"""One suite for all drivers, with the same faults, against what is as real as can be had: ipmi_sim, the Redfish service
of sushy-tools, and a computer that waits for its packet."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyghmi.exceptions import IpmiException

from tests.power.nodes import PASSWORD, PASSWORDS, Context, Running, password_of, running
from vclab.lab.bmcs import Fault
from vclab.model.errors import Fenced, Interrupted, StepFailed, Unreachable, VclabError
from vclab.power.base import Bmc, Boot, BootDevice, LoginRefused, PowerState
from vclab.power.control import Limits, Power
from vclab.power.ipmi import Ipmi
from vclab.power.process import Child

KINDS = ("ipmi", "redfish", "wol")
WITH_BMC = ("ipmi", "redfish")
HASTY = 8.0
"""Seconds for an answer, where none comes."""


@pytest.fixture(params=KINDS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, request.param) as one:
        yield one
    assert not children(), "a child was left behind"


with_bmc = pytest.mark.parametrize("node", WITH_BMC, indirect=True)


def switch(node: Running, answer: float = 30.0, confirm: float = 20.0) -> Power:
    """For this node; patient, unless said otherwise."""
    limits = Limits(answer=answer, confirm=confirm, wake=confirm, shut_down=confirm, turn=30.0)
    return Power(password_of, lambda bmc: node.shut_down(), limits)


def children() -> list[int]:
    """The drivers' processes that this one has."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == os.getpid() and b"vclab.power.child" in command:
            found.append(int(folder.name))
    return found


def until_child() -> int:
    """Wait until there is one; its id."""
    deadline = time.monotonic() + 10
    while not (found := children()):
        assert time.monotonic() < deadline, "no child was started"
        time.sleep(0.01)
    return found[0]


# --- what it does ---------------------------------------------------------------------------------------------------


def test_it_is_switched_on_and_off_once(node: Running) -> None:
    power, bmc, run = switch(node), node.bmc(), Context()
    off = PowerState.UNKNOWN if node.kind == "wol" else PowerState.OFF
    assert power.status(bmc, run).state is off
    assert power.on(bmc, run).state is PowerState.ON
    assert node.node.power == "on"
    assert power.on(bmc, run).state is PowerState.ON
    assert run.fences == 1, "the second time nothing was to be done"
    assert power.off(bmc, run).state is off
    assert node.node.power == "off"
    assert power.off(bmc, run).state is off
    assert run.fences == 2


def test_a_system_that_is_asked_shuts_down(node: Running) -> None:
    node.switch_on()
    run = Context()
    switch(node).off(node.bmc(), run, soft_seconds=20)
    assert node.node.power == "off"
    assert run.fences == 1, "it was not switched off hard"


def test_a_system_that_does_not_listen_is_switched_off_hard(node: Running) -> None:
    node.switch_on()
    node.node.fault(Fault.DEAF)
    run = Context()
    if node.kind == "wol":
        with pytest.raises(StepFailed, match="took 'soft off', but 1 s later the computer is on"):
            switch(node).off(node.bmc(), run, soft_seconds=1)
        return
    assert switch(node).off(node.bmc(), run, soft_seconds=1).state is PowerState.OFF
    assert node.node.power == "off"
    assert run.fences == 2
    assert any("switching it off hard" in text for text in run.said)


@with_bmc
@pytest.mark.parametrize("before", [True, False])
def test_a_reset_leaves_it_on(node: Running, before: bool) -> None:
    node.node.switch(before)
    assert switch(node).reset(node.bmc(), Context()).state is PowerState.ON
    assert node.node.power == "on"
    assert len(node.node.told) == 1


@pytest.mark.parametrize("node", ["redfish"], indirect=True)
def test_a_boot_device_is_set_and_read_back(node: Running) -> None:
    power, bmc, run = switch(node), node.bmc(), Context()
    network = Boot(BootDevice.NETWORK)
    assert power.boot_device(bmc, run) == Boot(BootDevice.DISK, once=False)
    assert power.set_boot_device(bmc, network, run) == network
    assert power.boot_device(bmc, run) == network
    power.set_boot_device(bmc, network, run)
    assert run.fences == 1, "the second time nothing was to be done"
    power.on(bmc, run)
    assert power.boot_device(bmc, run) == Boot(BootDevice.DISK, once=False), "once is once"


@pytest.mark.parametrize("node", ["redfish"], indirect=True)
def test_a_boot_device_that_is_not_taken_is_told(node: Running) -> None:
    node.node.fault(Fault.LYING)
    with pytest.raises(
        StepFailed, match=r"took network \(the next time\) as boot device, but reads back disk \(always\)"
    ):
        switch(node).set_boot_device(node.bmc(), Boot(BootDevice.NETWORK), Context())


@pytest.mark.parametrize("node", ["redfish"], indirect=True)
def test_a_bmc_that_keeps_no_boot_device_for_ever_will_do_where_that_is_said(node: Running) -> None:
    node.node.fault(Fault.ONCE_ONLY)
    always, run = Boot(BootDevice.NETWORK, once=False), Context()
    with pytest.raises(StepFailed, match="Once and Disabled are supported"):
        switch(node).set_boot_device(node.bmc(), always, run)
    found = switch(node).set_boot_device(node.bmc(), always, run, or_once=True)
    assert found == Boot(BootDevice.NETWORK, once=True) and node.node.boot == "Pxe Once"
    assert "the next time only, then" in run.said[-1]


@pytest.mark.parametrize("efi", [True, False])
def test_ipmi_is_told_by_which_firmware_it_boots(monkeypatch: pytest.MonkeyPatch, efi: bool) -> None:
    """Said to pyghmi: ipmi_sim keeps nothing of it."""
    told: list[dict[str, Any]] = []
    driver = Ipmi.__new__(Ipmi)
    driver._error = IpmiException
    driver._session = SimpleNamespace(set_bootdev=lambda device, **how: told.append(how))
    driver.set_boot(Boot(BootDevice.DISK, once=False, efi=efi))
    assert told == [{"persist": True, "uefiboot": efi}]
    assert Boot(BootDevice.DISK, efi=efi) == Boot(BootDevice.DISK), "what is read back does not say it"


@pytest.mark.parametrize("node", ["ipmi"], indirect=True)
def test_a_bmc_that_does_not_tell_its_boot_device_is_believed_at_the_next_boot_only(node: Running) -> None:
    found = switch(node).set_boot_device(node.bmc(), Boot(BootDevice.NETWORK), Context())
    assert found.device is BootDevice.DEFAULT, "ipmi_sim sets no valid bit"
    assert node.node.boot == "pxe"


# --- what goes wrong ------------------------------------------------------------------------------------------------


@with_bmc
@pytest.mark.parametrize(("user", "password"), [("", "endpoint/wrong"), ("nobody", "endpoint/right")])
def test_who_is_not_let_in_is_told_at_once_and_does_not_try_again(node: Running, user: str, password: str) -> None:
    power, bmc = switch(node), node.bmc(password, user)
    with pytest.raises(LoginRefused, match=r"n1: 'status' failed: its BMC .* (refuses|has no user)") as first:
        power.status(bmc, Context())
    node.unplug()  # it is not asked again, so its silence costs nothing
    with pytest.raises(LoginRefused) as second:
        power.status(bmc, Context())
    assert str(first.value) == str(second.value)
    assert PASSWORD not in str(first.value)
    assert PASSWORDS["endpoint/wrong"] not in str(first.value)


@with_bmc
def test_a_dead_bmc_is_told_within_the_limit(node: Running) -> None:
    node.unplug()
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"'status' failed: its BMC .* (does|did) not answer"):
        switch(node, answer=HASTY).status(node.bmc(), Context())
    assert time.monotonic() - began < HASTY + 2


@with_bmc
def test_a_bmc_that_dies_in_the_middle_is_told_within_the_limit(node: Running) -> None:
    node.node.fault(Fault.UNPLUGGED_WHEN_TOLD)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"not answer.*when it was told 'on'; it may have obeyed"):
        switch(node, answer=HASTY).on(node.bmc(), Context())
    assert time.monotonic() - began < 3 * HASTY


@with_bmc
def test_an_answer_after_20_seconds_is_not_waited_for_when_the_limit_is_less(node: Running) -> None:
    node.node.fault(Fault.SLOW, 20)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"not answer"):
        switch(node, answer=HASTY).status(node.bmc(), Context())
    assert time.monotonic() - began < 2 * HASTY + 2


def test_an_on_that_is_a_lie_is_told(node: Running) -> None:
    node.node.fault(Fault.LYING)
    run = Context()
    with pytest.raises(StepFailed, match=r"'on' failed: .* took 'on', but 1 s later the computer is (off|unknown)"):
        switch(node, confirm=1).on(node.bmc(), run)
    assert node.node.power == "off"
    assert node.node.told, "it was told"
    assert any("told 'on', still" in text for text in run.said)


@pytest.mark.parametrize("node", ["wol"], indirect=True)
def test_a_computer_that_is_cut_off_is_neither_on_nor_off(node: Running) -> None:
    node.node.switch(True)
    node.unplug()
    seen = switch(node).status(node.bmc(), Context())
    assert seen.state is PowerState.UNKNOWN
    assert "nothing answers" in seen.why


@pytest.mark.parametrize("node", ["wol"], indirect=True)
@pytest.mark.parametrize("error", [Unreachable, StepFailed])
def test_why_it_could_not_be_shut_down_is_told(node: Running, error: type[VclabError]) -> None:
    def refused(bmc: Bmc) -> None:
        raise error("the machine shows another host key")

    node.switch_on()
    with pytest.raises(
        error, match=r"n1: 'off' failed: it \(wol .*\) can't be shut down: the machine shows another host"
    ):
        Power(password_of, refused).off(node.bmc(), Context())
    assert node.node.power == "on"


@pytest.mark.parametrize("node", ["redfish"], indirect=True)
def test_another_certificate_gets_no_password(node: Running) -> None:
    log = node.node.folder / "log"
    asked = log.read_text().count("GET")
    with pytest.raises(Unreachable, match=f"another certificate than the pinned one: SHA-256 {node.fingerprint}"):
        switch(node).status(node.bmc(fingerprint="0" * 64), Context())
    assert log.read_text().count("GET") == asked


@pytest.mark.parametrize("node", ["redfish"], indirect=True)
def test_each_connection_is_checked_against_the_pin(node: Running) -> None:
    """Not only the first: what is between us and the BMC may let that one through."""
    from sushy.exceptions import ConnectionError as NoConnection

    from vclab.power.redfish import _system

    with pytest.raises(NoConnection, match="Fingerprints did not match"):
        _system(node.bmc().address, PASSWORD, "0" * 64)
    assert "GET" not in (node.node.folder / "log").read_text()


def test_two_operations_at_once_wait_and_say_for_what(node: Running) -> None:
    node.switch_on()
    node.node.fault(Fault.DEAF)
    power, first, second = switch(node), Context(), Context()
    with ThreadPoolExecutor(1) as other:
        done = other.submit(power.off, node.bmc(), first, 3)
        _until(lambda: bool(first.said))
        seen = power.status(node.bmc(), second)
        assert done.done()
    assert any("waiting for another operation on its BMC: 'off', which began" in text for text in second.said)
    assert seen.state is (PowerState.ON if node.kind == "wol" else PowerState.OFF)
    assert (done.exception() is not None) is (node.kind == "wol"), "what can't be switched off hard stays on"


@with_bmc
def test_all_who_wait_for_a_dead_bmc_learn_it_with_the_first(node: Running) -> None:
    node.unplug()
    power = switch(node, answer=HASTY)

    def told() -> str:
        with pytest.raises(Unreachable) as error:
            power.status(node.bmc(), Context())
        return str(error.value)

    began = time.monotonic()
    with ThreadPoolExecutor(4) as waiters:
        found = {future.result() for future in [waiters.submit(told) for _ in range(4)]}
    assert len(found) == 1
    assert time.monotonic() - began < 2 * HASTY


@with_bmc
def test_a_dead_bmc_costs_nobody_else_anything(node: Running, tmp_path: Path) -> None:
    with running(tmp_path, node.kind, "n2") as alive:
        node.unplug()
        power = switch(node, answer=8)
        with ThreadPoolExecutor(1) as other:
            dead = other.submit(power.status, node.bmc(), Context())
            until_child()
            power.on(alive.bmc(), Context())
            assert not dead.done(), "it is still waited for"
            with pytest.raises(Unreachable):
                dead.result()
    assert alive.node.power == "on"


@with_bmc
def test_a_step_that_is_to_stop_kills_the_child(node: Running) -> None:
    node.unplug()
    run = Context()
    threading.Timer(1.0, lambda: setattr(run, "cancelled", True)).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        switch(node).status(node.bmc(), run)
    assert time.monotonic() - began < 3


def test_nothing_is_done_for_who_lost_the_computer(node: Running) -> None:
    run = Context()
    run.refusal = Fenced("it is somebody else's")
    with pytest.raises(Fenced):
        switch(node).on(node.bmc(), run)
    assert node.node.power == "off"
    assert not node.node.told


@with_bmc
def test_the_password_stands_in_no_argument_and_no_environment(node: Running) -> None:
    node.unplug()
    run = Context()
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(switch(node).status, node.bmc(), run)
        child = Path(f"/proc/{until_child()}")
        shown = (child / "cmdline").read_bytes() + (child / "environ").read_bytes()
        run.cancelled = True
        with pytest.raises(Interrupted):
            asked.result()
    assert b"vclab.power.child" in shown
    assert PASSWORD.encode() not in shown


@with_bmc
def test_a_child_that_dies_is_told(node: Running) -> None:
    child = Child(node.bmc(), PASSWORD, 30.0, Context())
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(Unreachable, match="its program has ended"):
        child.power()


_PARENT = """
import sys
from tests.power.nodes import Context
from vclab.power.address import parse
from vclab.power.base import Bmc
from vclab.power.process import Child
child = Child(Bmc("n1", parse(sys.argv[1]), "", sys.argv[2]), sys.stdin.readline().strip(), 30.0, Context())
print(child.pid, flush=True)
sys.stdin.read()
"""


@with_bmc
def test_a_child_ends_with_its_parent(node: Running) -> None:
    words = [sys.executable, "-c", _PARENT, str(node.bmc().address), node.fingerprint]
    parent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None and parent.stdout is not None
    with parent:
        parent.stdin.write(f"{PASSWORD}\n")
        parent.stdin.flush()
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        _until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
