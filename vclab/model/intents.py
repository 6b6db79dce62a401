"""What people ask for, as it is recorded before anything is done about it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How an act came out."""

    OPEN = "open"  #: no answer yet; whoever waited for it may have been interrupted
    DONE = "done"
    REFUSED = "refused"  #: not allowed or not possible; nothing was touched
    UNANSWERED = "unanswered"  #: something did not answer in time; it may still be done
    FAILED = "failed"  #: a fault in vclab


@dataclass(frozen=True)
class Intent:
    """An act that somebody asked for. Secrets are never among its arguments."""

    id: str  #: also makes a repeat of the act harmless
    at: datetime
    actor: str  #: login of the person who acts
    authentication: str  #: how that is known
    roles: tuple[str, ...]  #: what the actor was when they asked
    verb: str  #: the use case: "reservations.extend"
    subject: str = ""  #: what it is done to: a reservation's id, or a thing's name
    for_user: str = ""  #: whose reservation it is
    account: str = ""  #: the local account behind the actor
    arguments: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.OPEN
    detail: str = ""  #: why it was refused or failed
    answered_at: datetime | None = None

    @property
    def operator(self) -> bool:
        """An operator asked: limits do not bind."""
        return "operator" in self.roles
