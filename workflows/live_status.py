"""What a reservation waits for, in words: for the memo, the status query and whoever reads the Temporal UI."""

from dataclasses import replace
from datetime import UTC
from textwrap import wrap

from vclab.model.life import State
from vclab.model.messages import Published, PublishedStep, StatusView
from vclab.model.plans import Plan
from vclab.model.reservations import ReserveRequest
from vclab.model.states import ReservationState, ending_words, word
from vclab.model.times import dated
from workflows import profiles

LONGEST_REASON = 1000
"""Characters of a remark in the memo: the server wants it small, and a refusal may name hundreds of hosts."""

WIDTH = 70
"""Characters that fit in a line of the UI's current details."""

BLANK = "\u00a0"
"""An empty line: the UI shows entities as they are written."""


def shown_word(state: State) -> str:
    """The word for where it stands."""
    if state.refusal and state.placed is None:
        return "Refused"
    if state.ending is not None:
        return word(ReservationState.RECLAIM)
    saving = state.saving is not None and not state.saving.taken
    steps = len(state.load.plan.steps) if state.load.plan and not saving else 0
    return word(state.state, state.load.step, steps, needs_help=state.mending.needs_help, saving=saving)


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
    """The current details (markdown) that the Temporal UI shows.

    The UI reckons their height by lines, and cuts off what does not fit: so lines are short, the first ones say what
    matters, and the last one is empty.
    """
    why = [_wrapped(state.reason)] if state.reason else []
    urgent = bool(state.refusal or state.ending) or state.mending.needs_help
    parts = [f"### {_headline(state)}", *(why if urgent else ()), *_wait(state)]
    parts += [_lines(f"**{request.image}** for **{request.user}**", *_place(state)), *(() if urgent else why), BLANK]
    return "\n\n".join(parts)


def _headline(state: State) -> str:
    if state.ending is None or state.ended_at is None:
        return shown_word(state)
    return f"Ended {dated(state.ended_at, UTC)}, {ending_words(state.ending)}"


def _wait(state: State) -> list[str]:
    wait, then = state.wait, f", then {state.wait.then}" if state.wait.then else ""
    if state.refusal and state.placed is None:
        return []
    lines = [_wrapped(doing(wait.what, is_step=wait.steps_since is not None))]
    if wait.since is not None:
        lines.append(f"since {dated(wait.since, UTC)}")
    if wait.until is not None:
        lines.append(_wrapped(f"at the latest until {dated(wait.until, UTC)}{then}"))
    return [_lines(*lines)]


def doing(what: str, is_step: bool) -> str:
    """``Waits for Connect``; of a load, the step that runs; of what is over, what has become of it."""
    if is_step:
        return f"Step: **{what}**"
    over = what.removeprefix("nothing: ")
    return f"Waits for **{what}**" if over == what else over[0].upper() + over[1:]


def _place(state: State) -> list[str]:
    if state.placed is None:
        return []
    target, placed, lines = state.placed.target, state.placed, []
    if placed.held:
        lines.append(f"on **{target.computer}** (host {target.host}, generation {target.generation})")
    if placed.start is not None:
        lines.append(f"from {dated(placed.start, UTC)}")
    return lines if state.ending else [*lines, f"ends {dated(placed.end, UTC)}"]


def _wrapped(text: str) -> str:
    """In lines that the UI does not break."""
    return _lines(*wrap(text[:LONGEST_REASON], WIDTH, break_on_hyphens=False))


def _lines(*lines: str) -> str:
    """One below the other, in one paragraph."""
    return "  \n".join(lines)
