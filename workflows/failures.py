"""The text of a failure, for people."""

import asyncio
from collections.abc import Mapping

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    FailureError,
    RetryState,
    TimeoutError,
    TimeoutType,
)

from activities.watch import SAID, UNSEEN


def reason(error: BaseException) -> str:
    """The cause in one line: the activity's own text, or that it timed out and what its last attempt said."""
    if was_cancelled(error):
        return "cancelled"
    if isinstance(error, ActivityError) and timed_out(error):
        last = _last_word(error)
        return "it did not finish in time" + (f"; last: {last}" if last else "")
    return _text(error.cause if isinstance(error, ActivityError) and error.cause else error)


def _last_word(error: ActivityError) -> str:
    """What a look saw last; else what the last attempt said."""
    look, last = _look(error), _last(error)
    if look is not None:
        return look[SAID]
    return _text(last) if last else ""


def _text(error: BaseException) -> str:
    return error.message if isinstance(error, FailureError) else str(error) or type(error).__name__


def timed_out(error: ActivityError) -> bool:
    """True when it timed out, or its next attempt would have come too late."""
    return isinstance(error.cause, TimeoutError) or error.retry_state is RetryState.TIMEOUT


def not_taken_up(error: ActivityError) -> bool:
    """True when no worker took it up in time."""
    return isinstance(error.cause, TimeoutError) and error.cause.type is TimeoutType.SCHEDULE_TO_START


def was_cancelled(error: BaseException) -> bool:
    """True when the activity was stopped because we asked."""
    return isinstance(error, (asyncio.CancelledError, CancelledError)) or isinstance(
        getattr(error, "cause", None), CancelledError
    )


def is_fenced(error: FailureError) -> bool:
    """True when the computer is not ours any more: nothing may be done to it then."""
    last = _last(error)
    return isinstance(last, ApplicationError) and last.type == "Fenced"


def type_of(error: FailureError) -> str:
    """The type that the last attempt's failure has; empty: none of ours."""
    last = _last(error)
    return (last.type or "") if isinstance(last, ApplicationError) else ""


def could_not_look(error: ActivityError) -> bool:
    """True when a look timed out while the computer could not be looked at: nothing is known then."""
    word, last = _look(error), _last(error)
    if word is not None:
        return bool(word[UNSEEN])
    return isinstance(last, ApplicationError) and last.type == "CannotLook"


def _look(error: FailureError) -> Mapping[str, str] | None:
    """What the last heartbeat of a look said; None: there was none."""
    details = error.cause.last_heartbeat_details if isinstance(error.cause, TimeoutError) else ()
    known = details[1] if len(details) > 1 else {}
    return known if UNSEEN in known else None


def _last(error: FailureError) -> BaseException | None:
    """What the last attempt said."""
    return error.cause.cause if isinstance(error.cause, TimeoutError) else error.cause
