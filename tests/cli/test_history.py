"""``vclab history``: who had what."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.cli.conftest import DEBIAN, Command
from tests.store.lab import RULES
from vclab.cli.errors import Usage
from vclab.cli.times import parse_past
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import Ending
from vclab.store import placement, reservations
from vclab.store.engine import open_store

THEN = datetime(2025, 3, 1, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def past(store: Path) -> None:
    """Alice had vm01, whose public address changed; bob has it now."""
    opened = open_store(f"sqlite:///{store}")
    host = HostFacts("esx1", 16, 16384, True, "", ("ds1",))

    def place(id: str, user: str, now: datetime) -> None:
        request = ReserveRequest(id, user, DEBIAN.name, 3600)
        heard = (Inventory("vc1", now, (host,), (DatastoreFacts("ds1", 200, 200),)),)
        placed = opened.run(lambda s: placement.place(s, request, Author(user), heard, RULES, now))
        assert isinstance(placed, Placed), placed

    def ready(id: str, public: str, now: datetime) -> None:
        opened.run(lambda s: reservations.ready(s, id, Facts("10.77.0.5", public), now))

    place("r1", "alice", THEN)
    ready("r1", "203.0.113.5", THEN + MINUTE)
    ready("r1", "203.0.113.6", THEN + 5 * MINUTE)
    opened.run(lambda s: reservations.ended(s, "r1", Ending.RELEASED, "", THEN + 30 * MINUTE, Author("alice")))
    opened.run(lambda s: reservations.finished(s, "r1", THEN + 31 * MINUTE))
    place("r2", "bob", THEN + 40 * MINUTE)
    ready("r2", "203.0.113.5", THEN + 41 * MINUTE)
    opened.close()


@pytest.mark.usefixtures("past")
def test_who_had_it(vclab: Command) -> None:
    def who(*arguments: str) -> list[str]:
        return [stay["user"] for stay in vclab("history", "--json", *arguments).json]

    assert who("--computer", "vm01") == ["alice", "bob"]
    assert who("--user", "bob") == ["bob"]
    assert who("--address", "203.0.113.5") == ["alice", "bob"]
    assert who("--address", "203.0.113.5", "--at", "2025-03-01T10:02:00Z") == ["alice"]
    assert who("--address", "203.0.113.5", "--at", "2025-03-01T10:06:00Z") == []
    assert who("--address", "203.0.113.6", "--at", "2025-03-01T11:06:00+01:00") == ["alice"]
    assert who("--address", "10.77.0.5", "--at", "2025-03-01T10:50+00:00") == ["bob"]
    assert who("--at", "2025-03-01T10:10+00:00") == ["alice"]
    assert who("--computer", "vm01", "--limit", "1") == ["bob"]


@pytest.mark.usefixtures("past")
def test_what_is_told(vclab: Command) -> None:
    (stay,) = vclab("history", "--user", "alice", "--json").json
    assert stay["addresses"] == [
        {
            "private": "10.77.0.5",
            "public": "203.0.113.5",
            "from": "2025-03-01T10:01:00Z",
            "until": "2025-03-01T10:05:00Z",
        },
        {
            "private": "10.77.0.5",
            "public": "203.0.113.6",
            "from": "2025-03-01T10:05:00Z",
            "until": "2025-03-01T10:31:00Z",
        },
    ]
    assert (stay["holder"], stay["image"], stay["revision"], stay["host"]) == ("r1", "debian-12", 1, "esx1")
    assert (stay["from"], stay["until"]) == ("2025-03-01T10:00:00Z", "2025-03-01T10:31:00Z")
    assert (stay["ended"], stay["ending"]) == ("2025-03-01T10:30:00Z", "released")
    said = vclab("--as", "olga", "history", "--computer", "vm01").out
    assert "203.0.113.5 10.77.0.5 (until " in said
    assert "still held" in said
    assert "debian-12/1" in said


@pytest.mark.usefixtures("past")
def test_nobody_or_nothing_of_that_name(vclab: Command) -> None:
    said = vclab("history", "--address", "192.0.2.1")
    assert (said.code, said.out) == (0, "")
    assert "Nobody" in said.err
    assert "Nobody" in vclab("history", "--computer", "vm02").err
    vclab("history", "--computer", "vm77").one_line_error(4, "there is no computer 'vm77'")
    vclab("history", "--user", "☃").one_line_error(4, "there is no user")
    vclab("history").one_line_error(2, "name a computer")
    vclab("history", "--address", "nonsense").one_line_error(2, "is not an address")
    vclab("history", "--user", "bob", "--at", "yesterday").one_line_error(2, "is not a time")
    vclab("history", "--user", "bob", "--at", "9999-01-01").one_line_error(2, "is in the future")
    vclab("history", "--user", "bob", "--limit", "0").one_line_error(2, "limit")


def test_a_clock_time_is_its_last_occurrence() -> None:
    berlin, now = ZoneInfo("Europe/Berlin"), datetime(2026, 7, 10, 10, 0, tzinfo=UTC)
    assert parse_past("12:00", berlin, now) == now
    assert parse_past("12:01", berlin, now) == datetime(2026, 7, 9, 10, 1, tzinfo=UTC)
    assert parse_past("2026-01-31T18:30", berlin, now) == datetime(2026, 1, 31, 17, 30, tzinfo=UTC)
    back = datetime(2026, 10, 25, 1, 45, tzinfo=UTC)  # 02:45 for the second time
    assert parse_past("02:30", berlin, back) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert parse_past("02:50", berlin, back) == datetime(2026, 10, 25, 0, 50, tzinfo=UTC), "the first time"
    assert parse_past("2026-10-25T02:30", berlin, back + timedelta(days=9)) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    skipped = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
    assert parse_past("02:30", berlin, skipped) == datetime(2026, 3, 28, 1, 30, tzinfo=UTC), "the day before"
    for wrong in ("25:00", "", "0001-01-01T00:00+14:00"):
        with pytest.raises(Usage):
            parse_past(wrong, berlin, now)
