"""Lab machines: one is promised as a whole."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vclab.model.reservations import Refusal
from vclab.placement import MachineRoom, Promise, choose_machine

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)


def at(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


def promised(starts: float, ends: float) -> Promise:
    return Promise(at(starts), at(ends), f"r{starts:g}")


def chosen(*machines: MachineRoom, starts: float = 0, ends: float = 1) -> str:
    outcome = choose_machine(at(starts), at(ends), machines)
    assert isinstance(outcome, MachineRoom), outcome
    return outcome.name


def test_the_smallest_gap_that_holds_it_is_taken() -> None:
    free, later, soon = (
        MachineRoom("labs", "a"),
        MachineRoom("labs", "b", promises=(promised(5, 6),)),
        MachineRoom("labs", "c", promises=(promised(1, 2),)),
    )
    assert chosen(free, later, soon) == "c"
    assert chosen(free, later, soon, ends=2) == "b"
    assert chosen(free, later, soon, ends=5.5) == "a"
    assert chosen(MachineRoom("labs", "z"), free) == "a"


def test_a_refusal_names_each_machine_and_all_that_keeps_it() -> None:
    machines = [
        MachineRoom("labs", "lab02", ("is in maintenance: fan",)),
        MachineRoom("labs", "lab01", ("somebody is logged in at it",), (promised(-1, 0.5), promised(0.5, 3))),
    ]
    refusal = choose_machine(at(0), at(1), machines)
    assert isinstance(refusal, Refusal)
    assert refusal.text() == (
        "no lab machine is free at that time (labs/lab01: somebody is logged in at it, is promised to r-1 until "
        "2026-08-01 10:30 UTC, is promised to r0.5 until 2026-08-01 13:00 UTC; labs/lab02: is in maintenance: fan)"
    )


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=6), st.integers(0, 20), st.integers(1, 5))
def test_what_is_chosen_never_overlaps_a_promise(taken: list[tuple[int, int]], starts: int, length: int) -> None:
    promises = tuple(promised(begin, begin + hours) for begin, hours in taken)
    outcome = choose_machine(at(starts), at(starts + length), [MachineRoom("labs", "lab01", promises=promises)])
    overlaps = any(begin < starts + length and starts < begin + hours for begin, hours in taken)
    assert isinstance(outcome, Refusal) is overlaps
