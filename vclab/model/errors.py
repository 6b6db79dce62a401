"""Errors of the house. Their text is for people: what failed, why, and what to do."""

from collections.abc import Mapping
from typing import Any, ClassVar


class VclabError(Exception):
    """Base of all errors that vclab raises on purpose. ``hint``: what to do about it; ``more``: for programs, as JSON
    has it."""

    code: ClassVar[str] = "failed"  #: stable, for programs

    def __init__(self, message: str = "", hint: str = "", more: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message, self.hint, self.more = message, hint, more or {}


class Invalid(VclabError):
    """What was asked is not understood, or can't be meant. Nothing was touched."""

    code = "invalid"


class Failed(VclabError):
    """What was asked about has failed or has ended."""


class Refused(VclabError):
    """The request can't be met, and trying again unchanged will not help. Nothing was touched."""

    code = "refused"


class Forbidden(Refused):
    """Who asks may not do this."""

    code = "forbidden"


class Unauthenticated(VclabError):
    """It is not known who asks: no token, or one that is worth nothing (any more)."""

    code = "unauthenticated"


class TooMany(VclabError):
    """Too many attempts; the next one is taken in ``retry_after`` seconds."""

    code = "too_many"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, f"try again in {max(1, round(retry_after))} s")
        self.retry_after = max(1, round(retry_after))


class NotYet(VclabError):
    """A look found that the awaited fact is not there yet; look again after ``next_look_seconds``."""

    code = "not_yet"

    def __init__(self, text: str, next_look_seconds: float = 5.0) -> None:
        super().__init__(text)
        self.next_look_seconds = next_look_seconds


class StepFailed(VclabError):
    """A driver's step failed for good: retrying the same on the same place will not help."""


class CopyLost(StepFailed):
    """The image's copy that a disk is to be made from, or that is to be read, is not there any more, or not what it
    was."""


class Unreachable(VclabError):
    """An outside system does not answer now; retrying later may help.

    ``part``: that it is a part of the installation, as people who do not run it are told. Of where it is and how it
    fails they hear nothing.
    """

    code = "unreachable"

    def __init__(self, message: str = "", hint: str = "", part: str = "") -> None:
        super().__init__(message, hint)
        self.part = part


DATABASE, TEMPORAL = "the database", "the Temporal server"
"""Parts of every installation."""


class Fenced(VclabError):
    """The computer was given to somebody else meanwhile; whoever gets this must not touch it."""


class NotOurs(StepFailed):
    """The thing found does not carry our installation's mark, or a newer generation; it is never touched."""


class Interrupted(VclabError):
    """A step stopped because it was asked to, after ending its outside operation."""


class NotFound(VclabError):
    """There is nothing of that name or id, or it has ended."""

    code = "not_found"
