"""The life of a reservation in the store; every record is written twice, as after a crash."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import ALICE, EDGES, HOUR, NOW, RULES, TURNAROUND, must_reserve, reserve
from vclab.model.catalog import Computer, User
from vclab.model.errors import NotFound
from vclab.model.intents import Author, signalled
from vclab.model.plans import Facts, StepInput
from vclab.model.reservations import Placed, Refusal, ReservationView
from vclab.model.states import ComputerState, Ending, ReservationState
from vclab.store import Store, audit, catalog, extension, load_log, reservations, tenures
from vclab.store.models import Claim

FACTS = Facts("10.77.0.12", "203.0.113.12", "ssh-ed25519 AAAA host", "boot-1")
HERE = ("203.0.113.101",)


def twice(store: Store, change: Callable[[Session], object]) -> None:
    """Whatever happens once may happen twice."""
    store.run(change)
    store.run(change)


def view(store: Store, id: str, now: datetime = NOW) -> ReservationView:
    with store.read() as session:
        found = reservations.view(session, id, now)
    assert found is not None
    return found


def computer(store: Store, name: str = "vm01") -> Computer:
    with store.read() as session:
        return catalog.computer(session, name)


def make_ready(store: Store) -> str:
    id = must_reserve(store).reservation
    twice(store, lambda s: reservations.ready(s, id, FACTS, NOW))
    return id


def make_inuse(store: Store) -> str:
    id = make_ready(store)
    twice(store, lambda s: reservations.acknowledged(s, id, HERE, ALICE, NOW))
    twice(store, lambda s: reservations.access_opened(s, id, HERE, NOW))
    twice(store, lambda s: reservations.connected(s, id, NOW))
    return id


def end(store: Store, id: str, ending: Ending = Ending.RELEASED, now: datetime = NOW, reason: str = "") -> None:
    twice(store, lambda s: reservations.ended(s, id, ending, reason, now))


def extend(store: Store, id: str, end: datetime, operator: bool = False, now: datetime = NOW) -> datetime | Refusal:
    return store.run(lambda s: extension.extend(s, id, end, Author("alice", operator), RULES, now))


def test_new(lab: Store) -> None:
    placed = must_reserve(lab)
    seen = view(lab, placed.reservation)
    assert (seen.state, seen.word, seen.ending) == (ReservationState.NEW, "Waiting for a computer", None)
    assert (seen.computer, seen.generation, seen.host, seen.endpoint) == ("vm01", 1, "esx1", "lab-vcenter")
    assert (seen.start, seen.end, seen.created) == (NOW, NOW + HOUR, NOW)
    assert seen.password_ref == "tenure/vm01/1/login"
    assert (seen.image, seen.revision, seen.user, seen.ended_at) == ("debian-12", 1, "alice", None)


def test_ready(lab: Store) -> None:
    id = make_ready(lab)
    seen, there = view(lab, id), computer(lab)
    assert (seen.state, seen.word) == (ReservationState.RESERVED, "Ready")
    assert (seen.public_address, seen.host_key) == ("203.0.113.12", "ssh-ed25519 AAAA host")
    assert (there.state, there.image, there.revision, there.tainted) == (ComputerState.RESERVED, "debian-12", 1, False)
    assert (there.private_address, there.public_address) == ("10.77.0.12", "203.0.113.12")


def test_connect(lab: Store) -> None:
    id = make_ready(lab)
    twice(lab, lambda s: reservations.acknowledged(s, id, HERE, ALICE, NOW))
    assert (view(lab, id).remote_addresses, view(lab, id).access_open) == (HERE, False)
    twice(lab, lambda s: reservations.access_opened(s, id, HERE, NOW))
    assert (view(lab, id).remote_addresses, view(lab, id).access_open) == (HERE, True)
    twice(lab, lambda s: reservations.acknowledged(s, id, HERE, ALICE, NOW))
    assert view(lab, id).access_open  # Connect pressed again from the same address
    both = (*HERE, "203.0.113.102")
    lab.run(lambda s: reservations.acknowledged(s, id, both, ALICE, NOW))
    assert not view(lab, id).access_open
    lab.run(lambda s: reservations.access_opened(s, id, both, NOW))
    assert (view(lab, id).remote_addresses, view(lab, id).access_open) == (both, True)


def test_in_use_taints_the_computer(lab: Store) -> None:
    id = make_inuse(lab)
    seen, there = view(lab, id), computer(lab)
    assert (seen.state, seen.word, seen.connected) == (ReservationState.INUSE, "In use", True)
    assert (there.state, there.tainted) == (ComputerState.INUSE, True)
    twice(lab, lambda s: reservations.disconnected(s, id, NOW))
    assert (view(lab, id).state, view(lab, id).connected) == (ReservationState.INUSE, False)
    lab.run(lambda s: reservations.connected(s, id, NOW + HOUR))
    assert view(lab, id).connected


def test_a_changed_address_while_in_use_is_shown(lab: Store) -> None:
    id = make_inuse(lab)
    lab.run(lambda s: reservations.ready(s, id, Facts(public_address="203.0.113.77"), NOW))
    assert (view(lab, id).state, view(lab, id).public_address) == (ReservationState.INUSE, "203.0.113.77")
    assert view(lab, id).host_key == FACTS.host_key
    assert computer(lab).tainted


def test_ending_soon(lab: Store) -> None:
    id = make_inuse(lab)
    assert view(lab, id, NOW + HOUR - timedelta(seconds=601)).word == "In use"
    assert view(lab, id, NOW + HOUR - timedelta(seconds=600)).word == "Ending soon"


def test_the_end_releases_claims_at_once_and_the_tenure_later(lab: Store) -> None:
    id = make_inuse(lab)
    later = NOW + 0.5 * HOUR
    end(lab, id, now=later)
    seen = view(lab, id)
    assert (seen.state, seen.word, seen.ending) == (ReservationState.RECLAIM, "Ended", Ending.RELEASED)
    assert (seen.ended_at, seen.access_open, seen.connected) == (later, False, False)
    with lab.read() as session:
        assert {(c.ends, c.released) for c in session.scalars(sa.select(Claim))} == {(later, True)}
        tenures.check(session, "vm01", 1)
        assert reservations.unfinished(session) == [id]
        target = reservations.held_target(session, id)
        assert target is not None and target.computer == "vm01"
    twice(lab, lambda s: reservations.finished(s, id, later))
    assert view(lab, id).state is ReservationState.COMPLETE
    there = computer(lab)
    assert (there.state, there.tainted, there.image, there.holder) == (ComputerState.AVAILABLE, False, "", "")
    with lab.read() as session:
        assert reservations.unfinished(session) == []
        assert reservations.held_target(session, id) is None


def test_the_first_ending_stays(lab: Store) -> None:
    id = make_ready(lab)
    end(lab, id, Ending.NOACK, reason="nobody pressed Connect")
    end(lab, id, Ending.DELETED, NOW + HOUR)
    seen = view(lab, id)
    assert (seen.ending, seen.reason, seen.ended_at) == (Ending.NOACK, "nobody pressed Connect", NOW)


def test_a_failed_one_stays_failed_with_its_reason(lab: Store) -> None:
    id = must_reserve(lab).reservation
    end(lab, id, Ending.FAILED, reason="copying the disk: no space")
    twice(lab, lambda s: reservations.finished(s, id, NOW))
    seen = view(lab, id)
    assert (seen.state, seen.reason) == (ReservationState.FAILED, "copying the disk: no space")


def test_a_computer_that_could_not_be_verified_goes_to_nobody(lab: Store) -> None:
    id = make_inuse(lab)
    end(lab, id)
    twice(lab, lambda s: reservations.finished(s, id, NOW, verified=False, detail="vCenter refuses to destroy it"))
    there = computer(lab)
    assert (there.state, there.holder) == (ComputerState.MAINTENANCE, "")
    assert "vCenter refuses" in there.why_out_of_service
    assert must_reserve(lab).target.computer == "vm02"


def test_finished_without_an_end_is_a_failure(lab: Store) -> None:
    id = make_ready(lab)
    twice(lab, lambda s: reservations.finished(s, id, NOW))
    assert (view(lab, id).state, view(lab, id).ending) == (ReservationState.FAILED, Ending.FAILED)
    with lab.read() as session:
        assert all(session.scalars(sa.select(Claim.released)))


def test_finishing_late_does_not_touch_the_next_holder(lab: Store) -> None:
    first = make_inuse(lab)
    end(lab, first)
    lab.run(lambda s: tenures.release(s, "vm01", 1, NOW))
    lab.run(lambda s: catalog_state(s, ComputerState.AVAILABLE))
    second = make_inuse(lab)
    lab.run(lambda s: reservations.finished(s, first, NOW))
    assert (computer(lab).state, computer(lab).holder, computer(lab).tainted) == (ComputerState.INUSE, second, True)


def catalog_state(session: Session, state: ComputerState) -> None:
    from vclab.store import models

    session.get_one(models.Computer, "vm01").state = state


def test_what_comes_after_the_end_changes_nothing(lab: Store) -> None:
    id = must_reserve(lab).reservation
    end(lab, id, Ending.DELETED)
    before = view(lab, id)
    late: Iterable[Callable[[Session], object]] = (
        lambda s: reservations.ready(s, id, FACTS, NOW),
        lambda s: reservations.acknowledged(s, id, HERE, ALICE, NOW),
        lambda s: reservations.access_opened(s, id, HERE, NOW),
        lambda s: reservations.connected(s, id, NOW),
        lambda s: reservations.disconnected(s, id, NOW),
    )
    for change in late:
        lab.run(change)
    assert view(lab, id) == before
    assert not computer(lab).tainted
    assert "has ended" in refused(extend(lab, id, NOW + 2 * HOUR))


def test_an_unknown_reservation(lab: Store) -> None:
    changes: Iterable[Callable[[Session], object]] = (
        lambda s: reservations.ready(s, "x", FACTS, NOW),
        lambda s: reservations.ended(s, "x", Ending.DELETED, "", NOW),
        lambda s: reservations.finished(s, "x", NOW),
        lambda s: reservations.held_target(s, "x"),
        lambda s: extension.extend(s, "x", NOW, ALICE, RULES, NOW),
    )
    for change in changes:
        with pytest.raises(NotFound, match="there is no reservation x"):
            lab.run(change)
    with lab.read() as session:
        assert reservations.view(session, "x") is None


def refused(outcome: datetime | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.text()


def test_extend_moves_end_claims_and_tenure(lab: Store) -> None:
    id = make_inuse(lab)
    later = NOW + 2 * HOUR
    assert extend(lab, id, later) == later
    assert extend(lab, id, later) == later  # again: the same
    assert view(lab, id).end == later
    with lab.read() as session:
        assert set(session.scalars(sa.select(Claim.ends))) == {later + TURNAROUND}
        assert reservations.tenures_held(session)[0].expected_end == later + TURNAROUND


def test_acts_that_a_dead_worker_had_recorded_are_done_again_and_change_nothing(lab: Store) -> None:
    """It carried out three, and died before the server knew: the next worker begins with the first one."""
    id = make_inuse(lab)
    ends = {part: NOW + (1 + part / 4) * HOUR for part in (1, 2, 3)}

    def signal(part: int) -> datetime | Refusal:
        return lab.run(lambda s: extension.extend(s, id, ends[part], signalled(part), RULES, NOW))

    assert [signal(part) for part in ends] == list(ends.values())
    newest = ends[3]
    assert [signal(part) for part in ends] == [newest] * 3
    assert view(lab, id).end == newest
    with lab.read() as session:
        assert [event.what for event in audit.events(session, id)].count("extended") == 3


def test_extend_is_refused_with_the_latest_possible_end_in_the_users_zone(lab: Store) -> None:
    id = make_inuse(lab)
    text = refused(extend(lab, id, NOW + 2.5 * HOUR))
    assert text == (
        "it can't be extended to 2026-08-01 14:30 CEST: the limit is 1 h at a time;"
        " the latest possible end is 2026-08-01 14:00 CEST"
    )
    assert view(lab, id).end == NOW + HOUR


def test_six_hours_in_all(lab: Store) -> None:
    id = make_inuse(lab)
    for hours in (2, 3, 4, 5, 6):
        assert extend(lab, id, NOW + hours * HOUR) == NOW + hours * HOUR
    assert "can't be extended beyond 2026-08-01 18:00 CEST: the limit is 6 h in all" in refused(
        extend(lab, id, NOW + 6.5 * HOUR)
    )
    assert extend(lab, id, NOW + 9 * HOUR, operator=True) == NOW + 9 * HOUR
    assert "the limit is 730 d from now" in refused(extend(lab, id, NOW + 99999 * HOUR, operator=True))


def test_the_usual_load_does_not_count_in_the_six_hours(lab: Store) -> None:
    step = StepInput("vsphere.copy_disk", "…", must_reserve(lab).target, Facts(), 1, 1)
    lab.run(lambda s: load_log.started(s, step, 1, NOW))
    lab.run(lambda s: load_log.ended(s, step, 1, load_log.DONE, "", NOW + HOUR))
    placed = must_reserve(lab)
    assert placed.end == NOW + 2 * HOUR
    for hours in range(3, 8):
        assert extend(lab, placed.reservation, NOW + hours * HOUR) == NOW + hours * HOUR
    assert "6 h in all" in refused(extend(lab, placed.reservation, NOW + 7.1 * HOUR))


@pytest.mark.parametrize("operator", [False, True])
def test_nobody_passes_a_claim(lab: Store, operator: bool) -> None:
    """Two big machines fill the lab; a third is promised the first one's place when that ends."""
    first = must_reserve(lab, image="big")
    must_reserve(lab, image="big", hours=4)
    after = NOW + HOUR + TURNAROUND
    third = reserve(lab, image="big", now=after + timedelta(minutes=10))
    assert isinstance(third, Placed)
    text = refused(extend(lab, first.reservation, NOW + 2 * HOUR, operator))
    assert "another reservation has its place then; the latest possible end is 2026-08-01 13:10 CEST" in text
    assert extend(lab, first.reservation, NOW + HOUR + timedelta(minutes=10), operator) == NOW + HOUR * 7 / 6
    assert "can't be extended beyond 2026-08-01 13:10 CEST: another reservation has its place" in refused(
        extend(lab, first.reservation, NOW + 2 * HOUR, operator)
    )


def test_ends_that_make_no_sense(lab: Store) -> None:
    id = make_inuse(lab)
    assert "in the past" in refused(extend(lab, id, NOW - HOUR))
    assert "in the past" in refused(extend(lab, id, NOW))
    assert "only move to a later time" in refused(extend(lab, id, NOW + 0.5 * HOUR))
    assert "no time zone" in refused(extend(lab, id, (NOW + 2 * HOUR).replace(tzinfo=None)))
    assert view(lab, id).end == NOW + HOUR


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize("moment", [moment for moment, _ in EDGES])
def test_ends_at_the_edge_of_the_calendar(lab: Store, moment: datetime, operator: bool) -> None:
    id = make_inuse(lab)
    text = refused(extend(lab, id, moment, operator))
    assert ("the latest possible end is" if moment > NOW else "in the past") in text
    assert view(lab, id).end == NOW + HOUR


def test_a_zone_that_nobody_knows_is_utc(lab: Store) -> None:
    lab.run(lambda s: catalog.put_user(s, User("alice", 2001, zone="Mars/Olympus")))
    assert "12:30 UTC" in refused(extend(lab, make_inuse(lab), NOW + 2.5 * HOUR))


def test_a_text_with_nul_is_written(lab: Store) -> None:
    """PostgreSQL's text has none; a record that fails by it would be tried for ever."""
    id = make_inuse(lab)
    twice(lab, lambda s: reservations.ended(s, id, Ending.RELEASED, "ended by al\0ice", NOW, Author("al\0ice")))
    assert view(lab, id).ending is Ending.RELEASED
    with lab.read() as session:
        newest = audit.events(session, id)[-1]
    assert newest.who in ("al\0ice", "al\ufffdice")


def test_a_refusal_is_noted_and_shown_until_the_next_success(lab: Store) -> None:
    id = make_inuse(lab)
    twice(lab, lambda s: reservations.note_refusal(s, id, signalled(), "extend", "what is 'x'?", NOW))
    assert view(lab, id).reason == "what is 'x'?"
    with lab.read() as session:
        refusals = [e for e in audit.events(session, id) if e.what == "refused: extend"]
    assert len(refusals) == 1
    extend(lab, id, NOW + 2 * HOUR)
    assert view(lab, id).reason == ""


def test_lists(lab: Store) -> None:
    ids = [must_reserve(lab, user).reservation for user in ("alice", "bob", "alice")]
    end(lab, ids[0], Ending.DELETED)

    def listed(user: str | None = None, ended: bool = False, limit: int | None = None) -> list[str]:
        with lab.read() as session:
            return [v.id for v in reservations.views(session, user, ended, limit)]

    assert listed() == ids[1:]
    assert listed(ended=True) == ids
    assert listed(user="alice") == [ids[2]]
    assert listed(user="alice", ended=True) == [ids[0], ids[2]]
    assert listed(ended=True, limit=2) == ids[1:]
    with lab.read() as session:
        assert [v.id for v in reservations.open_reservations(session)] == ids
        assert reservations.count_open(session) == 2


@pytest.mark.parametrize("finished", [False, True])
def test_what_failed_is_listed_until_it_is_dismissed_or_its_end(lab: Store, finished: bool) -> None:
    placed = must_reserve(lab)
    other = must_reserve(lab, "bob")
    end(lab, placed.reservation, Ending.FAILED)
    if finished:
        lab.run(lambda s: reservations.finished(s, placed.reservation, NOW))

    def listed(now: datetime = NOW) -> list[str]:
        with lab.read() as session:
            return [v.id for v in reservations.views(session, now=now)]

    assert listed() == [placed.reservation, other.reservation]
    assert listed(placed.end) == [other.reservation]
    for _ in range(2):
        lab.run(lambda s: reservations.dismissed(s, other.reservation, Author("bob"), NOW))  # it has not failed
        lab.run(lambda s: reservations.dismissed(s, placed.reservation, ALICE, NOW))
    assert listed() == [other.reservation]
    assert (view(lab, placed.reservation).dismissed_at, view(lab, other.reservation).dismissed_at) == (NOW, None)
    with lab.read() as session:
        assert [e.who for e in audit.events(session, placed.reservation) if e.what == "dismissed"] == ["alice"]


def test_the_step_that_runs_is_shown(lab: Store) -> None:
    placed = must_reserve(lab)
    for number, name in enumerate(("vsphere.remove_previous", "vsphere.copy_disk"), 1):
        step = StepInput(name, name.upper(), placed.target, Facts(), number, 9)
        twice(lab, lambda s, step=step: load_log.started(s, step, 1, NOW))  # type: ignore[misc]
    seen = view(lab, placed.reservation)
    assert (seen.word, seen.step, seen.steps, seen.step_title) == ("Preparing (2/9)", 2, 9, "VSPHERE.COPY_DISK")
