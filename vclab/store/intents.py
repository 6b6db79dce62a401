"""Intents: what people asked for. The service layer writes them, before anything is done; records read them."""

import dataclasses
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Author, Intent, Outcome, Verb
from vclab.store import models
from vclab.store.column_types import utc

_HINT = "send it with vclab, which records the intent first"
LONGEST = 2000
"""Characters of a detail."""


def write(session: Session, intent: Intent) -> None:
    """Record an intent. The same id again changes nothing: it is a repeat."""
    if session.get(models.Intent, intent.id) is None:
        values = dataclasses.asdict(intent) | {"roles": list(intent.roles), "arguments": _json(intent.arguments)}
        session.add(models.Intent(**values))
        session.flush()


def _json(value: Any) -> Any:
    """What JSON has: PostgreSQL takes no NaN and no infinity, which somebody may well have asked for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _json(each) for key, each in value.items()}
    return [_json(each) for each in value] if isinstance(value, list | tuple) else value


def answer(session: Session, id: str, outcome: Outcome, detail: str, now: datetime) -> None:
    """How the act came out. The first answer stays, which the database holds, too; one that is tried again under the
    same id, because nobody knows how it came out, has its answer then."""
    row = session.get(models.Intent, id)
    if row is not None and row.outcome in (Outcome.OPEN, Outcome.UNANSWERED):
        row.outcome, row.detail, row.answered_at = outcome, detail[:LONGEST], utc(now)


def is_recorded(session: Session, id: str) -> bool:
    """Whether there is an intent of that id."""
    return session.get(models.Intent, id) is not None


def find(session: Session, id: str) -> Intent:
    """The intent of that id. Raises ``NotFound``."""
    row = session.get(models.Intent, id)
    if row is None:
        raise NotFound(f"there is no intent {id}")
    return _intent(row)


def author(session: Session, id: str, verb: Verb, subject: str, /, **said: object) -> Author:
    """Who asked for this act, by the intent that its message names.

    Raises ``Refused`` when there is no such intent, or when the message asks for something else than the intent.
    """
    return intent_of(session, id, verb, subject, **said).author


def intent_of(session: Session, id: str, verb: Verb, subject: str, /, **said: object) -> Intent:
    """The intent itself. Raises as ``author``."""
    act = verb.partition(".")[2]
    try:
        intent = find(session, id)
    except NotFound:
        raise Refused(f"this {act} has no recorded intent", _HINT) from None
    if intent.outcome is Outcome.REFUSED:
        raise Refused(f"the intent {id} was refused")
    if not intent.asks_for(verb, subject, said):
        raise Refused(f"the intent {id} asks for something else than this {act}", _HINT)
    return intent


@dataclass(frozen=True)
class Sought:
    """Which intents; what is empty or None does not matter."""

    actor: str = ""
    subject: str = ""
    address: str = ""
    token: str = ""
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str = ""  #: only older ones than the intent of this id


def newest(session: Session, limit: int, sought: Sought = Sought()) -> list[Intent]:
    """The newest ``limit`` intents that fit, newest first. Raises ``NotFound`` when there is no intent ``before``."""
    query = sa.select(models.Intent).order_by(models.Intent.at.desc(), models.Intent.id.desc()).limit(limit)
    if sought.before:
        there = find(session, sought.before)
        query = query.where(sa.tuple_(models.Intent.at, models.Intent.id) < sa.tuple_(utc(there.at), there.id))
    for name in ("actor", "subject", "address", "token", "outcome"):
        if value := getattr(sought, name):
            query = query.where(getattr(models.Intent, name) == value)
    if sought.since:
        query = query.where(models.Intent.at >= utc(sought.since))
    if sought.until:
        query = query.where(models.Intent.at < utc(sought.until))
    return [_intent(row) for row in session.scalars(query)]


def _intent(row: models.Intent) -> Intent:
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(Intent)}
    return Intent(**values | {"roles": tuple(row.roles)})
