"""Attempts of activities: which of two that work on one computer is the newer one."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ActivityAttempt:
    """One attempt of one activity."""

    run: str  #: the workflow's run
    activity: int  #: counts up within the run
    attempt: int
    scheduled_at: datetime  #: when the activity was scheduled, by the server's clock
    name: str = ""

    def overtaken_by(self, other: "ActivityAttempt") -> bool:
        """Whether the other one is newer. Within a run they are counted; between runs the server's clock decides."""
        if self.run == other.run:
            return (self.activity, self.attempt) < (other.activity, other.attempt)
        return self.scheduled_at < other.scheduled_at

    def __str__(self) -> str:
        return f"attempt {self.attempt} of {self.name or 'an activity'}"
