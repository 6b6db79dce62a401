"""Tokens and browsers' sessions. Of the secret only the SHA-256 is kept; what is looked up here is a digest."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import tokens
from vclab.model.errors import NotFound
from vclab.model.people import Known, SignedIn, Token
from vclab.model.tokens import Kind, Scope
from vclab.store import catalog, models, people
from vclab.store.column_types import utc

USED_EVERY = timedelta(minutes=10)
"""When a token was used last is written no more often than this."""
KEPT = timedelta(days=90)
"""A token is listed so long after it has ended."""


def put(
    session: Session,
    secret: str,
    kind: Kind,
    who: SignedIn,
    name: str,
    scopes: Iterable[Scope],
    address: str,
    now: datetime,
    expires_at: datetime,
) -> Token:
    """Record a token. Those that ended long ago are forgotten."""
    old = utc(now) - KEPT
    session.execute(sa.delete(models.Token).where(models.Token.expires_at < old))
    row = models.Token(
        id=secrets.token_hex(5),
        digest=tokens.digest(secret),
        kind=kind.value,
        user=who.user or None,
        provider=who.provider,
        subject=who.subject,
        mfa=who.mfa,
        name=name,
        scopes=sorted({Scope.READ, *scopes}),
        created_at=utc(now),
        created_from=address,
        expires_at=utc(expires_at),
    )
    session.add(row)
    session.flush()
    return _token(row)


def find(session: Session, secret: str) -> Known | None:
    """What a secret leads to, also when it has expired or ended; None when it is no token."""
    found = session.execute(_BY_DIGEST, {"of": tokens.digest(secret)}).one_or_none()
    if found is None:
        return None
    row, user, account = found
    person: model.User | None = None
    if user is not None and user.removed_at is None:
        person = catalog.user(session, user.login)
    return Known(_token(row), person, None if account is None else people.account_of(account))


def used(session: Session, id: str, now: datetime) -> None:
    """It was used now."""
    session.execute(sa.update(models.Token).where(models.Token.id == id).values(used_at=utc(now)))


def is_use_due(token: Token, now: datetime) -> bool:
    """Whether it is to be written that it was used."""
    return token.used_at is None or now - token.used_at >= USED_EVERY


def listed(session: Session, login: str) -> list[Token]:
    """A person's tokens and sessions, newest first, also those that have ended. Empty: all people's."""
    query = sa.select(models.Token).order_by(models.Token.created_at.desc(), models.Token.id)
    if login:
        query = query.where(models.Token.user == login)
    return [_token(row) for row in session.scalars(query)]


def get(session: Session, id: str) -> Token:
    """The token of that id. Raises ``NotFound``."""
    row = session.get(models.Token, id)
    if row is None:
        raise NotFound(f"there is no token {id}")
    return _token(row)


def end(session: Session, id: str, why: str, now: datetime) -> None:
    """It is worth nothing from now on. Harmless when it has ended."""
    _end(session, models.Token.id == id, why, now)


def end_all(session: Session, why: str, now: datetime, user: str, provider: str = "", subject: str = "") -> None:
    """All of a person; only those made by signing in at a provider, with an account there, if these are given.

    Those too that programs would fetch with a code that was let in before: codes first, for a program that fetches its
    token at this moment holds its code, and what it got is ended then.
    """
    given = {"user": user, "provider": provider, "subject": subject}
    session.execute(sa.delete(models.DeviceCode).where(*_are(models.DeviceCode, given)))
    _end(session, sa.and_(*_are(models.Token, given)), why, now)


def _are(table: type[models.DeviceCode | models.Token], given: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    """What is given is so."""
    return [getattr(table, name) == value for name, value in given.items() if value]


def _end(session: Session, which: sa.ColumnElement[bool], why: str, now: datetime) -> None:
    change = sa.update(models.Token).where(which, models.Token.ended_at.is_(None))
    session.execute(change.values(ended_at=utc(now), why_ended=why))
    session.expire_all()


_BY_DIGEST = (
    sa.select(models.Token, models.User, models.ProviderAccount)
    .outerjoin(models.User, models.User.login == models.Token.user)
    .outerjoin(
        models.ProviderAccount,
        sa.and_(
            models.ProviderAccount.provider == models.Token.provider,
            models.ProviderAccount.subject == models.Token.subject,
        ),
    )
    .where(models.Token.digest == sa.bindparam("of"))
)


def _token(row: models.Token) -> Token:
    return Token(
        id=row.id,
        kind=Kind(row.kind),
        who=SignedIn(row.user or "", row.provider, row.subject, row.mfa),
        name=row.name,
        scopes=frozenset(Scope(each) for each in row.scopes),
        created_at=row.created_at,
        created_from=row.created_from,
        expires_at=row.expires_at,
        used_at=row.used_at,
        ended_at=row.ended_at,
        why_ended=row.why_ended,
    )
