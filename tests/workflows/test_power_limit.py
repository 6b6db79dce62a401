"""Switching a computer is not cut off before it has said what is wrong."""

from vclab.power.control import Limits
from workflows import power


def test_what_the_driver_says_comes_before_the_time_is_over() -> None:
    """A turn at the BMC, three answers (login, power, the last look), and a computer that never comes up."""
    limits = Limits()
    longest = limits.turn + 3 * limits.answer + max(limits.wake, limits.shut_down, limits.confirm)
    assert longest < power.LIMIT
