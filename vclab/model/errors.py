"""Errors of the house. Their text is for people: what failed, why, and what to do."""


class VclabError(Exception):
    """Base of all errors that vclab raises on purpose."""


class Refused(VclabError):
    """The request can't be met, and trying again unchanged will not help. Nothing was touched."""


class NotYet(VclabError):
    """A look found that the awaited fact is not there yet; look again after ``next_look_seconds``."""

    def __init__(self, text: str, next_look_seconds: float = 5.0) -> None:
        super().__init__(text)
        self.next_look_seconds = next_look_seconds


class StepFailed(VclabError):
    """A driver's step failed for good: retrying the same on the same place will not help."""


class Unreachable(VclabError):
    """An outside system does not answer now; retrying later may help."""


class Fenced(VclabError):
    """The computer was given to somebody else meanwhile; whoever gets this must not touch it."""


class NotOurs(StepFailed):
    """The thing found does not carry our installation's mark, or a newer generation; it is never touched."""


class Interrupted(VclabError):
    """A step stopped because it was asked to, after ending its outside operation."""


class NotFound(VclabError):
    """There is nothing of that name or id, or it has ended."""
