"""Eight processes at once try to get past claims, tenures and capacity. Afterwards the rows are looked at."""

from collections import Counter
from itertools import pairwise

import pytest
import sqlalchemy as sa

from tests.store import racers
from tests.store.lab import seed
from tests.store.racers import PROCESSES, race
from vclab.store import Store, catalog
from vclab.store.models import Claim, Pool, Reservation, Tenure


def test_claims_on_one_computer_never_overlap(store: Store, url: str) -> None:
    store.run(lambda s: catalog.put_lab_computer(s, "lab1"))
    won = race(racers.claim_and_move, url)
    with store.read() as session:
        kept = session.execute(
            sa.select(Claim.starts, Claim.ends).where(Claim.released.is_(False)).order_by(Claim.starts)
        ).all()
        assert session.scalar(sa.select(sa.func.count()).select_from(Claim)) == sum(won)
    assert len(kept) > 5
    assert all(earlier.ends <= later.starts for earlier, later in pairwise(kept))


def test_a_tenure_has_one_holder_at_a_time(store: Store, url: str) -> None:
    store.run(lambda s: catalog.put_lab_computer(s, "lab1"))
    generations = [generation for answer in race(racers.take_and_release, url) for generation in answer]
    assert sorted(generations) == list(range(1, 5 * PROCESSES + 1))
    with store.read() as session:
        assert session.scalars(sa.select(Tenure).where(Tenure.released_at.is_(None))).all() == []


@pytest.mark.parametrize("room", [24, 9])
def test_placements_never_overbook_and_never_fail_needlessly(store: Store, url: str, room: int) -> None:
    """24 placements at once on pools that nobody has seen before: as many as there is room for get one."""
    store.run(lambda s: seed(s, identities=room))
    places = [place for answer in race(racers.place_three, url) for place in answer]
    assert len(places) == len({computer for computer, _ in places}) == room
    assert max(Counter(host for _, host in places).values()) <= 8
    check_promises(store)


def test_one_room_for_eight(store: Store, url: str) -> None:
    """The last place of the lab, wanted by all at once, goes to exactly one; the others are refused."""
    store.run(seed)
    assert Counter(race(racers.place_big, url)) == {True: 1, False: PROCESSES - 1}
    check_promises(store)


def test_one_user_at_a_time_has_one_reservation(store: Store, url: str) -> None:
    store.run(seed)
    assert Counter(race(racers.place_limited, url)) == {True: 1, False: PROCESSES - 1}


def test_the_same_id_eight_times_is_one_reservation(store: Store, url: str) -> None:
    store.run(seed)
    assert set(race(racers.place_same_id, url)) == {"vm01"}
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Claim)) == 2


def check_promises(store: Store) -> None:
    """What is promised at any moment is within each limit; each reservation holds its own computer."""
    with store.read() as session:
        held = session.execute(sa.select(Tenure.computer, Tenure.holder)).all()
        rows = session.execute(sa.select(Reservation.computer, Reservation.id)).all()
        assert sorted(map(tuple, held)) == sorted(map(tuple, rows))
        for pool in session.scalars(sa.select(Pool)):
            mine = session.scalars(sa.select(Claim).where(Claim.pool == pool.name)).all()
            for moment in {claim.starts for claim in mine}:
                now = [claim for claim in mine if claim.starts <= moment < claim.ends]
                assert sum(claim.cpus for claim in now) <= pool.cpus
                assert sum(claim.memory_mb for claim in now) <= pool.memory_mb
                assert sum(claim.disk_gb for claim in now) <= pool.disk_gb
