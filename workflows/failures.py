"""What a failure says to people."""

import asyncio

from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError, TimeoutError


def reason(error: BaseException) -> str:
    """The cause in one line: the activity's own words, or that it took too long and what it last said."""
    if was_cancelled(error):
        return "cancelled"
    cause = error.cause if isinstance(error, ActivityError) and error.cause else error
    if isinstance(cause, TimeoutError):
        last = f"; last: {_text(cause.cause)}" if cause.cause else ""
        return f"it did not finish in time{last}"
    return _text(cause)


def _text(error: BaseException) -> str:
    return error.message if isinstance(error, FailureError) else str(error) or type(error).__name__


def timed_out(error: ActivityError) -> bool:
    """True when the activity was given up for lack of time."""
    return isinstance(error.cause, TimeoutError)


def was_cancelled(error: BaseException) -> bool:
    """True when the activity was stopped because we asked."""
    return isinstance(error, (asyncio.CancelledError, CancelledError)) or isinstance(
        getattr(error, "cause", None), CancelledError
    )


def could_not_look(error: ActivityError) -> bool:
    """True when a look timed out while the computer could not be looked at: nothing is known then."""
    last = error.cause.cause if isinstance(error.cause, TimeoutError) else None
    return isinstance(last, ApplicationError) and last.type == "CannotLook"
