"""What follows from the check of an idle computer."""

from dataclasses import replace

import pytest

from tests.targets import target_of
from vclab.model.computer_checks import CheckOrder, Inside, Repair, Seen, judge
from vclab.model.plans import Facts, NodeStatus, Status
from vclab.model.power import PowerAddress, PowerOrder, PowerSeen, PowerVerb, Switch

TARGET = target_of(module="fake-metal", computer="m1", image="os", revision=2)
POWER = PowerOrder(Switch("m1", PowerVerb.STATUS), "default", PowerAddress("ipmi://vclab@10.9.0.11", "power/m1"))
METAL = CheckOrder(TARGET, Facts(private_address="10.0.0.1", host_key="ssh-ed25519 AAAA"), POWER, reloads=True)
LAB = replace(METAL, reloads=False)
BY_HAND = replace(LAB, power=None)
ON, OFF, UNKNOWN = PowerSeen("on"), PowerSeen("off"), PowerSeen("unknown", "its BMC does not answer")
WELL = Seen(inside=Inside(0.2), status=NodeStatus(Status.READY))
SILENT = Seen(silent="no answer")
OTHER = replace(WELL, status=NodeStatus(Status.RELOAD, why="it holds os/1"))
WORN = replace(WELL, inside=Inside(0.2, ("sda: I/O error, sector 1", "sda: I/O error, sector 2")))


@pytest.mark.parametrize(
    ("order", "power", "seen", "repair", "said"),
    [
        (METAL, ON, WELL, Repair.NOTHING, "it answers, its disks and its clock are well, it holds os/2"),
        (METAL, UNKNOWN, WELL, Repair.NOTHING, "its power is not known: its BMC does not answer"),
        (BY_HAND, PowerSeen(), replace(WELL, status=None), Repair.NOTHING, "it answers"),
        (METAL, OFF, SILENT, Repair.SWITCH_ON, "it is off"),
        (LAB, UNKNOWN, SILENT, Repair.SWITCH_ON, "no answer"),
        (BY_HAND, PowerSeen(), SILENT, Repair.MAINTENANCE, "no answer"),
        (METAL, ON, SILENT, Repair.RELOAD, "no answer"),
        (LAB, ON, SILENT, Repair.MAINTENANCE, "no answer"),
        (replace(METAL, reloads=False), ON, SILENT, Repair.MAINTENANCE, "no answer"),
        (METAL, ON, Seen(shut="another host key"), Repair.RELOAD, "another host key"),
        (LAB, ON, Seen(shut="another host key"), Repair.MAINTENANCE, "another host key"),
        (METAL, ON, OTHER, Repair.RELOAD, "it does not hold os/2: it holds os/1"),
        (METAL, ON, WORN, Repair.MAINTENANCE, "an error of a disk: sda: I/O error, sector 2, and 1 more"),
        (METAL, ON, replace(WELL, inside=Inside(-75.4)), Repair.MAINTENANCE, "its clock is 75 s slow"),
        (METAL, ON, replace(WELL, inside=Inside(3600.0)), Repair.MAINTENANCE, "its clock is 3600 s fast"),
        (METAL, ON, replace(WELL, inside=Inside(59.0)), Repair.NOTHING, "it answers"),
        (METAL, ON, replace(WELL, inside=Inside(None)), Repair.NOTHING, "it answers"),
    ],
)
def test_what_follows(order: CheckOrder, power: PowerSeen, seen: Seen, repair: Repair, said: str) -> None:
    verdict = judge(order, power, seen)
    assert (verdict.repair, verdict.off) == (repair, None)
    assert said in verdict.said


@pytest.mark.parametrize(
    ("power", "said", "off"),
    [(OFF, "it is off", None), (UNKNOWN, "it is off", None), (ON, "it is on, though it was switched off", False)],
)
def test_one_that_is_to_be_off(power: PowerSeen, said: str, off: bool | None) -> None:
    """It is not switched on to be looked at."""
    verdict = judge(replace(METAL, off=True, may_be_off=True), power, Seen())
    assert (verdict.said, verdict.repair, verdict.off) == (said, Repair.NOTHING, off)


def test_one_that_may_be_off() -> None:
    """Somebody has pressed its button. Silence alone is not off."""
    order = replace(METAL, may_be_off=True)
    verdict = judge(order, OFF, SILENT)
    assert (verdict.repair, verdict.off) == (Repair.NOTHING, True)
    assert judge(order, UNKNOWN, SILENT).repair is Repair.SWITCH_ON


@pytest.mark.parametrize(("order", "repair"), [(METAL, Repair.RELOAD), (LAB, Repair.MAINTENANCE)])
def test_one_that_was_switched_on_in_vain(order: CheckOrder, repair: Repair) -> None:
    """It is not tried twice, and the text says what was tried."""
    for power in (OFF, UNKNOWN):
        verdict = judge(order, power, SILENT, "it is off, and can't be switched on: its BMC is deaf")
        assert verdict.repair is repair
        assert "its BMC is deaf" in verdict.said
    assert judge(order, ON, WELL, "it is off: switched on").said.startswith("it is off: switched on; it answers")
