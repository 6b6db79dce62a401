"""What people ask for, as it is recorded before anything is done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Verb(StrEnum):
    """The acts that are carried out by workflows: names of use cases."""

    RESERVE = "acts.reserve"
    CONNECT = "acts.connect"
    EXTEND = "acts.extend"
    RESCHEDULE = "acts.reschedule"
    REBOOT = "acts.reboot"
    CAPTURE = "acts.capture"
    REINSTALL = "acts.reinstall"
    RESOLVE = "acts.resolve"
    END = "acts.end"
    DISMISS = "acts.dismiss"
    RELOAD = "computers.reload"
    SWITCH = "power.switch"
    INSPECT = "inspections.inspect"
    FORGET = "users.forget"


class Outcome(StrEnum):
    """How an act came out."""

    OPEN = "open"  #: no answer yet; or who was to record it was killed, or had no database
    DONE = "done"
    REFUSED = "refused"  #: not allowed or not possible; nothing was touched
    UNANSWERED = "unanswered"  #: something did not answer in time, or nobody waited for it; it may still be done
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
    subject: str = ""  #: what it is done to: a reservation's id, or a thing's name. Of several: the argument ``names``
    for_user: str = ""  #: whose reservation it is
    account: str = ""  #: the account behind the actor: a local one, or an identity provider and who they are there
    arguments: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.OPEN
    detail: str = ""  #: why it was refused or failed
    answered_at: datetime | None = None
    token: str = ""  #: the name of the token or session that was shown; never the token itself
    address: str = ""  #: from where they asked; empty: on this machine

    @property
    def operator(self) -> bool:
        """An operator asked: limits do not bind."""
        return "operator" in self.roles

    @property
    def author(self) -> "Author":
        """Who is behind what is done for this intent."""
        return Author(self.actor, self.operator, self.id)

    def asks_for(self, verb: Verb, subject: str, said: Mapping[str, object]) -> bool:
        """Whether a message of this verb about ``subject``, with these arguments, asks for just what the intent does.

        An argument that is at its default is left out of an intent.
        """
        known = self.arguments
        about = self.subject == subject or subject in known.get("names", ())
        return self.verb == verb and about and all(_same(known.get(k), v) for k, v in said.items())


def _same(known: object, said: object) -> bool:
    """Whether an argument as it was recorded, in JSON, is what the message says."""
    if isinstance(said, datetime):
        return isinstance(known, str) and said.tzinfo is not None and datetime.fromisoformat(known) == said
    return (known or None) == (said or None)


@dataclass(frozen=True)
class Author:
    """Who is behind a change, as records take it: read from an intent, never from a message."""

    who: str
    operator: bool = False  #: limits do not bind
    act: str = ""  #: the intent's id, or the number of a signal: makes a repeat harmless


VCLAB = Author("vclab")
"""Nobody asked: the workflow goes on by itself."""


SIGNAL = "signal"
"""How an act's id begins that was a signal from the Temporal UI or CLI."""


@dataclass(frozen=True)
class Sender:
    """Who sent a signal, as the Temporal server knows by its own means."""

    name: str  #: of the certificate, or of the operator for whom the API opened the UI
    role: str  #: by which it was let in: "operator" (a certificate) or "ui"; another server may have others


def signalled(number: int = 0, sender: Sender | None = None) -> Author:
    """Somebody who has the Temporal UI or CLI sent a signal, with an operator's rights. ``sender`` is None when the
    server does not know its callers: then nobody knows who."""
    words = [SIGNAL, *([str(number)] if number else []), *([sender.role] if sender else [])]
    return Author(sender.name if sender else "temporal", operator=True, act="-".join(words))


def how_signalled(act: str) -> str:
    """How it is known who sent a signal, by the id of its act; empty when it was none."""
    first, *others = act.split("-")
    if first != SIGNAL:
        return ""
    roles = [each for each in others if not each.isdigit()]
    return f"{SIGNAL}, {_SHOWN.get(roles[0], roles[0])}" if roles else SIGNAL


_SHOWN = {"operator": "certificate", "ui": "Temporal UI"}
