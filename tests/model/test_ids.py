"""Ids of reservations."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from vclab.model import ids
from vclab.model.ids import ALPHABET, is_id, new_id


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last id of this process is forgotten."""
    monkeypatch.setattr(ids, "_last", 0)


def test_short_lower_case_and_without_look_alikes() -> None:
    made = new_id()
    assert len(made) == 11
    assert set(made) <= set(ALPHABET)
    assert not set(ALPHABET) & set("012iloz")
    assert list(ALPHABET) == sorted(ALPHABET)
    assert is_id(made)


def test_sorted_by_time() -> None:
    made = [new_id(now) for now in (1.75e9, 1.75e9 + 0.2, 1.75e9 + 3600, 1.8e9, 3.3e9)]
    assert made == sorted(made)
    assert {len(id) for id in made} == {11}


def test_in_one_tick_and_from_many_threads_all_differ_and_stay_in_order() -> None:
    made = [new_id(1.75e9) for _ in range(1000)]
    assert made == sorted(set(made))
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: new_id(1.75e9), range(1000)))) == 1000


def test_a_clock_that_goes_back() -> None:
    assert new_id(1.8e9) < new_id(1.7e9)


@pytest.mark.parametrize("text", ["", "A", "../x", "a/b", "a b", "-a", "ä", "a" * 32, "a\n"])
def test_what_can_not_be_an_id(text: str) -> None:
    assert not is_id(text)
