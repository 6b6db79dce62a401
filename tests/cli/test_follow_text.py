"""What is told of a reservation that nobody works on, and between two steps of its load."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from vclab.cli import follow
from vclab.cli.context import Lab
from vclab.cli.follow import Remarks, Seen, look, sentence
from vclab.cli.output import status_json
from vclab.model.messages import StatusView
from vclab.model.reservations import ReservationView
from vclab.model.states import ReservationState

NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)
VIEW = ReservationView("r1", "alice", "debian-12", 1, ReservationState.NEW, "Preparing (2/8)", NOW, NOW, NOW)
STATUS = StatusView("new", "Preparing (2/8)", step=2, steps=8, waits_for="Copy the image's disk")


class Told:
    """Stands for the installation: its store, and what Temporal has to say."""

    def __init__(self, status: StatusView | None, why_not: str) -> None:
        self._said = status, why_not

    async def reservations(self, seconds: float) -> "Told":
        return self

    async def look(self, reservation: str, seconds: float) -> tuple[StatusView | None, str]:
        return self._said

    def reservation(self, name: str) -> ReservationView:
        return replace(VIEW, step=2, steps=8, step_title="Copy the image's disk")


def test_that_nobody_works_on_it_is_said_once_and_that_somebody_does_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "QUIET", 0.0)
    said: list[str] = []
    remarks = Remarks(said.append)
    for seen in (
        Seen(VIEW, STATUS),
        Seen(VIEW, STATUS, "no worker"),
        Seen(VIEW, STATUS, "no worker"),
        Seen(VIEW, STATUS),
    ):
        remarks.on([seen])
    assert said == ["Nobody works on it: no worker (`vclab status` tells). Still waiting.", "It goes on again."]
    remarks.on([Seen(VIEW, None, "the Temporal server does not answer")])
    assert said[2].startswith(
        "No live answer (the Temporal server does not answer). What follows is the database's view"
    )


def test_programs_are_told_that_nobody_works_on_it() -> None:
    found = status_json(STATUS, "no worker")
    assert (found["answered"], found["why_not"], found["waits_for"]) == (False, "no worker", "Copy the image's disk")
    assert status_json(STATUS)["answered"]


async def test_between_two_steps_the_last_one_that_began_is_shown() -> None:
    """The server knows of none then."""
    between = replace(STATUS, word="Preparing (0/8)", step=0, waits_for="the next step of its load")
    seen = await look(cast(Lab, Told(between, "")), "r1")
    assert sentence(seen, NOW) == "Preparing (2/8): Copy the image's disk"
