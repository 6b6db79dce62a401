"""What is said of reservations while they change: the time that is left, and what keeps them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from vclab.cli import progress
from vclab.cli.progress import Lines, Remarks, pause, sentence
from vclab.contract.looks import CurrentStatus, Look
from vclab.model.messages import StatusView
from vclab.model.reservations import ReservationView
from vclab.model.states import ReservationState, Word
from vclab.service.backend import Backend
from vclab.service.looks import look_at

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
VIEW = ReservationView("r1", "alice", "debian-12", 1, ReservationState.NEW, "Preparing (2/8)", NOW, NOW, NOW + MINUTE)
STATUS = StatusView("new", "Preparing (2/8)", step=2, steps=8, waits_for="Copy the image's disk")


def seen(status: StatusView | None = None, why_not: str = "", **view: object) -> Look:
    """A look at alice's reservation; ``view``: what is otherwise in the store."""
    return Look.at(replace(VIEW, **view), CurrentStatus.of(status, why_not))  # type: ignore[arg-type]


def test_while_it_is_prepared_the_time_until_it_is_ready_is_shown() -> None:
    spent = replace(STATUS, since=NOW - timedelta(seconds=12), until=NOW + 9 * MINUTE, then="it needs help")
    assert sentence(seen(spent), NOW) == "Preparing (2/8): Copy the image's disk — for 12 s", (
        "nothing is known of others"
    )
    timed = replace(spent, seconds_left=30.0)
    assert sentence(seen(timed), NOW) == "Preparing (2/8): Copy the image's disk — about 18 s left"
    late = sentence(seen(replace(timed, seconds_left=10.0)), NOW)
    assert late == "Preparing (2/8): Copy the image's disk — for 12 s, unusually long"


def test_while_it_is_the_users_the_time_until_it_ends_is_shown() -> None:
    ready = StatusView(
        "reserved", "Ready", waits_for="Connect", since=NOW - MINUTE, until=NOW + 14 * MINUTE, then="it ends as noack"
    )
    assert sentence(seen(ready, state=ReservationState.RESERVED), NOW) == "Ready; waits for Connect — 14 min left"
    used = StatusView("inuse", "In use", waits_for="the end of the reservation", since=NOW - MINUTE, then="it ends")
    found = seen(used, state=ReservationState.INUSE, word="In use", end=NOW + 90 * MINUTE)
    assert sentence(found, NOW) == "In use; waits for the end of the reservation — 1 h 30 min left"
    opening = StatusView("reserved", "Ready", waits_for="access for 192.0.2.1", since=NOW - MINUTE, until=NOW + MINUTE)
    text = sentence(seen(opening, state=ReservationState.RESERVED), NOW)
    assert text == "Ready; waits for access for 192.0.2.1 — for 1 min", "nothing ends then"


def test_what_needs_help_has_no_time_left_until_it_is_ready() -> None:
    status = StatusView(
        "new", "Needs help", waits_for="help", since=NOW, until=NOW + 120 * MINUTE, seconds_left=30.0, reason="no power"
    )
    found = seen(status)
    assert found.now is not None
    assert found.now.seconds_left is None
    assert found.waits_for_help
    assert sentence(found, NOW) == "Needs help: no power — 2 h left for an operator; `vclab end r1` cancels it"
    silent = seen(None, "no answer", word=Word.NEEDS_HELP, reason="no power", help_since=NOW, help_until=NOW + MINUTE)
    assert sentence(silent, NOW) == "Needs help: no power — 1 min left for an operator; `vclab end r1` cancels it"


def test_a_line_is_printed_when_something_but_the_clock_changes() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    for since in (NOW, NOW - MINUTE):
        lines.show([seen(replace(STATUS, since=since, seconds_left=3600.0))])
    lines.show([seen(replace(STATUS, step=3, word="Preparing (3/8)"))])
    assert [line.partition(":")[0] for line in said] == ["r1  Preparing (2/8)", "r1  Preparing (3/8)"]


def test_that_no_worker_works_on_it_is_said_once_and_that_one_does_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET", 0.0)
    said: list[str] = []
    remarks = Remarks(said.append)
    for why_not in ("", "no worker is running", "no worker is running", ""):
        remarks.on([seen(STATUS, why_not)])
    assert said == [
        "No progress: no worker is running (`vclab status` shows the workers). Still waiting.",
        "It goes on again.",
    ]
    remarks.on([seen(None, "the Temporal server does not answer")])
    assert said[2].startswith("No live answer: the Temporal server does not answer. What follows is from the database")


def test_programs_are_told_that_no_worker_works_on_it() -> None:
    found = CurrentStatus.of(STATUS, "no worker")
    assert (found.answered, found.why_not, found.waits_for) == (False, "no worker", "Copy the image's disk")
    assert CurrentStatus.of(STATUS).answered


class Installation:
    """Stands for the installation: its store, and what Temporal has to say."""

    def __init__(self, status: StatusView | None, why_not: str) -> None:
        self._said = status, why_not

    async def reservations(self, seconds: float) -> "Installation":
        return self

    async def look(self, reservation: str, seconds: float) -> tuple[StatusView | None, str]:
        return self._said

    async def read(self, question: object) -> tuple[ReservationView, None]:
        """As the store has it; it waits for no copy."""
        return replace(VIEW, step=2, steps=8, step_title="Copy the image's disk"), None


async def test_between_two_steps_the_last_one_that_began_is_shown() -> None:
    """The server knows of none then."""
    between = replace(STATUS, word="Preparing (0/8)", step=0, waits_for="the next step of its load")
    found = await look_at(cast(Backend, Installation(between, "")), "r1")
    assert sentence(found, NOW) == "Preparing (2/8): Copy the image's disk"


def test_watching_what_is_far_away_asks_seldom() -> None:
    """And more often towards its time."""

    def ahead(**until: float) -> Look:
        status = StatusView("scheduled", "Scheduled", waits_for="its time", until=NOW + timedelta(**until))
        return seen(status, state=ReservationState.SCHEDULED, word="Scheduled", start=NOW + timedelta(hours=9))

    assert pause([ahead(hours=3)], 1.0, NOW) == 30
    assert pause([ahead(seconds=100)], 1.0, NOW) == 10
    assert pause([ahead(seconds=1)], 1.0, NOW) == 1
    silent = seen(None, "", state=ReservationState.SCHEDULED, word="Scheduled", start=NOW + timedelta(hours=9))
    assert pause([silent], 1.0, NOW) == 30
    assert pause([], 1.0, NOW) == 1
    assert sentence(ahead(hours=3), NOW) == "Scheduled; waits for its time — in 3 h"


def test_one_word_wherever_it_is_asked() -> None:
    """That it ends soon goes by the clock; what its workflow said an hour ago does not count."""
    status = StatusView("inuse", "In use", waits_for="the end of the reservation")
    found = seen(status, state=ReservationState.INUSE, word="Ending soon")
    assert sentence(found, NOW) == "Ending soon; waits for the end of the reservation"
