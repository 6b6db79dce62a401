"""Another place for a load that failed: claimed beside the old one, moved to when that is gone; time given back."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import ALICE, HOUR, NOW, OLGA, RULES, TURNAROUND, inventory, must_reserve, reserve, seed
from tests.store.test_lab_machines import heard, labs, placed
from vclab.model.ids import new_id
from vclab.model.plans import Evidence, Facts, Target
from vclab.model.reservations import FailedStep, OtherPlace, Placed, Refusal, ReserveRequest
from vclab.model.states import ComputerState, Ending, Purpose, Word
from vclab.store import (
    Store,
    catalog,
    extension,
    failed_steps,
    locks,
    needs_help,
    placement,
    relocation,
    reservations,
    tenures,
)
from vclab.store.models import Claim, Computer

__all__ = ["labs"]

MINUTE = timedelta(minutes=1)


def promised(store: Store, reservation: str) -> set[str]:
    """What the reservation has claims on."""
    with store.read() as session:
        rows = session.scalars(sa.select(Claim).where(Claim.holder == reservation, Claim.released.is_(False)))
        return {str(row.pool or row.computer) for row in rows}


def find(store: Store, target: Target, hosts: int = 2, memory_mb: int = 16384) -> OtherPlace | Refusal:
    return store.run(lambda s: relocation.find(s, target, (inventory(hosts, memory_mb),), RULES, NOW + MINUTE))


def must_find(store: Store, target: Target) -> OtherPlace:
    place = find(store, target)
    assert isinstance(place, OtherPlace), place
    return place


def move(
    store: Store,
    target: Target,
    place: OtherPlace,
    lost: float = 0.0,
    not_clean: str = "",
) -> Placed | None:
    return store.run(lambda s: relocation.relocate(s, target, place, not_clean, lost, RULES, NOW + MINUTE))


def test_the_other_place_is_claimed_beside_the_first_and_moved_to(lab: Store) -> None:
    """Twice is the same; nobody else gets the new place meanwhile, and the old one is free afterwards."""
    target = must_reserve(lab, image="big").target
    place = must_find(lab, target)
    assert find(lab, target) == place
    assert place == OtherPlace("lab-vcenter", "esx2", "ds1", "vm01")
    hosts = {"lab-vcenter/host/esx1", "lab-vcenter/host/esx2", "lab-vcenter/datastore/ds1"}
    assert promised(lab, target.reservation) == hosts
    assert isinstance(reserve(lab, "bob", "big"), Refusal)
    new = move(lab, target, place)
    assert new is not None and move(lab, target, place) == new
    assert (new.target.host, new.target.computer, new.target.generation) == ("esx2", "vm01", 2)
    assert new.target.instance_uuid != target.instance_uuid
    assert new.access.password_ref == "tenure/vm01/2/login"
    assert promised(lab, target.reservation) == hosts - {"lab-vcenter/host/esx1"}
    with lab.read() as session:
        assert tenures.held(session, "vm01", 2)
        view = reservations.view(session, target.reservation, NOW)
        assert view is not None and (view.host, view.generation) == ("esx2", 2)
        assert catalog.computer(session, "vm01").state is ComputerState.RELOADING
    other = must_reserve(lab, "bob", "big")
    assert other.target.host == "esx1"


def test_no_other_place_names_each_host(lab: Store) -> None:
    target = must_reserve(lab).target
    refused = find(lab, target, 1)
    assert isinstance(refused, Refusal) and "esx1: its load failed here" in refused.text()
    assert isinstance(find(lab, target, memory_mb=1), Refusal)
    assert len(promised(lab, target.reservation)) == 2


def test_what_has_ended_is_not_moved(lab: Store) -> None:
    target = must_reserve(lab).target
    place = must_find(lab, target)
    lab.run(lambda s: reservations.ended(s, target.reservation, Ending.DELETED, "", NOW))
    assert promised(lab, target.reservation) == set()
    assert move(lab, target, place) is None
    assert isinstance(find(lab, target), Refusal)
    with lab.read() as session:
        assert tenures.held(session, "vm01", 1)


def test_a_lab_machine_is_left_to_its_owner_and_another_one_taken(labs: Store) -> None:
    """It could not be made clean: maintenance. Somebody else's tenure on the new one changes nothing at all."""
    target = placed(labs).target
    place = labs.run(lambda s: relocation.find(s, target, heard(), RULES, NOW))
    assert isinstance(place, OtherPlace) and place.computer == "lab02"
    assert promised(labs, target.reservation) == {"lab01", "lab02"}
    labs.run(lambda s: tenures.take(s, "lab02", "check", Purpose.LOAD, NOW + HOUR, NOW))
    with pytest.raises(tenures.TenureHeld):
        move(labs, target, place)
    with labs.read() as session:
        assert tenures.held(session, "lab01", target.generation)
    labs.run(lambda s: tenures.release(s, "lab02", 1, NOW))
    new = move(labs, target, place, not_clean="/var/tmp/x stays")
    assert new is not None and (new.target.computer, new.target.generation) == ("lab02", 2)
    with labs.read() as session:
        left = session.get_one(Computer, "lab01")
        assert (left.state, left.why_out_of_service) == (
            ComputerState.MAINTENANCE,
            f"after {target.reservation}: /var/tmp/x stays",
        )
        assert not tenures.held(session, "lab01", target.generation)
    assert promised(labs, target.reservation) == {"lab02"}


def trouble(target: Target) -> FailedStep:
    seen = Evidence("off", ("vm01 on esx1",), ("panic",), ("events",))
    return FailedStep(
        NOW, target.computer, target.generation, target.host, "vsphere.power_on", 4, "Power it on", "no", seen
    )


def test_it_waits_for_help_and_gets_its_time_back(lab: Store) -> None:
    first = must_reserve(lab)
    target = first.target
    for _ in range(2):
        lab.run(lambda s: failed_steps.note(s, target, trouble(target), RULES.health))
    must_find(lab, target)
    for _ in range(2):
        lab.run(lambda s: needs_help.begin(s, target, 7200, "esx1 refuses", NOW))
    assert len(promised(lab, target.reservation)) == 2, "the other place is given back"
    with lab.read() as session:
        assert failed_steps.of(session, target.reservation) == [trouble(target)]
        assert needs_help.waiting(session) == [(target.reservation, trouble(target))]
        view = reservations.view(session, target.reservation, NOW)
    assert view is not None
    assert (view.word, view.help_since, view.help_until) == (Word.NEEDS_HELP, NOW, first.end), "its end comes first"
    now = NOW + 20 * MINUTE
    end, said = lab.run(lambda s: needs_help.resolved(s, target.reservation, OLGA, "retry", RULES, now))
    assert end == first.end + 20 * MINUTE and "20 min were lost through a fault of the lab; the end is now" in said
    assert lab.run(lambda s: needs_help.resolved(s, target.reservation, OLGA, "retry", RULES, now)) == (end, "")
    with lab.read() as session:
        assert needs_help.waiting(session) == []
        held = sa.select(Claim.ends).where(Claim.holder == target.reservation, Claim.released.is_(False))
        assert set(session.scalars(held)) == {end + TURNAROUND}


def test_nobody_passes_a_claim(labs: Store) -> None:
    """Lost time is given back as far as nobody else has the machine then, and that is said."""
    first = placed(labs)

    def later(session: Session) -> None:
        session.add(Claim(computer="lab01", holder="other", starts=first.end + 10 * MINUTE, ends=first.end + HOUR))

    labs.run(later)

    def give(session: Session) -> str:
        return extension.credit(session, locks.reservation(session, first.reservation), 1800, RULES, NOW)

    assert "could only move to" in labs.run(give)
    with labs.read() as session:
        row = reservations.view(session, first.reservation)
    assert row is not None and row.end == first.end + 5 * MINUTE, "less the turnaround"
    assert "the end stays" in labs.run(give)


def test_nobody_passes_a_promised_identity(store: Store) -> None:
    """There is room for both, and a name for one of them."""
    store.run(lambda s: seed(s, identities=1))
    first = must_reserve(store)
    later = ReserveRequest(new_id(), "bob", "debian-12", 3600, start=NOW + 2 * HOUR)
    promised_to_bob = store.run(lambda s: placement.place(s, later, OLGA, (inventory(),), RULES, NOW))
    assert isinstance(promised_to_bob, Placed) and promised_to_bob.preload_at is not None
    said = store.run(lambda s: extension.credit(s, locks.reservation(s, first.reservation), 5400, RULES, NOW))
    assert "could only move to" in said
    with store.read() as session:
        row = reservations.view(session, first.reservation)
    assert row is not None and row.end == promised_to_bob.preload_at - TURNAROUND


def test_what_the_lab_took_does_not_count_against_an_extension(lab: Store) -> None:
    """The limit of all of a reservation counts from when its user could begin."""
    first = must_reserve(lab, hours=4)
    target = first.target
    lab.run(lambda s: needs_help.begin(s, target, 14400, "esx1 refuses", NOW))
    helped = NOW + 3 * HOUR

    def extend(hours: float, now: datetime) -> datetime | Refusal:
        end = first.end + timedelta(hours=hours)
        return lab.run(lambda s: extension.extend(s, target.reservation, end, ALICE, RULES, now))

    lab.run(lambda s: needs_help.resolved(s, target.reservation, OLGA, "retry", RULES, helped))
    assert extend(3.5, helped) == first.end + 3.5 * HOUR, "it loads: the user has had nothing yet"
    ready = helped + 10 * MINUTE
    lab.run(lambda s: reservations.ready(s, target.reservation, Facts("10.0.0.9", "203.0.113.9", "key"), ready))
    assert extend(4.5, ready + HOUR) == first.end + 4.5 * HOUR
    refused = extend(5.5, ready + HOUR)
    assert isinstance(refused, Refusal) and "the limit is 6 h in all" in refused.reason


def test_ready_forgets_nothing_of_what_failed(lab: Store) -> None:
    """What failed is kept for good."""
    target = must_reserve(lab).target
    lab.run(lambda s: failed_steps.note(s, target, trouble(target), RULES.health))
    new = move(lab, target, must_find(lab, target), lost=90)
    assert new is not None and new.end == NOW + HOUR + timedelta(seconds=90)
    lab.run(
        lambda s: reservations.ready(s, target.reservation, Facts("10.0.0.9", "203.0.113.9", "key"), NOW + 2 * MINUTE)
    )
    with lab.read() as session:
        assert failed_steps.of(session, target.reservation) == [trouble(target)]


@pytest.mark.parametrize("relocated", (True, False))
def test_a_clean_lab_machine_is_not_tainted(labs: Store, relocated: bool) -> None:
    """Whether its reservation goes to another one or ends."""
    target = placed(labs).target
    labs.run(lambda s: setattr(s.get_one(Computer, "lab01"), "tainted", True))
    if relocated:
        place = labs.run(lambda s: relocation.find(s, target, heard(), RULES, NOW))
        assert isinstance(place, OtherPlace)
        assert move(labs, target, place) is not None
    else:
        labs.run(lambda s: reservations.finished(s, target.reservation, NOW))
    with labs.read() as session:
        computer = catalog.computer(session, "lab01")
    assert (computer.state, computer.tainted) == (ComputerState.AVAILABLE, False)
