"""vclab's errors as Temporal failures. Texts are redacted first: a failure stays in a history for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError

from vclab.model import redaction
from vclab.model.errors import Fenced, NotFound, NotYet, Refused, StepFailed, VclabError

_FINAL = (Refused, StepFailed, Fenced, NotFound)
LONGEST = 2000
"""Characters of a text in a history."""


def redacted(text: str) -> str:
    """The text without what looks like a secret, and not longer than a failure should be."""
    return redaction.redacted(text)[:LONGEST]


def text_of(error: Exception) -> str:
    """The error in words; one that is not vclab's own with its type, because it is a bug in vclab or in a library."""
    kind, text = type(error).__name__, redacted(str(error) or type(error).__name__)
    return text if isinstance(error, VclabError) else f"{kind}: {text}"


def failure(error: Exception) -> ApplicationError:
    """An error as a failure. ``NotYet`` is benign and retried when it says; facts are final, weather is not."""
    if isinstance(error, ApplicationError):
        return error
    kind, text = type(error).__name__, text_of(error)
    if isinstance(error, NotYet):
        return ApplicationError(
            text,
            type=kind,
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=timedelta(seconds=error.next_look_seconds),
        )
    return ApplicationError(text, type=kind, non_retryable=isinstance(error, _FINAL))


@contextmanager
def failures(of_act: bool = False) -> Iterator[None]:
    """Raise every error inside as a redacted failure, without its cause: a cause would carry the bare text along.

    ``of_act``: what a person asks for is recorded. An error that nobody thought of is the answer then. It would be
    tried for ever otherwise, and meanwhile keep the reservation from its next record: its end among them.
    """
    try:
        yield
    except Exception as error:
        if of_act and not isinstance(error, (VclabError, FailureError)):
            text = f"a bug in vclab; nothing was changed: {type(error).__name__}: {error}"
            raise ApplicationError(redacted(text), type=type(error).__name__, non_retryable=True) from None
        raise failure(error) from None
