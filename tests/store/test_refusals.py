"""A refusal says from when on there is room, and is kept."""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.store.lab import ALICE, HOUR, NOW, OLGA, RULES, TURNAROUND, inventory, must_reserve, reserve, seed
from tests.store.test_failures import TARGET
from vclab.model.ids import new_id
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.states import Ending
from vclab.store import Store, failures, placement, refusals, reservations


def refused(outcome: Placed | Refusal) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    return outcome


PRELOAD = timedelta(minutes=35)


def fits(lab: Store, at: datetime, hours: float = 1) -> bool:
    return isinstance(reserve(lab, image="big", hours=hours, now=at), Placed)


def test_there_is_room_when_the_first_one_that_is_in_the_way_ends(lab: Store) -> None:
    must_reserve(lab, image="big", hours=3)
    must_reserve(lab, image="big", hours=2)
    refusal = refused(reserve(lab, image="big", hours=1))
    assert refusal.earliest == NOW + 2 * HOUR + TURNAROUND
    assert "no room for this machine now; there is room from 2026-08-01 14:06 CEST on, for 1 h (lab-" in refusal.text()
    assert not fits(lab, refusal.earliest - timedelta(microseconds=1))
    assert fits(lab, refusal.earliest)


def test_room_that_comes_much_later_is_found_too(lab: Store) -> None:
    for days in (40, 3):
        must_reserve(lab, image="big", hours=days * 24)
    assert refused(reserve(lab, image="big", hours=1)).earliest == NOW + 72 * HOUR + TURNAROUND
    assert refused(reserve(lab, image="big", hours=1000)).earliest == NOW + 72 * HOUR + TURNAROUND


def test_there_is_none_when_no_host_is_large_enough(lab: Store) -> None:
    refusal = refused(reserve(lab, image="big", inventories=(inventory(memory_mb=4096),)))
    assert (refusal.earliest, refusal.hint) == (None, "")


def test_an_identity_that_comes_back_counts_and_an_overrun_does_not(store: Store) -> None:
    store.run(lambda s: seed(s, identities=2))
    must_reserve(store, hours=2)
    first = must_reserve(store, hours=1)
    assert refused(reserve(store)).earliest == NOW + HOUR + TURNAROUND
    store.run(lambda s: reservations.ended(s, first.reservation, Ending.DELETED, "", NOW))
    assert refused(reserve(store, now=NOW + 1.5 * HOUR)).earliest == NOW + 2 * HOUR + TURNAROUND


def own(lab: Store, hours: float, start: datetime | None = None, now: datetime = NOW) -> Placed | Refusal:
    """Within the limits of the user: one at a time."""
    request = ReserveRequest(new_id(), "alice", "big", hours * 3600, start=start)
    return lab.run(lambda s: placement.place(s, request, ALICE, (inventory(),), RULES, now))


def test_when_the_users_own_limit_and_the_room_allow_it(lab: Store) -> None:
    """Not between two of their own if that is too short, and not before others leave."""
    for hours, start in ((1, None), (1, NOW + 2.5 * HOUR)):
        assert isinstance(own(lab, hours, start), Placed)
    refusal = refused(own(lab, 1))
    assert refusal.earliest == NOW + HOUR, "as soon as the first one has ended"
    assert "at one time" in refusal.reason
    assert refusal.hint == "there is room from 2026-08-01 13:01 CEST on, for 1 h"
    assert isinstance(own(lab, 1, now=refusal.earliest), Placed)
    assert refused(own(lab, 2)).earliest == NOW + 3.5 * HOUR, "between the two there is an hour and a half"


def test_when_the_room_allows_it_after_the_users_own_limit(lab: Store) -> None:
    """Another one may be had in an hour, but all hosts are promised to others then."""
    assert isinstance(own(lab, 1), Placed)
    must_reserve(lab, "bob", "big", hours=3)
    request = ReserveRequest(new_id(), "carol", "big", 7200, start=NOW + 1.7 * HOUR)
    assert isinstance(lab.run(lambda s: placement.place(s, request, OLGA, (inventory(),), RULES, NOW)), Placed)
    refusal = refused(own(lab, 1))
    assert refusal.earliest == NOW + 3 * HOUR + TURNAROUND
    assert "at one time" in refusal.reason
    later = refused(own(lab, 1, NOW + HOUR / 2))
    assert later.earliest == NOW + 3 * HOUR + TURNAROUND + PRELOAD, "a start has its preload before"
    assert isinstance(own(lab, 1, later.earliest), Placed)


def test_a_request_that_is_wrong_in_itself_has_no_time(lab: Store) -> None:
    assert refused(reserve(lab, image="plan9")).earliest is None
    assert refused(reserve(lab, hours=float("nan"))).earliest is None


def test_it_is_kept_with_all_candidates_and_only_its_user_can_change_it(lab: Store) -> None:
    must_reserve(lab, image="big")
    must_reserve(lab, image="big", hours=2)
    id = new_id()
    refusal = refused(reserve(lab, image="big", id=id))
    refused(reserve(lab, user="bob", image="plan9", id=id))
    with lab.read() as session:
        kept = refusals.refused(session, id)
        assert refusals.refused(session, "another") is None
    assert kept is not None
    assert (kept.user, kept.image, kept.seconds, kept.start, kept.at) == ("alice", "big", 3600, None, NOW)
    assert (kept.refusal.reason, kept.refusal.earliest) == (refusal.reason, NOW + HOUR + TURNAROUND)
    assert kept.refusal.candidates == refusal.candidates
    assert len(kept.refusal.candidates) == 2


def test_a_refused_request_names_its_suspect_revision(lab: Store) -> None:
    for host in ("esx1", "esx2"):
        target = replace(TARGET, reservation=host, image="big", host=host)
        lab.run(lambda s, t=target: failures.note(s, t, "linux.post_load", "no nft", True, NOW))  # type: ignore[misc]
    must_reserve(lab, image="big")
    second = must_reserve(lab, image="big")
    hint = refused(reserve(lab, image="big")).hint
    assert "; revision 1 of big is suspect: its last loads failed inside the machine on esx1, esx2" in hint
    lab.run(lambda s: reservations.ready(s, second.reservation, Facts(), NOW))
    assert "suspect" not in refused(reserve(lab, image="big")).hint
