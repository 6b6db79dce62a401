"""A limit to how fast bytes travel."""

import time

import pytest

from vclab.library.pace import paced


def test_it_goes_no_faster_than_its_rate() -> None:
    seen: list[int] = []
    told = paced(lambda done, size: seen.append(done), 10 << 20)
    began = time.monotonic()
    for done in range(1, 5):
        told(done << 20, 4 << 20)
    assert time.monotonic() - began >= 0.4, "4 MiB at 10 MiB/s"
    assert sorted(set(seen)) == [1 << 20, 2 << 20, 3 << 20, 4 << 20]


def test_whoever_is_told_may_end_it_while_it_waits() -> None:
    calls = 0

    def told(done: int, size: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        paced(told, 1)(1 << 20, 1 << 20)  # twelve days


def test_without_a_rate_nothing_waits() -> None:
    def told(done: int, size: int) -> None:
        """Well."""

    assert paced(told, 0) is told
