"""Reservations for later, by the command line: the real workflows on a real Temporal server."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cli.conftest import Command, Said, fill, log_in
from tests.cli.node import Node
from vclab.cli.app import run

TOMORROW = (datetime.now(UTC) + timedelta(days=2)).replace(hour=9, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One for all tests here."""
    made = Node(tmp_path_factory.mktemp("node"))
    made.store.run(fill)
    made.start_worker()
    yield made
    made.stop()


@pytest.fixture
def vclab(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, as alice in Berlin."""
    monkeypatch.setenv("VCLAB_CONFIG", str(node.settings_file))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log_in(monkeypatch, "root")

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        code = run(arguments)
        return Said(code, *capfd.readouterr())

    for view in call("--as", "olga", "list", "--everyone", "--json").json:
        call("--as", "olga", "end", view["id"])
    return call


def at(moment: datetime) -> str:
    return moment.isoformat()


def reserved(vclab: Command, *more: str, start: datetime = TOMORROW) -> dict[str, Any]:
    said = vclab("reserve", "debian-12", "--at", at(start), "--for", "1h", "--json", *more)
    assert said.code == 0, said
    view: dict[str, Any] = said.json
    return view


def test_reserve_for_later_returns_when_placed(vclab: Command) -> None:
    view = reserved(vclab)
    assert (view["state"], view["word"], view["computer"], view["host"]) == ("scheduled", "Scheduled", None, "esx1")
    assert view["start"] == f"{TOMORROW:%Y-%m-%dT%H:%M:%SZ}"
    assert view["end"] == f"{TOMORROW + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert view["preload_at"] == f"{TOMORROW - timedelta(minutes=35):%Y-%m-%dT%H:%M:%SZ}"


def test_reserve_for_later_for_people(vclab: Command) -> None:
    """A clock time is printed with its date, in the user's zone."""
    hour = (datetime.now(ZoneInfo("Europe/Berlin")).hour + 5) % 24  # so far ahead that no preload begins at once
    said = vclab("reserve", "debian-12", "--at", f"{hour}:30", "--for", "15m")
    assert said.code == 0, said
    times = rf"\d{{4}}-\d\d-\d\d {hour:02}:30 CES?T to {hour:02}:45 CES?T\n"
    assert re.search(f"Scheduled: debian-12, {times}", said.out), said
    assert "vclab move" in said.err
    listed = vclab("list").out
    start = rf"(\d{{4}}-\d\d-\d\d )?{hour:02}:30 CE"
    assert re.search(rf"IMAGE +STATE +START .*\n.* debian-12 +Scheduled +{start}", listed), listed
    shown = vclab("show", said.out.split()[0])
    assert "the time to prepare the computer" in shown.out
    assert "a computer is taken and loaded" in shown.out
    assert "Prepared from" in shown.out
    why = vclab("why", said.out.split()[0]).out
    assert "State        Scheduled" in why
    assert "Waits for    the time to prepare the computer" in why
    assert "Then         a computer is taken and loaded" in why


def test_a_start_in_the_past_is_refused_before_anything(vclab: Command) -> None:
    vclab("reserve", "debian-12", "--at", "2025-01-01T10:00").one_line_error(2, "is in the past")
    vclab("reserve", "debian-12", "--at", "soon").one_line_error(2, "is not a time")
    far = at(datetime.now(UTC) + timedelta(days=900))
    vclab("reserve", "debian-12", "--at", far).one_line_error(3, "later than 730 d from now")
    assert vclab("list", "--json").json == []


def test_moved_extended_and_ended(vclab: Command) -> None:
    name = reserved(vclab)["id"]
    later = TOMORROW + timedelta(hours=5)
    said = vclab("move", name, "--at", at(later))
    assert said.code == 0, said
    assert re.fullmatch(rf"{name}  starts \d{{4}}-\d\d-\d\d 1[56]:00 CES?T, ends 1[67]:00 CES?T\n", said.out), said
    assert vclab("extend", name, "--by", "30m").code == 0
    view = vclab("move", name, "--at", at(TOMORROW), "--json").json
    assert view["end"] == f"{TOMORROW + timedelta(minutes=90):%Y-%m-%dT%H:%M:%SZ}"
    vclab("move", name, "--at", "2025-01-01T10:00").one_line_error(2, "is in the past")
    assert vclab("end", name).out == f"{name}  Ended: deleted before Connect\n"
    vclab("move", name, "--at", at(later)).one_line_error(1, "has ended, deleted before Connect, and")
    (ended,) = [v for v in vclab("list", "--all", "--json").json if v["id"] == name]
    assert (ended["start"], ended["ending"]) == (view["start"], "deleted")


def test_one_at_one_time(vclab: Command) -> None:
    first = reserved(vclab)["id"]
    said = vclab("reserve", "debian-12", "--at", at(TOMORROW + timedelta(minutes=30)), "--for", "1h")
    said.one_line_error(3, f"at one time ({first})")
    reserved(vclab, start=TOMORROW + timedelta(hours=1))


def test_a_class_at_ten(vclab: Command) -> None:
    """As many as there are identities; the others are told."""
    many = "--count", "6", "--at", at(TOMORROW), "--for", "1h"
    said = vclab("--as", "olga", "reserve", "debian-12", *many, "--json")
    assert said.code == 3
    assert [d["state"] for d in said.json if "error" not in d] == ["scheduled"] * 4
    assert said.err.count("no identity") == 2
    refused = [d["refused"] for d in said.json if "error" in d]
    assert all(each["start"] < each["earliest"] and each["candidates"] for each in refused)
    assert refused[0] == vclab("--as", "olga", "why", refused[0]["id"], "--json").json
