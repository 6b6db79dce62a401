"""What a reservation waits for, in words: for the memo, the status query and whoever reads the Temporal UI."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from temporalio import workflow

from vclab.model.messages import StatusView, Told, ToldStep
from vclab.model.plans import Plan
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import Ending, ReservationState, word
from workflows import profiles

TOLD_TEXT = 1000
"""So many letters of a remark are in the memo: the server wants it small, and a refusal may name hundreds of hosts."""


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
    ceiling: float = 0.0  #: the setting for a step, in seconds
    loads_since: datetime | None = None  #: steps run one after the other since then; None: something else is done
    waits_for: str = "a place"
    since: datetime | None = None
    until: datetime | None = None
    then: str = ""
    reason: str = ""
    access_open: bool = False
    needs_help: bool = False  #: an operator must say how it goes on

    def waits(self, what: str, seconds: float | None = None, then: str = "") -> None:
        """It waits for ``what`` from now on, for at most ``seconds``, and ``then`` happens."""
        self.waits_for, self.then, self.since, self.loads_since = what, then, workflow.now(), None
        self.until = None if seconds is None else self.since + timedelta(seconds=seconds)
        self.show()

    def loads(self, step: int, then: str) -> None:
        """This step of the plan runs from now on, and ``then`` happens when it fails."""
        assert self.plan is not None
        running, since = self.plan.steps[step - 1], self.loads_since
        self.step = step
        self.waits(running.title, profiles.step_ceiling(running, self.ceiling), then)
        self.loads_since = since or self.since

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

    def told(self) -> Told:
        """What stands in the memo: as the answer to the query, but the same for all steps of a load."""
        status = self.view()
        if len(status.reason) > TOLD_TEXT:
            status = replace(status, reason=f"{status.reason[:TOLD_TEXT]}…")
        if self.loads_since is None or self.plan is None:
            return Told(status)
        steps = tuple(
            ToldStep(s.name, s.title, profiles.step_ceiling(s, self.ceiling), s.usual_seconds) for s in self.plan.steps
        )
        between = replace(
            status, waits_for="the next step of its load", since=self.loads_since, until=None, step=0, seconds_left=0.0
        )
        return Told(replace(between, word=word(self.state, 0, len(steps))), steps)

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
