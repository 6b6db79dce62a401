"""Which acknowledged addresses nobody uses any more."""

import pytest

from vclab.model.addresses import left


@pytest.mark.parametrize(
    ("acknowledged", "seen", "gone"),
    [
        ((), (), ()),
        (("203.0.113.1",), (), ()),
        (("203.0.113.1", "203.0.113.2"), ("203.0.113.1",), ()),
        (("203.0.113.1", "203.0.113.2"), ("203.0.113.2",), ("203.0.113.1",)),
        (("203.0.113.1", "203.0.113.2"), (), ("203.0.113.1",)),
        (("203.0.113.0/28", "198.51.100.7"), ("203.0.113.9",), ()),
        (("203.0.113.5/28", "198.51.100.7"), ("203.0.113.16",), ("203.0.113.5/28",)),
        (("2001:db8::/64", "203.0.113.1"), ("2001:db8::17",), ()),
        (("2001:db8::1", "203.0.113.1", "203.0.113.2"), ("203.0.113.1",), ("2001:db8::1",)),
    ],
)
def test_left(acknowledged: tuple[str, ...], seen: tuple[str, ...], gone: tuple[str, ...]) -> None:
    """A prefix covers the addresses within; the newest stays."""
    assert left(acknowledged, seen) == gone
