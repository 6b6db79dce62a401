"""What a reservation waits for, in words: for the memo, the status query and whoever reads the Temporal UI."""

from dataclasses import replace
from datetime import datetime

from vclab.model.life import State
from vclab.model.messages import Published, PublishedStep, StatusView
from vclab.model.plans import Plan
from vclab.model.reservations import ReserveRequest
from vclab.model.states import ReservationState, word
from workflows import profiles

LONGEST_REASON = 1000
"""Characters of a remark in the memo: the server wants it small, and a refusal may name hundreds of hosts."""


def shown_word(state: State) -> str:
    """The word for where it stands."""
    if state.ending is not None:
        return word(ReservationState.RECLAIM)
    steps = len(state.load.plan.steps) if state.load.plan else 0
    return word(state.state, state.load.step, steps, needs_help=state.mending.needs_help)


def view(state: State) -> StatusView:
    """The answer to the status query."""
    plan, wait = state.load.plan, state.wait
    status = StatusView(
        state=state.state,
        word=shown_word(state),
        ending=state.ending or "",
        waits_for=wait.what,
        since=wait.since,
        until=wait.until,
        then=wait.then,
        access_open=bool(state.let_in.granted),
        reason=state.reason,
    )
    if plan is None or state.state is not ReservationState.NEW:
        return status
    left = _seconds_left(plan, state.load.step)
    return replace(status, step=state.load.step, steps=len(plan.steps), seconds_left=left)


def published(state: State) -> Published:
    """What stands in the memo: as the answer to the query, but the same for all steps of a load."""
    status, plan, ceiling = view(state), state.load.plan, state.load.ceiling
    if len(status.reason) > LONGEST_REASON:
        status = replace(status, reason=f"{status.reason[:LONGEST_REASON]}…")
    if state.wait.steps_since is None or plan is None:
        return Published(status)
    steps = tuple(
        PublishedStep(s.name, s.title, profiles.step_ceiling(s, ceiling), s.usual_seconds) for s in plan.steps
    )
    between = replace(
        status,
        waits_for="the next step of its load",
        since=state.wait.steps_since,
        until=None,
        step=0,
        seconds_left=0.0,
    )
    return Published(replace(between, word=word(state.state, 0, len(steps))), steps)


def _seconds_left(plan: Plan, step: int) -> float:
    """From past loads: the running step and those after it. Counted from ``since``: whoever asks knows the time, a
    workflow's clock stands still between its tasks."""
    if not plan.usual_seconds or not step:
        return 0.0
    return sum(s.usual_seconds for s in plan.steps[step - 1 :])


def details(request: ReserveRequest, state: State) -> str:
    """The current details (markdown) that the Temporal UI shows."""
    lines = [f"### {shown_word(state)}", f"**{request.image}** for **{request.user}**"]
    if state.placed is not None:
        target = state.placed.target
        if state.placed.held:
            lines.append(f"on **{target.computer}** (host {target.host}, generation {target.generation})")
        if state.placed.start is not None:
            lines.append(f"from {_time(state.placed.start)}")
        lines.append(f"until {_time(state.placed.end)}")
    wait = state.wait
    text = f"waits for: {wait.what}"
    if wait.since is not None:
        text += f", since {_time(wait.since)}"
    if wait.until is not None:
        text += f", until {_time(wait.until)}"
    lines.append(text + (f"; then: {wait.then}" if wait.then else ""))
    if state.reason:
        lines.append(f"> {state.reason}")
    return "\n\n".join(lines)


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S UTC")
