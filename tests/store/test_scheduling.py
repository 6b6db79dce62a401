"""Reservations for later: placed with claims only, begun, put off, and moved."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import ALICE, EDGES, HOUR, NOW, OLGA, RULES, TURNAROUND, inventory, must_reserve, reserve, seed
from vclab.model.catalog import Endpoint, Image
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.states import ComputerState, Ending, ReservationState
from vclab.store import Store, catalog, extension, models, placement, reservations, scheduling, tenures
from vclab.store.models import Claim

START = NOW + 10 * HOUR
PRELOAD = timedelta(minutes=35)
FACTS = Facts(private_address="10.0.0.5", public_address="203.0.113.5", host_key="ssh-ed25519 AAAA")


def later(
    store: Store,
    start: datetime = START,
    hours: float = 1,
    user: str = "alice",
    image: str = "debian-12",
    operator: bool = True,
    heard: Inventory | None = None,
) -> Placed | Refusal:
    request = ReserveRequest(new_id(), user, image, hours * 3600, start=start)
    return store.run(lambda s: placement.place(s, request, Author(user, operator), (heard or inventory(),), RULES, NOW))


def must(outcome: Placed | Refusal) -> Placed:
    assert isinstance(outcome, Placed), outcome
    return outcome


def refused(outcome: Placed | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.text()


def begin(store: Store, id: str, heard: Inventory | None = None, now: datetime = START - PRELOAD) -> Placed | Refusal:
    return store.run(lambda s: scheduling.begin(s, id, (heard or inventory(),), RULES, now))


def move(store: Store, id: str, start: datetime, operator: bool = True, now: datetime = NOW) -> Placed | Refusal:
    by = Author("alice", operator)
    return store.run(lambda s: scheduling.reschedule(s, id, start, by, (inventory(),), RULES, now))


def claimed(store: Store, id: str) -> set[tuple[str, datetime, datetime]]:
    query = sa.select(Claim).where(Claim.holder == id, Claim.released.is_(False))
    with store.read() as session:
        return {(c.pool or c.computer or "", c.starts, c.ends) for c in session.scalars(query)}


def state(store: Store, id: str) -> tuple[ReservationState, str, int]:
    with store.read() as session:
        view = reservations.view(session, id)
    assert view is not None
    return view.state, view.computer, view.generation


def test_the_claim_covers_the_preload_and_nothing_is_held(lab: Store) -> None:
    placed = must(later(lab, hours=2))
    assert (placed.state, placed.held) == (ReservationState.SCHEDULED, False)
    assert (placed.start, placed.end, placed.preload_at) == (START, START + 2 * HOUR, START - PRELOAD)
    assert {(a, b) for _, a, b in claimed(lab, placed.reservation)} == {(START - PRELOAD, placed.end + TURNAROUND)}
    assert state(lab, placed.reservation) == (ReservationState.SCHEDULED, "", 0)
    with lab.read() as session:
        assert tenures.current(session, "vm01") is None
        assert reservations.held_target(session, placed.reservation) is None


def test_what_starts_soon_is_claimed_from_now_on(lab: Store) -> None:
    placed = must(later(lab, start=NOW + timedelta(minutes=10)))
    assert placed.preload_at == NOW
    assert {a for _, a, _ in claimed(lab, placed.reservation)} == {NOW}


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (NOW, "is in the past"),
        (NOW - HOUR, "is in the past"),
        (NOW + timedelta(days=731), "later than 730 d from now"),
        (NOW.replace(tzinfo=None) + HOUR, "no time zone"),
        *EDGES,
    ],
)
def test_starts_that_are_refused(lab: Store, start: datetime, text: str) -> None:
    assert text in refused(later(lab, start=start))


def test_one_at_a_time_means_at_one_time(lab: Store) -> None:
    """What does not overlap does not count; what overlaps does, also for an extension and a move."""
    now = must(reserve(lab, operator=False))
    first = must(later(lab, operator=False))
    assert f"1 of at most 1 reservations at one time ({first.reservation})" in refused(later(lab, operator=False))
    second = must(later(lab, start=START + HOUR, operator=False))
    assert "at one time" in refused(later(lab, start=START + timedelta(minutes=90), operator=False))
    assert "at one time" in refused(move(lab, second.reservation, START + timedelta(minutes=59), operator=False))
    longer = first.end + HOUR
    outcome = lab.run(lambda s: extension.extend(s, first.reservation, longer, ALICE, RULES, NOW))
    assert isinstance(outcome, Refusal)
    assert "alice has another reservation then, and may have 1 at one time" in outcome.text()
    assert now.end < START


def test_an_extension_before_the_start(lab: Store) -> None:
    """The whole of it counts from the start, and the claims go along."""
    placed = must(later(lab, hours=4))
    end, too_long = placed.end + HOUR, placed.end + 3 * HOUR
    assert lab.run(lambda s: extension.extend(s, placed.reservation, end, ALICE, RULES, NOW)) == end
    assert {b for _, _, b in claimed(lab, placed.reservation)} == {end + TURNAROUND}
    outcome = lab.run(lambda s: extension.extend(s, placed.reservation, too_long, ALICE, RULES, NOW))
    assert isinstance(outcome, Refusal)


def test_promised_room_is_nobody_elses(lab: Store) -> None:
    """Two machines that fill a host each: who comes later, at once or for later, must be gone before the preload."""
    for _ in range(2):
        must(later(lab, image="big"))
    assert "no room" in refused(later(lab, start=START + HOUR / 2, image="big"))
    assert "MiB memory" in refused(reserve(lab, image="big", hours=10))
    must(reserve(lab, image="big", hours=9))


def test_there_must_be_identities_for_all(store: Store) -> None:
    """The peak of those that overlap: the class at ten, and whoever is there before and stays."""
    store.run(lambda s: seed(s, identities=3))
    must_reserve(store, hours=24)
    for _ in range(2):
        must(later(store))
    text = refused(later(store))
    assert "no identity" in text
    assert "there is room from 2026-08-01 23:41 CEST on" in text, "when the class has gone, and 35 min to prepare"
    assert "no identity" in refused(reserve(store, hours=10))
    short = must(reserve(store, hours=9))
    extended = store.run(
        lambda s: extension.extend(s, short.reservation, START, OLGA, RULES, NOW + timedelta(minutes=1))
    )
    assert isinstance(extended, Refusal)
    assert "another reservation has its place" in extended.text()
    must(later(store, start=START + 2 * HOUR))


def late(store: Store, placed: Placed, now: datetime, credited: float = 0.0) -> datetime:
    """Ready after the start; twice is once."""
    facts = FACTS
    ready = store.run(lambda s: reservations.ready_late(s, placed.reservation, facts, credited, RULES, now))[0]
    again = store.run(lambda s: reservations.ready_late(s, placed.reservation, facts, credited, RULES, now))[0]
    assert ready == again
    return ready


def test_a_start_that_comes_late_is_credited(lab: Store) -> None:
    """As much as was lost and not given back before; with a reason for its user."""
    placed = must(later(lab))
    must(begin(lab, placed.reservation, now=START))
    minutes = timedelta(minutes=12)
    assert late(lab, placed, START + minutes, credited=120) == placed.end + timedelta(minutes=10)
    assert {b for _, _, b in claimed(lab, placed.reservation)} == {placed.end + timedelta(minutes=10) + TURNAROUND}
    with lab.read() as session:
        view = reservations.view(session, placed.reservation)
    assert view is not None and view.state == "reserved"
    assert "10 min were lost through a fault of the lab; the end is now" in view.reason


def test_what_was_reserved_too_soon_to_be_ready_in_time(lab: Store) -> None:
    """Only what it takes longer than usual is a fault of ours."""
    placed = must(later(lab, NOW + timedelta(minutes=1)))
    must(begin(lab, placed.reservation, now=NOW))

    def usual(session: Session) -> None:
        session.get_one(models.Reservation, placed.reservation).load_seconds = 600

    lab.run(usual)
    assert late(lab, placed, NOW + timedelta(minutes=12)) == placed.end + timedelta(minutes=2)


def test_it_begins_at_its_promised_place(lab: Store) -> None:
    placed = must(later(lab))
    before = claimed(lab, placed.reservation)
    begun = must(begin(lab, placed.reservation))
    assert begun == must(begin(lab, placed.reservation)), "again changes nothing"
    assert (begun.target.host, begun.target.computer, begun.target.generation) == ("esx1", "vm01", 1)
    assert begun.access.password_ref == "tenure/vm01/1/login"
    assert begun.target.private_mac
    assert claimed(lab, placed.reservation) == before
    assert state(lab, placed.reservation) == (ReservationState.NEW, "vm01", 1)
    with lab.read() as session:
        assert catalog.computer(session, "vm01").state is ComputerState.RELOADING


def test_another_place_when_the_promised_one_can_not_be_used(lab: Store) -> None:
    """Claims included; and when there is none at all, all stays as it was, with the reasons."""
    placed = must(later(lab))
    before = claimed(lab, placed.reservation)
    broken = tuple(
        HostFacts(h.name, h.cpus, h.memory_mb, False, "in maintenance", h.datastores) for h in inventory().hosts
    )
    heard = inventory(taken_at=START - PRELOAD)
    nowhere = Inventory("lab-vcenter", heard.taken_at, broken, heard.datastores)
    text = refused(begin(lab, placed.reservation, nowhere))
    assert "esx1: in maintenance" in text
    assert "esx2: in maintenance" in text
    assert "esx1: in maintenance" in lab.run(
        lambda s: scheduling.why_not_begin(s, placed.reservation, (nowhere,), RULES, START - PRELOAD)
    )
    assert claimed(lab, placed.reservation) == before
    assert state(lab, placed.reservation)[0] is ReservationState.SCHEDULED
    second = Inventory("lab-vcenter", heard.taken_at, (broken[0], heard.hosts[1]), heard.datastores)
    assert lab.run(lambda s: scheduling.why_not_begin(s, placed.reservation, (second,), RULES, START - PRELOAD)) == ""
    assert state(lab, placed.reservation)[0] is ReservationState.SCHEDULED, "asking takes nothing"
    assert must(begin(lab, placed.reservation, second)).target.host == "esx2"
    assert {name for name, _, _ in claimed(lab, placed.reservation)} == {
        "lab-vcenter/host/esx2",
        "lab-vcenter/datastore/ds1",
    }


def test_who_holds_the_identity_is_named(store: Store) -> None:
    """An overrun: the user's time is over, and the computer is not back yet."""
    store.run(lambda s: seed(s, identities=1))
    first = must_reserve(store)
    placed = must(later(store))
    store.run(lambda s: reservations.ended(s, first.reservation, Ending.RELEASED, "", NOW + HOUR))
    text = refused(begin(store, placed.reservation))
    assert f"vm01, held by {first.reservation}, probably until 2026-08-01 13:05 CEST" in text
    store.run(lambda s: reservations.finished(s, first.reservation, NOW + 2 * HOUR))
    assert must(begin(store, placed.reservation)).target.generation == 2


def test_loaded_before_its_start_and_handed_over_then(lab: Store) -> None:
    placed = must(later(lab))
    begin(lab, placed.reservation)
    for _ in range(2):
        lab.run(lambda s: scheduling.preloaded(s, placed.reservation, FACTS, START - HOUR / 4))
    assert state(lab, placed.reservation) == (ReservationState.SCHEDULED, "vm01", 1)
    with lab.read() as session:
        assert catalog.computer(session, "vm01").state is ComputerState.RESERVED
    lab.run(lambda s: reservations.ready(s, placed.reservation, FACTS, START))
    assert state(lab, placed.reservation)[0] is ReservationState.RESERVED


def test_a_preload_that_is_put_off_leaves_the_claims(lab: Store) -> None:
    placed = must(later(lab))
    before = claimed(lab, placed.reservation)
    begin(lab, placed.reservation)
    for _ in range(2):
        off = lab.run(lambda s: scheduling.put_off(s, placed.reservation, "no power", "", RULES, START - HOUR / 4))
        assert (off.held, off.target.host, off.target.computer) == (False, "esx1", "")
    assert claimed(lab, placed.reservation) == before
    with lab.read() as session:
        view = reservations.view(session, placed.reservation)
        computer = catalog.computer(session, "vm01")
    assert view is not None
    assert (view.state, view.computer, view.reason) == (ReservationState.SCHEDULED, "", "no power")
    assert (computer.state, computer.holder) == (ComputerState.AVAILABLE, "")
    assert must(begin(lab, placed.reservation, now=START)).target.generation == 2


def test_ended_before_it_began(lab: Store) -> None:
    """Its claims are free at once; there is no computer to finish with."""
    placed = must(later(lab))
    lab.run(lambda s: reservations.ended(s, placed.reservation, Ending.DELETED, "", NOW + HOUR))
    assert claimed(lab, placed.reservation) == set()
    lab.run(lambda s: reservations.finished(s, placed.reservation, NOW + HOUR))
    assert state(lab, placed.reservation) == (ReservationState.COMPLETE, "", 0)
    assert "has ended" in refused(begin(lab, placed.reservation))
    assert not lab.run(lambda s: scheduling.put_off(s, placed.reservation, "", "", RULES, NOW)).held


def test_moved_with_all_that_belongs_to_it(lab: Store) -> None:
    placed = must(later(lab, hours=2))
    moved = must(move(lab, placed.reservation, START + HOUR))
    assert (moved.start, moved.end) == (START + HOUR, START + 3 * HOUR)
    assert moved.preload_at == START + HOUR - PRELOAD
    assert {(a, b) for _, a, b in claimed(lab, placed.reservation)} == {(moved.preload_at, moved.end + TURNAROUND)}
    assert must(move(lab, placed.reservation, START + HOUR)) == moved
    assert must(move(lab, placed.reservation, NOW + HOUR / 2)).preload_at == NOW


def test_moved_to_another_place_or_not_at_all(lab: Store) -> None:
    """Its host is promised to another big machine then: it goes to the other host; or stays when both are taken."""
    then = START + 3 * HOUR
    placed, there = must(later(lab, image="big")), must(later(lab, then, image="big", user="bob"))
    assert placed.target.host == there.target.host
    third = must(later(lab, then, image="big", user="carol"))
    assert "no room" in refused(move(lab, placed.reservation, then))
    assert {a for _, a, _ in claimed(lab, placed.reservation)} == {START - PRELOAD}
    lab.run(lambda s: reservations.ended(s, third.reservation, Ending.DELETED, "", NOW))
    moved = must(move(lab, placed.reservation, then))
    assert moved.target.host == third.target.host != placed.target.host
    assert {a for _, a, _ in claimed(lab, placed.reservation)} == {then - PRELOAD}


@pytest.mark.parametrize(
    ("start", "text"), [(NOW - HOUR, "in the past"), (NOW + timedelta(days=800), "later than 730 d"), *EDGES]
)
def test_moves_that_are_refused(lab: Store, start: datetime, text: str) -> None:
    placed = must(later(lab))
    assert text in refused(move(lab, placed.reservation, start))
    assert state(lab, placed.reservation)[0] is ReservationState.SCHEDULED


def test_what_has_begun_is_not_moved(lab: Store) -> None:
    at_once = must_reserve(lab)
    assert "has begun" in refused(move(lab, at_once.reservation, START))
    placed = must(later(lab))
    assert "has begun" in refused(move(lab, placed.reservation, START + HOUR, now=START))


def test_a_class_of_thirty_at_ten(store: Store) -> None:
    """All or with a reason: as many as there is room for, then each is told what is missing where."""
    store.run(lambda s: seed(s, identities=40))
    outcomes = [later(store) for _ in range(30)]
    placed = [o for o in outcomes if isinstance(o, Placed)]
    assert len(placed) == 16, "16 CPUs and 16 GiB a host, 2 GiB each"
    assert all("MiB memory" in refused(o) for o in outcomes if isinstance(o, Refusal))
    begun = [must(begin(store, p.reservation)) for p in placed]
    assert len({b.target.computer for b in begun}) == 16


def lab_machines(session: Session) -> None:
    """Two lab machines in one room."""
    seed(session)
    catalog.put_endpoint(session, Endpoint("room", "standalone", "", "", "", ""))
    catalog.put_image(session, Image("bench", "Bench", 1, "standalone", "linux", 1, 1, 1, endpoint="room"))
    for number in (1, 2):
        catalog.put_lab_computer(session, f"pc{number}", "", "room", f"10.0.0.{number}", f"key{number}")


def room(*broken: str) -> Inventory:
    hosts = tuple(HostFacts(n, 0, 0, n not in broken, "no answer" if n in broken else "") for n in ("pc1", "pc2"))
    return Inventory("room", NOW, hosts)


def test_a_lab_machine_is_promised_by_name(store: Store) -> None:
    """And another one is taken when it can't be used; nobody else gets a promised one."""
    store.run(lab_machines)
    first = must(later(store, image="bench", heard=room()))
    second = must(later(store, image="bench", heard=room()))
    assert {first.target.computer, second.target.computer} == {"pc1", "pc2"}
    assert "promised to" in refused(later(store, image="bench", heard=room()))
    assert state(store, first.reservation) == (ReservationState.SCHEDULED, "", 0)
    store.run(lambda s: reservations.ended(s, second.reservation, Ending.DELETED, "", NOW))
    begun = must(begin(store, first.reservation, room(first.target.computer)))
    assert begun.target.computer == second.target.computer
    off = store.run(lambda s: scheduling.put_off(s, first.reservation, "", "a file stays", RULES, START - HOUR / 4))
    assert (off.target.computer, off.held) == (second.target.computer, False)
    with store.read() as session:
        assert catalog.computer(session, second.target.computer).state is ComputerState.MAINTENANCE


def test_a_spare_is_not_kept_under_an_identity_that_is_promised(store: Store) -> None:
    """Else nothing would be free when the load is to begin."""
    store.run(lambda s: seed(s, identities=1))
    first = must_reserve(store)
    store.run(lambda s: reservations.ready(s, first.reservation, FACTS, NOW))
    store.run(lambda s: reservations.ended(s, first.reservation, Ending.NOACK, "", NOW))
    placed = must(later(store, start=NOW + PRELOAD + timedelta(minutes=10)))
    why_not = store.run(lambda s: reservations.kept(s, first.reservation, 1800.0, NOW))
    assert why_not == "the identity of vm01 is promised to others"
    store.run(lambda s: reservations.finished(s, first.reservation, NOW))
    assert must(begin(store, placed.reservation, now=NOW + timedelta(minutes=12))).target.generation == 2
