"""Tables on terminals of any width: ids and addresses never break."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.store.lab import RULES
from vclab.cli.tables import Column, Fit, cells, cut, fold, lay_out, pairs_of
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, ReserveRequest
from vclab.store import reservations
from vclab.store.engine import Store, open_store

ID, ADDRESS = "3a4b5c6d7e8", "203.0.113.216"
WIDTHS = (40, 60, 80, 120)
COLUMNS = (Column("ID"), Column("TITLE", 2, Fit.CUT), Column("ADDRESS", 1), Column("REASON", fit=Fit.FOLD))
ROWS = [
    (ID, "Debian 12, server", ADDRESS, "the host esx1.example.org does not answer at 203.0.113.1, and rests"),
    ("9z8y7x6w5v4", "数据库服务器 ☃ naïve", "2001:db8::1", "空间不足"),
]


def test_text_is_as_wide_as_a_terminal_shows_it() -> None:
    assert [cells(text) for text in ("abc", "数据", "e\u0301", "☃", "")] == [3, 4, 1, 1, 0]
    assert cut("数据库服务器", 12) == "数据库服务器"
    assert cut("数据库服务器", 11) == "数据库服务…"
    assert cut("数据库服务器", 10) == "数据库服…"
    assert fold("one two three", 7) == ["one two", "three"]
    assert fold(f"at {ADDRESS}", 5) == ["at", ADDRESS]


@pytest.mark.parametrize("width", range(20, 130))
def test_no_line_is_longer_than_the_terminal_and_no_word_breaks(width: int) -> None:
    laid = lay_out(COLUMNS, ROWS, width)
    assert all(cells(line) <= width for line in laid.lines), "the longest word needs 20, below its row"
    text = "\n".join(laid.lines)
    assert ID in text
    for whole in (ADDRESS, "2001:db8::1"):
        assert whole in text or "ADDRESS" in laid.dropped
    for word in " ".join(row[-1] for row in ROWS).split():
        assert word in text.split(), "what must be read is never left out"


def test_columns_drop_out_one_after_the_other() -> None:
    dropped = {lay_out(COLUMNS, ROWS, width).dropped for width in range(20, 130)}
    assert dropped == {(), ("TITLE",), ("TITLE", "ADDRESS")}
    assert lay_out(COLUMNS, ROWS, 120).dropped == ()


def test_in_a_pipe_nothing_is_cut() -> None:
    long = "x" * 5000
    laid = lay_out(COLUMNS, [(ID, long, ADDRESS, f"{long} {long}")], None)
    assert laid.lines[1] == f"{ID}  {long}  {ADDRESS}  {long} {long}"


def test_a_cell_is_one_line_whatever_was_typed() -> None:
    assert lay_out([Column("A")], [("one\ntwo\x1b[31m",)], None).lines == ("A", "one two [31m")
    assert lay_out([Column("A"), Column("B")], [], 80).lines == ("A  B",)


def test_fields_are_folded_between_words() -> None:
    pairs = [
        ("Address", ADDRESS),
        ("Nothing", ""),
        ("Reason", "the host does not answer, and so it is tried elsewhere"),
    ]
    assert pairs_of(pairs, None) == [f"Address  {ADDRESS}", f"Reason   {pairs[2][1]}"]
    assert pairs_of(pairs, 40) == [
        f"Address  {ADDRESS}",
        "Reason   the host does not answer, and",
        "         so it is tried elsewhere",
    ]


# --- on a real terminal ---------------------------------------------------------------------------------------------


@pytest.fixture
def placed(store: Path) -> Iterator[Store]:
    """Alice has a reservation with an address."""
    opened = open_store(f"sqlite:///{store}")
    place(opened, ID, "alice")
    yield opened
    opened.close()


def place(opened: Store, id: str, user: str) -> None:
    """It is ready."""
    now, host = datetime.now(UTC), HostFacts("esx1.example.org", 16, 16384, True, "", ("ds1",))
    heard = Inventory("vc1", now, (host,), (DatastoreFacts("ds1", 200, 200),))
    request = ReserveRequest(id, user, "debian-12", 3600)
    outcome = opened.run(lambda s: reservations.place(s, request, Author(user), [heard], RULES, now))
    assert isinstance(outcome, Placed), outcome
    opened.run(lambda s: reservations.ready(s, id, Facts("10.77.0.5", ADDRESS), now))


@contextmanager
def terminal(width: int, *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
    """A command on a terminal of that width, and what it has shown since the last question."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    words = [sys.executable, "-c", "from vclab.cli.main import main; main()", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm"}, start_new_session=True
    )
    os.close(theirs)

    def read() -> str:
        try:
            return os.read(ours, 65536).decode()
        except OSError:  # it has ended
            return ""

    try:
        yield command, read
    finally:
        command.kill()
        command.wait()
        os.close(ours)


def shown(width: int, *arguments: str) -> str:
    """What a command shows on a terminal of that width."""
    with terminal(width, *arguments) as (command, read):
        text = ""
        while more := read():
            text += more
        assert command.wait(30) == 0, text
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.usefixtures("placed")
def test_a_list_on_a_terminal(width: int, installation: Path) -> None:
    text = shown(width, "list")
    lines = [line for line in text.splitlines() if "too narrow" not in line]
    assert all(cells(line) <= width for line in lines), text
    assert ID in lines[1]
    assert ADDRESS in lines[1]
    assert ("esx1.example.org" in lines[1]) is (width == 120)
    assert ("too narrow for" in text) is (width < 120)
