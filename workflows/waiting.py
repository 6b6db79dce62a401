"""What a reservation waits for, in words: for the status query and for whoever reads the Temporal UI."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from temporalio import workflow

from vclab.model.messages import StatusView
from vclab.model.plans import Plan
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import Ending, ReservationState, word


@dataclass
class Progress:
    """Where a reservation stands. Every change is shown at once in the workflow's current details."""

    request: ReserveRequest
    state: ReservationState = ReservationState.NEW
    placed: Placed | None = None
    end: datetime | None = None
    ending: Ending | None = None
    plan: Plan | None = None
    step: int = 0
    waits_for: str = "a place"
    since: datetime | None = None
    until: datetime | None = None
    then: str = ""
    reason: str = ""
    access_open: bool = False
    needs_help: bool = False  #: an operator must say how it goes on

    def waits(self, what: str, seconds: float | None = None, then: str = "") -> None:
        """It waits for ``what`` from now on, for at most ``seconds``, and ``then`` happens."""
        self.waits_for, self.then, self.since = what, then, workflow.now()
        self.until = None if seconds is None else self.since + timedelta(seconds=seconds)
        self.show()

    def waits_for_the_end(self) -> None:
        """It waits for the end of the reservation, wherever that is moved to."""
        self.waits("the end of the reservation", None, "it ends")
        self.moved(self.end)

    def moved(self, end: datetime | None) -> None:
        """The end is there now."""
        if self.then == "it ends":
            self.until = end
        self.end = end
        self.show()

    def says(self, reason: str) -> None:
        """Something that people must know: a failure, a refusal."""
        self.reason = reason
        self.show()

    def word(self) -> str:
        """The word for where it stands."""
        steps = len(self.plan.steps) if self.plan else 0
        if self.ending is not None:
            return word(ReservationState.RECLAIM)
        return word(self.state, self.step, steps, needs_help=self.needs_help)

    def view(self) -> StatusView:
        """The answer to the status query."""
        plan = self.plan
        status = StatusView(
            state=self.state,
            word=self.word(),
            ending=self.ending or "",
            waits_for=self.waits_for,
            since=self.since,
            until=self.until,
            then=self.then,
            access_open=self.access_open,
            reason=self.reason,
        )
        if plan is None or self.state is not ReservationState.NEW:
            return status
        return replace(status, step=self.step, steps=len(plan.steps), seconds_left=self._seconds_left(plan))

    def _seconds_left(self, plan: Plan) -> float:
        """From past loads: the running step and those after it. Counted from ``since``: whoever asks knows the time,
        a workflow's clock stands still between its tasks."""
        if not plan.usual_seconds or not self.step:
            return 0.0
        return sum(s.usual_seconds for s in plan.steps[self.step - 1 :])

    def show(self) -> None:
        """Write the current details (markdown) that the Temporal UI shows."""
        lines = [f"### {self.word()}", f"**{self.request.image}** for **{self.request.user}**"]
        if self.placed is not None:
            target = self.placed.target
            if self.placed.held:
                lines.append(f"on **{target.computer}** (host {target.host}, generation {target.generation})")
            if self.placed.start is not None:
                lines.append(f"from {_time(self.placed.start)}")
        if self.end is not None:
            lines.append(f"until {_time(self.end)}")
        wait = f"waits for: {self.waits_for}"
        if self.since is not None:
            wait += f", since {_time(self.since)}"
        if self.until is not None:
            wait += f", until {_time(self.until)}"
        lines.append(wait + (f"; then: {self.then}" if self.then else ""))
        if self.reason:
            lines.append(f"> {self.reason}")
        workflow.set_current_details("\n\n".join(lines))


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")
