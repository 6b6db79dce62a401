"""Switching a computer by hand: nobody gets it meanwhile, and nobody's computer is switched without a word."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, OLGA, RULES, must_reserve
from vclab.model.catalog import Endpoint
from vclab.model.errors import NotFound, Refused
from vclab.model.power import PowerAddress, PowerOrder, PowerSeen, PowerVerb, Switch
from vclab.model.states import Purpose
from vclab.store import Store, catalog, power, tenures

METAL = PowerAddress("ipmi://vclab@10.9.0.11:623", "power/metal01/1")


@pytest.fixture
def labs(lab: Store) -> Store:
    """Two lab machines, one of which has a BMC."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", "", site="north"))
        for name in ("metal01", "pc07"):
            catalog.put_lab_computer(session, name, endpoint="labs")
        power.set_address(session, "metal01", METAL)

    lab.run(fill)
    return lab


def begin(store: Store, computer: str, verb: PowerVerb = PowerVerb.ON, forced: bool = False) -> PowerOrder:
    asked = Switch(computer, verb, forced=forced, intent="a1")
    return store.run(lambda s: power.begin(s, asked, OLGA, RULES, NOW))


def holder(store: Store, computer: str) -> str:
    with store.read() as session:
        held = tenures.current(session, computer)
    return held.holder if held else ""


def take(store: Store, computer: str, by: str) -> None:
    store.run(lambda s: tenures.take(s, computer, by, Purpose.RESERVATION, NOW + HOUR, NOW))


def test_nobody_gets_it_meanwhile(labs: Store) -> None:
    order = begin(labs, "metal01")
    assert (order.site, order.at, order.target, order.generation) == ("north", METAL, None, 1)
    with pytest.raises(tenures.TenureHeld, match="metal01 is held by power-metal01"):
        take(labs, "metal01", "r7")
    assert begin(labs, "metal01") == order  # a record may be written twice
    labs.run(lambda s: power.end(s, order, PowerSeen("on"), "", NOW))
    take(labs, "metal01", "r7")
    labs.run(lambda s: power.end(s, order, PowerSeen("on"), "", NOW))
    assert holder(labs, "metal01") == "r7"


def test_one_that_somebody_holds(labs: Store) -> None:
    take(labs, "metal01", "r7")
    with pytest.raises(Refused, match="metal01 is held by r7; use --force"):
        begin(labs, "metal01", PowerVerb.OFF)
    assert begin(labs, "metal01", PowerVerb.STATUS).generation == 0
    order = begin(labs, "metal01", PowerVerb.OFF, forced=True)
    labs.run(lambda s: power.end(s, order, PowerSeen("off"), "", NOW))
    assert holder(labs, "metal01") == "r7"


def test_a_workflow_that_was_terminated_does_not_keep_it(labs: Store) -> None:
    begin(labs, "metal01")
    labs.run(lambda s: power.release_lost(s, NOW + power.LONGEST - timedelta(seconds=1)))
    assert holder(labs, "metal01") == "power-metal01"
    labs.run(lambda s: power.release_lost(s, NOW + power.LONGEST))
    assert holder(labs, "metal01") == ""


def test_a_virtual_machine_is_switched_by_its_endpoint(labs: Store) -> None:
    with pytest.raises(Refused, match="vm01 has no machine now"):
        begin(labs, "vm01", PowerVerb.STATUS)
    held = must_reserve(labs)
    order = begin(labs, held.target.computer, PowerVerb.STATUS)
    assert order.target == held.target and not order.at.address
    with pytest.raises(Refused, match="use --force"):
        begin(labs, held.target.computer, PowerVerb.OFF)
    with pytest.raises(Refused, match="nothing is known that could change"):
        begin(labs, held.target.computer, PowerVerb.BOOT_DEVICE)


def test_what_can_not_be_switched(labs: Store) -> None:
    with pytest.raises(Refused, match="change the power of pc07; give it one with `vclab computer edit pc07 --bmc"):
        begin(labs, "pc07")
    with pytest.raises(NotFound):
        begin(labs, "pc99")


def test_each_computer_has_its_own_bmc(labs: Store) -> None:
    with pytest.raises(Refused, match="metal01 is switched at ipmi"):
        labs.run(lambda s: power.set_address(s, "pc07", METAL))
    with pytest.raises(Refused, match="its endpoint switches it"):
        labs.run(lambda s: power.set_address(s, "vm01", PowerAddress("none")))
    for name in ("metal01", "pc07"):
        labs.run(lambda s, name=name: power.set_address(s, name, PowerAddress("none")))  # type: ignore[misc]
    with labs.read() as session:
        assert catalog.computer(session, "pc07").power == "none"
