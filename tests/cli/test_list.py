"""``vclab list``: its columns, its forms, and watching it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import DEBIAN, Command
from tests.cli.terminal import ADDRESS, HOST, place, terminal
from vclab.cli.tables import cells
from vclab.store import catalog
from vclab.store.engine import Store, open_store

ID, LATER = "3a4b5c6d7e8", "3a5b5c6d7e8"


@pytest.fixture
def placed(store: Path) -> Iterator[Store]:
    """Alice has a reservation that is ready."""
    opened = open_store(f"sqlite:///{store}")
    place(opened, ID, "alice")
    yield opened
    opened.close()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.usefixtures("placed", "installation")
def test_on_a_terminal_columns_drop_out(width: int) -> None:
    with terminal(width, "list") as command:
        assert command.wait() == 0, command.shown
    lines = [line for line in command.shown.splitlines() if "too narrow" not in line]
    assert all(cells(line) <= width for line in lines), command.shown
    assert ID in lines[1]
    assert ADDRESS in lines[1]
    assert (HOST in lines[1]) is (width == 120)
    assert ("too narrow for" in command.shown) is (width < 120)


@pytest.mark.usefixtures("installation")
def test_wide_characters_take_two_cells(placed: Store) -> None:
    placed.run(lambda s: catalog.put_image(s, replace(DEBIAN, name="db", title="数据库服务器，内存充足，磁盘空间充足")))
    with terminal(60, "images") as command:
        assert command.wait() == 0, command.shown
    heading, *rows = command.shown.splitlines()[:3]
    assert {cells(row) for row in rows} == {cells(heading.replace("DISK", "4 GiB"))}, command.shown
    assert "数据库" in command.shown
    assert "…" in command.shown


@pytest.mark.usefixtures("placed")
def test_forms(vclab: Command) -> None:
    assert vclab("list", "-o", "name").out == f"{ID}\n"
    heading, row = vclab("list", "--output", "wide").out.splitlines()
    assert " ".join(heading.split()) == (
        "ID USER IMAGE REVISION STATE CREATED START COMPUTER HOST ENDPOINT ADDRESS END"
    )
    assert (row.split()[:5], "vc1" in row) == ([ID, "alice", "debian-12", "1", "Ready"], True)
    vclab("list", "-o", "name", "--json").one_line_error(2, "--json and --output exclude each other")
    vclab("list", "-o", "long").one_line_error(2, "'wide'")


def test_no_names_are_no_line(vclab: Command, store: Path) -> None:
    said = vclab("list", "-o", "name")
    assert (said.code, said.out) == (0, "")


@pytest.mark.usefixtures("installation")
def test_a_list_on_a_terminal_is_watched_until_ctrl_c(placed: Store) -> None:
    with terminal(80, "list", "--watch") as command:
        command.until(ADDRESS)
        place(placed, LATER, "bob")
        place(placed, "3b5b5c6d7e8", "olga")
        assert command.interrupt() == 0
        assert "Traceback" not in command.shown
        assert LATER not in command.shown, "that is bob's"
        assert command.shown.count("\x1b[?25h") == command.shown.count("\x1b[?25l"), "the cursor is there again"


@pytest.mark.usefixtures("installation")
def test_for_programs_a_document_a_line_is_printed_whenever_something_changes(placed: Store) -> None:
    words = [sys.executable, "-c", "from tests.command import main; main()"]
    words += ["--as", "olga", "list", "--everyone", "--watch", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert [each["id"] for each in json.loads(command.stdout.readline())] == [ID]
        place(placed, LATER, "bob")
        assert [each["id"] for each in json.loads(command.stdout.readline())] == [ID, LATER]
        command.send_signal(2)
        assert command.stdout.read() == b""
        assert command.wait(30) == 0
