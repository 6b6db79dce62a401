"""Acts with a key: done once, whoever asks again and whatever dies."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.lab import NOW
from vclab.store import Store, keyed_acts
from vclab.store.keyed_acts import HELD, KEPT, Keyed

SECOND = timedelta(seconds=1)
FRESH = Keyed("hash", "intent", "434abxamsyx", 0, "", True)
AGAIN = Keyed("hash", "another", "another", 0, "", True)


def begin(store: Store, fresh: Keyed = AGAIN, after: timedelta = timedelta(), actor: str = "alice") -> Keyed:
    return store.run(lambda s: keyed_acts.begin(s, actor, "key", fresh, NOW + after))


@pytest.fixture(autouse=True)
def begun(store: Store) -> None:
    """Somebody has asked."""
    assert begin(store, FRESH) == FRESH


def test_it_is_not_begun_twice(store: Store) -> None:
    assert begin(store, after=HELD - SECOND) == replace(FRESH, mine=False)


def test_the_first_answer_stays(store: Store) -> None:
    store.run(lambda s: keyed_acts.answer(s, "alice", "key", 200, "one"))
    store.run(lambda s: keyed_acts.answer(s, "alice", "key", 409, "two"))
    assert begin(store, after=KEPT - SECOND) == replace(FRESH, status=200, answer="one", mine=False)


def test_who_was_killed_at_it_is_followed_by_the_next_with_the_same_ids(store: Store) -> None:
    assert begin(store, after=HELD) == FRESH


def test_who_is_still_at_it_keeps_it(store: Store) -> None:
    store.run(lambda s: keyed_acts.hold(s, "alice", "key", NOW + 15 * SECOND))
    assert not begin(store, after=HELD + 10 * SECOND).mine


def test_what_was_let_go_is_done_again_with_the_same_ids(store: Store) -> None:
    store.run(lambda s: keyed_acts.let_go(s, "alice", "key"))
    assert begin(store) == FRESH


def test_something_else_is_not_done_with_the_same_key(store: Store) -> None:
    store.run(lambda s: keyed_acts.let_go(s, "alice", "key"))
    assert begin(store, replace(AGAIN, asked="other")) == replace(FRESH, mine=False)


def test_a_key_is_its_persons_own(store: Store) -> None:
    assert begin(store, actor="bob") == AGAIN


def test_after_a_day_a_key_is_new(store: Store) -> None:
    store.run(lambda s: keyed_acts.answer(s, "alice", "key", 200, "one"))
    assert begin(store, after=KEPT + SECOND) == AGAIN


def test_what_is_old_is_forgotten(store: Store) -> None:
    assert store.run(lambda s: keyed_acts.forget(s, NOW + KEPT - SECOND)) == 0
    assert store.run(lambda s: keyed_acts.forget(s, NOW + KEPT + SECOND)) == 1


def test_of_many_who_ask_at_once_one_does_it(store: Store) -> None:
    store.run(lambda s: keyed_acts.let_go(s, "alice", "key"))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: begin(store), range(8)))
    assert [each.mine for each in found].count(True) == 1
