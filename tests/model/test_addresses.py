"""Which acknowledged addresses nobody uses any more, and by what peers are counted."""

import pytest

from vclab.model.addresses import counted, left


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


@pytest.mark.parametrize(
    ("peer", "by"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:ffff::7", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::7%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_counted(peer: str, by: str) -> None:
    """What a socket of both families says is an IPv4 address all the same, and a zone no other network."""
    assert counted(peer) == by
