"""The text of a failure, for people."""

import asyncio

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    FailureError,
    RetryState,
    TimeoutError,
    TimeoutType,
)


def reason(error: BaseException) -> str:
    """The cause in one line: the activity's own text, or that it timed out and what its last attempt said."""
    if was_cancelled(error):
        return "cancelled"
    if isinstance(error, ActivityError) and timed_out(error):
        last = _last(error)
        return "it did not finish in time" + (f"; last: {_text(last)}" if last else "")
    return _text(error.cause if isinstance(error, ActivityError) and error.cause else error)


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


def could_not_look(error: ActivityError) -> bool:
    """True when a look timed out while the computer could not be looked at: nothing is known then."""
    last = _last(error)
    return isinstance(last, ApplicationError) and last.type == "CannotLook"


def _last(error: FailureError) -> BaseException | None:
    """What the last attempt said."""
    return error.cause.cause if isinstance(error.cause, TimeoutError) else error.cause
