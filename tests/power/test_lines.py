"""What comes on a serial console becomes lines that can be shown."""

import pytest

from vclab.power.console import LONGEST, MOST, Lines


@pytest.mark.parametrize(
    ("held", "lines"),
    [
        (b"one\r\ntwo\nthree", ["one", "two", "three"]),
        (b"\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain\n", ["red and plain"]),
        (b"\x1b[2J\x1b[1;1HBIOS\x1b[5;10HPress F2\x1b[6;1H", ["BIOS", "Press F2"]),
        (b"10 %\r20 %\r20 %\r30 %", ["10 %", "20 %", "30 %"]),
        ("Grüße\n".encode(), ["Grüße"]),
        (b"\xff\xfe\x00bytes\n", ["\ufffd\ufffd bytes"]),
        ("\u202ereversed\n".encode(), ["reversed"]),
        (b"\n \n\t\n", []),
    ],
)
def test_lines_are_printable(held: bytes, lines: list[str]) -> None:
    whole = Lines()
    whole.feed(held)
    assert list(whole.last) == lines
    by_bytes = Lines()
    for byte in held:
        by_bytes.feed(bytes([byte]))
    assert by_bytes.last == whole.last


def test_they_have_bounds() -> None:
    lines = Lines()
    for number in range(2 * MOST):
        lines.feed(b"%d\n" % number)
    assert len(lines.last) == MOST and lines.last[-1] == str(2 * MOST - 1) and lines.count == 2 * MOST
    for _ in range(100):
        lines.feed(b"x" * 10_000)
    assert len(lines.last[-1]) <= LONGEST
    lines.feed(b"\n" + b"\x1b]" + b"y" * 100_000 + b"\nafter\n")
    assert lines.last[-1] == "after"


def test_what_is_new_is_returned() -> None:
    lines = Lines()
    assert lines.feed(b"login") == []
    assert lines.feed(b": \nroot\n") == ["login:", "root"]
