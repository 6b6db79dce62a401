"""What is refused before anything is touched: no child is started, no packet sent."""

from collections.abc import Callable

import pytest

from tests.power.nodes import Context
from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import Refused
from vclab.power.address import parse
from vclab.power.base import Bmc, Boot, BootDevice, PowerState
from vclab.power.control import Power

WOL = Bmc("pc1", parse("wol://02-76-63-00-00-01@192.0.2.1/192.0.2.255"))
NONE = Bmc("pc2", parse("none"))
IPMI = Bmc("n1", parse("ipmi://admin@192.0.2.1"), "endpoint/n1")
REDFISH = Bmc("n1", parse("redfish://admin@192.0.2.1"), "endpoint/n1", "0" * 64)

REFUSALS: list[tuple[Callable[[Power, Context], object], str]] = [
    (lambda power, run: power.on(NONE, run), "pc2 has no power control"),
    (lambda power, run: power.off(NONE, run), "pc2 has no power control"),
    (lambda power, run: power.reset(NONE, run), "pc2 has no power control"),
    (lambda power, run: power.boot_device(NONE, run), "can't be told what to boot from"),
    (lambda power, run: power.console(NONE, 1, run), "pc2 has no serial console here"),
    (lambda power, run: power.reset(WOL, run), "pc1 has no reset: its power is wol"),
    (lambda power, run: power.boot_device(WOL, run), "can't be told what to boot from"),
    (lambda power, run: power.set_boot_device(NONE, Boot(BootDevice.DISK), run), "can't be told what to boot from"),
    (lambda power, run: power.off(IPMI, run, soft_seconds=-1), "0 to 1800 s"),
    (lambda power, run: power.off(IPMI, run, soft_seconds=float("nan")), "0 to 1800 s"),
    (lambda power, run: power.off(IPMI, run, soft_seconds=1801), "0 to 1800 s"),
    (lambda power, run: power.status(Bmc("n1", IPMI.address), run), "no password is kept"),
    (lambda power, run: power.status(Bmc("n1", REDFISH.address, "endpoint/n1"), run), "no certificate is pinned"),
    (lambda power, run: power.status(Bmc("n1", REDFISH.address, "endpoint/n1", "A" * 64), run), "no certificate"),
]


@pytest.mark.parametrize(("call", "reason"), REFUSALS)
def test_it_is_refused(call: Callable[[Power, Context], object], reason: str) -> None:
    def password(bmc: Bmc) -> str:
        raise AssertionError("nothing was to be touched")

    run = Context()
    with pytest.raises(Refused, match=reason):
        call(Power(password), run)
    assert run.fences == 0


@pytest.mark.parametrize("password", ["", "two\nlines", "much-too-long-for-ipmi"])
def test_what_is_no_password_is_not_sent(password: str) -> None:
    with pytest.raises(Refused, match="password") as refusal:
        Power(lambda bmc: password).status(IPMI, Context())
    assert not password or password not in str(refusal.value)


def test_without_power_control_nothing_is_known() -> None:
    seen = Power(str).status(NONE, Context())
    assert seen.state is PowerState.UNKNOWN
    assert "no power control" in seen.why
    assert Power(str).check(NONE, [], Context()) == (seen, [])
    assert Power(str).facts(NONE, Context()) == BmcFacts()
