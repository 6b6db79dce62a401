"""One look at a reservation: what the store knows, and what its workflow says at this moment."""

from typing import TYPE_CHECKING

from vclab.contract.views import Reservation, Time, View
from vclab.model.states import Word

if TYPE_CHECKING:
    from vclab.model.messages import StatusView
    from vclab.model.reservations import ReservationView


class CurrentStatus(View):
    """What runs and what is waited for, as the workflow says. All null when that could not be read."""

    answered: bool  #: false: there was no answer, or no worker seems to work on it; ``why_not`` says which
    why_not: str | None
    word: str | None  #: the state as people read it; null: there was no answer
    step: int | None  #: of the load that runs
    steps: int | None
    waits_for: str | None
    since: Time | None
    until: Time | None
    then: str | None  #: what happens at ``until``
    seconds_left: float | None  #: of the load, counted from ``since``, by past loads
    remark: str | None

    @classmethod
    def of(cls, status: "StatusView | None", why_not: str = "") -> "CurrentStatus":
        """What was answered, and why nothing was, or why no worker seems to work on it."""
        from vclab.model.messages import StatusView

        seen = status or StatusView("", "")
        estimate = 0.0 if seen.word == Word.NEEDS_HELP else seen.seconds_left  # nothing runs, so nothing is left
        return cls(
            answered=status is not None and not why_not,
            why_not=why_not or None,
            word=seen.word or None,
            step=seen.step or None,
            steps=seen.steps or None,
            waits_for=seen.waits_for or None,
            since=seen.since,
            until=seen.until,
            then=seen.then or None,
            seconds_left=estimate or None,
            remark=seen.reason or None,
        )


class Look(Reservation):
    """A reservation, and what its workflow says ``now``; null once the reservation has ended."""

    now: CurrentStatus | None
    capture: str | None = None  #: how far its capture is, for people

    @classmethod
    def at(cls, view: "ReservationView", now: CurrentStatus | None, capture: str = "") -> "Look":
        """What both say."""
        known = Reservation.of(view)
        return cls(**dict(known), now=None if known.ended else now, capture=capture or None)

    @property
    def waits_for_help(self) -> bool:
        """An operator must act before it goes on."""
        live = self.now.word if self.now else None
        return not self.ended and (live or self.word) == Word.NEEDS_HELP

    @property
    def settled(self) -> bool:
        """It is ready to connect to, or has ended."""
        return self.ended or self.ready

    @property
    def remark(self) -> str | None:
        """What is to be said of it: the newest of what workflow and store know."""
        return (self.now.remark if self.now else None) or self.reason
