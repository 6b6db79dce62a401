"""The serial console of a real BMC (``ipmi_sim``), and what BMCs say of themselves."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import free_port
from tests.power.nodes import Context, Running, password_of, running
from tests.power.serial import Serial, Spoken, serving_serial
from tests.power.test_drivers import HASTY, children, until_child
from tests.power.test_hostile import Handler, send, serving
from vclab.lab.serial_port import SerialPort
from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.power.base import PowerState
from vclab.power.console import Lines
from vclab.power.control import Limits, Power


@pytest.fixture
def serial() -> Iterator[Serial]:
    with serving_serial() as made:
        yield made


@pytest.fixture
def node(serial: Serial, tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, "ipmi", serial=serial.place) as one:
        serial.wait()
        yield one
    assert not children(), "a child was left behind"


def switch(answer: float = 30.0) -> Power:
    return Power(password_of, limits=Limits(answer=answer))


class Stop:
    """Ends listening when a line has come."""

    def __init__(self, run: Context, text: str) -> None:
        self._run, self._text = run, text

    def __call__(self, lines: Lines) -> None:
        if any(self._text in line for line in lines.last):
            self._run.cancelled = True


@dataclass
class Heard:
    """Set once a line has come."""

    event: threading.Event

    def __call__(self, lines: Lines) -> None:
        if lines.count:
            self.event.set()


def test_what_the_computer_says_is_heard_and_its_power_can_be_switched_meanwhile(node: Running, serial: Serial) -> None:
    power, run = switch(), Context()
    with Spoken(serial), ThreadPoolExecutor(1) as other:
        listening = other.submit(power.console, node.bmc(), 120, run, told=Stop(run, "line 30"))
        assert power.on(node.bmc(), Context()).state is PowerState.ON
        lines = listening.result()
    numbers = [int(line.removeprefix("line ")) for line in lines if line.removeprefix("line ").isdecimal()]
    assert len(numbers) > 5 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not run.fences, "nothing is changed"


def test_it_ends_after_its_time_and_can_be_begun_again(node: Running) -> None:
    for _ in range(2):
        began = time.monotonic()
        assert switch().console(node.bmc(), 1, Context()) == ()
        assert time.monotonic() - began < 15


def test_a_console_that_somebody_else_has_is_told_and_can_be_taken(node: Running, serial: Serial) -> None:
    power, mine, run = switch(), Context(), Context()
    heard = threading.Event()
    with Spoken(serial), ThreadPoolExecutor(1) as other:
        first = other.submit(power.console, node.bmc(), 120, mine, told=Heard(heard))
        assert heard.wait(60)
        with pytest.raises(StepFailed, match=r"n1: 'console' failed: its BMC .* another session .* --take"):
            power.console(node.bmc(), 5, run)
        assert power.console(node.bmc(), 120, run, take=True, told=Stop(run, "line"))
        mine.cancelled = True
        with contextlib.suppress(Unreachable):  # it is told when it next looks
            first.result()


def test_one_that_a_killed_worker_has_left_can_be_taken(node: Running, serial: Serial) -> None:
    with ThreadPoolExecutor(1) as other:
        heard = threading.Event()
        with Spoken(serial):
            run = Context()
            killed = other.submit(switch().console, node.bmc(), 120, run, told=Heard(heard))
            child = until_child()
            assert heard.wait(60)
            os.kill(child, signal.SIGKILL)
            with pytest.raises(Unreachable, match="its program has ended"):
                killed.result()
            assert switch().console(node.bmc(), 120, run, take=True, told=Stop(run, "line"))


def test_a_bmc_that_dies_meanwhile_is_told(node: Running, serial: Serial) -> None:
    def unplugged(lines: Lines) -> None:
        node.unplug()

    began = time.monotonic()
    with contextlib.suppress(Unreachable):  # or nothing comes until its time is over: no data is no error
        assert switch(answer=HASTY).console(node.bmc(), 5, Context(), told=unplugged) == ()
    assert time.monotonic() - began < 5 + 2 * HASTY


@pytest.mark.parametrize("kind", ["redfish", "wol"])
def test_who_has_none_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    with (
        running(tmp_path, kind) as one,
        pytest.raises(Refused, match=f"n1 has no serial console here: its power is {kind}"),
    ):
        switch().console(one.bmc(), 1, Context())


def test_a_length_that_can_not_be_meant_is_refused(node: Running) -> None:
    for seconds in (0, -1, 1e9):
        with pytest.raises(Refused, match="can be listened to for up to"):
            switch().console(node.bmc(), seconds, Context())


# --- what BMCs say of themselves ------------------------------------------------------------------------------------


def test_ipmi_tells_who_may_log_in(tmp_path: Path) -> None:
    with running(tmp_path, "ipmi") as one:
        found = switch().facts(one.bmc(), Context())
    assert found.accounts == ("2 admin: administrator",)
    assert found.version and not found.settings and not found.boot
    with running(tmp_path, "ipmi", "n2", anonymous=True) as one:
        found = switch().facts(one.bmc(), Context())
    assert found.accounts == ("1 (without a name): user", "2 admin: administrator")


def test_a_service_that_has_no_accounts_tells_none(tmp_path: Path) -> None:
    with running(tmp_path, "redfish") as one:
        assert switch().facts(one.bmc(), Context()).accounts is None


def test_wake_on_lan_has_nothing_to_tell(tmp_path: Path) -> None:
    with running(tmp_path, "wol") as one:
        assert switch().facts(one.bmc(), Context()) == BmcFacts()


SYSTEM = "/redfish/v1/Systems/1"
DOCUMENTS: dict[str, Any] = {
    SYSTEM: {
        "@odata.id": SYSTEM,
        "Id": "1",
        "Name": "n1",
        "Boot": {"BootOrder": ["Boot0001", "Boot0002"]},
        "Bios": {"@odata.id": f"{SYSTEM}/Bios"},
        "Links": {"ManagedBy": [{"@odata.id": "/redfish/v1/Managers/1"}]},
    },
    f"{SYSTEM}/Bios": {"Attributes": {"SecureBoot": "Enabled", "NumCores": 8}},
    "/redfish/v1/Managers/1": {"FirmwareVersion": "7.00.30"},
    "/redfish/v1/AccountService/Accounts": {
        "Members": [{"@odata.id": f"/redfish/v1/AccountService/Accounts/{number}"} for number in range(1, 5)]
    },
    "/redfish/v1/AccountService/Accounts/1": {"UserName": "", "Enabled": True},
    "/redfish/v1/AccountService/Accounts/2": {"UserName": "root", "RoleId": "Administrator", "Enabled": True},
    "/redfish/v1/AccountService/Accounts/3": {"UserName": "old", "RoleId": "Operator", "Enabled": False},
    "/redfish/v1/AccountService/Accounts/4": {"UserName": "\x1b[2Jx", "RoleId": None},
}


def told(tmp_path: Path, documents: dict[str, Any], forbidden: Sequence[str] = ()) -> BmcFacts:
    def answer(request: Handler) -> None:
        if request.path in forbidden:
            send(request, {"error": {}}, 403)
            return
        found = documents.get(request.path)
        send(request, found if found is not None else {"error": {}}, 200 if found is not None else 404)

    with serving(tmp_path, answer) as bmc:
        return Power(lambda reference: "secret").facts(bmc, Context())


def test_redfish_tells_accounts_boot_order_and_settings(tmp_path: Path) -> None:
    found = told(tmp_path, DOCUMENTS)
    assert found.accounts == ("[2Jx: no role", "root: Administrator")
    assert found.boot == ("Boot0001", "Boot0002")
    assert found.version == "7.00.30"
    changed = {**DOCUMENTS, f"{SYSTEM}/Bios": {"Attributes": {"NumCores": 8, "SecureBoot": "Disabled"}}}
    assert len(found.settings) == 64 and told(tmp_path, changed).settings not in ("", found.settings)
    reordered = {**DOCUMENTS, f"{SYSTEM}/Bios": {"Attributes": {"NumCores": 8, "SecureBoot": "Enabled"}}}
    assert told(tmp_path, reordered) == found


@pytest.mark.parametrize(
    "system",
    [
        {},
        {"Bios": {"@odata.id": "https://elsewhere/redfish/v1/Bios"}, "Links": {"ManagedBy": [{"@odata.id": "/etc"}]}},
        {"Bios": {}, "Boot": {"BootOrder": "Pxe"}, "Links": {"ManagedBy": "x"}},
    ],
)
def test_what_a_service_does_not_tell_is_not_known(tmp_path: Path, system: dict[str, Any]) -> None:
    documents = {SYSTEM: {"@odata.id": SYSTEM, "Id": "1", "Name": "n1", **system}}
    assert told(tmp_path, documents) == BmcFacts()


ACCOUNTS = "/redfish/v1/AccountService/Accounts"


@pytest.mark.parametrize(
    ("forbidden", "unknown"),
    [
        ((f"{ACCOUNTS}/2", f"{ACCOUNTS}/3"), {"accounts": ("2: can't be read", "3: can't be read", "[2Jx: no role")}),
        ((ACCOUNTS,), {"accounts": None}),
        ((f"{SYSTEM}/Bios",), {"settings": ""}),
        (("/redfish/v1/Managers/1",), {"version": ""}),
    ],
    ids=("accounts of others", "accounts", "settings", "version"),
)
def test_what_a_user_may_not_read_hides_nothing_else(
    tmp_path: Path, forbidden: Sequence[str], unknown: dict[str, Any]
) -> None:
    assert told(tmp_path, DOCUMENTS, forbidden) == replace(told(tmp_path, DOCUMENTS), **unknown)


def test_the_serial_port_of_a_node_is_carried(tmp_path: Path) -> None:
    """As in the lab, where it is that of the node's chassis."""
    address, number, run, typed = "127.0.0.1", free_port(), Context(), list[bytes]()
    port = SerialPort(address, number)
    port.open()
    port.typed = typed.append
    try:
        with running(tmp_path, "ipmi", serial=f"{address}:{number}") as one:

            def said(lines: Lines) -> None:
                port.say(b"vclab: ready for SSH\r\n")
                Stop(run, "ready for SSH")(lines)

            assert "vclab: ready for SSH" in switch().console(one.bmc(), 60, run, told=said)
    finally:
        port.close()
