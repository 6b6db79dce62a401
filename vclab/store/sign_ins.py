"""Sign-ins that are under way: at providers, of programs that wait, of the emergency administrator; and the pauses
after attempts in vain."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import tokens
from vclab.model.errors import NotFound
from vclab.model.logins import EMERGENCY
from vclab.model.people import DeviceRequest, EmergencyUse, PendingSignIn, SignedIn
from vclab.model.tokens import Scope
from vclab.store import models
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert

_attempts = models.SignInAttempts.metadata.tables[models.SignInAttempts.__tablename__]
SLOWER = 5.0
"""Seconds that are added to the interval of a program that asks too often (RFC 8628, 3.5)."""
MOST_OPEN = 10_000
"""Sign-ins, and programs, that are awaited at one time: anybody can begin one. Then the oldest go."""

ALARM = timedelta(days=1)
"""So long after an emergency everybody who looks is told."""

# --- at a provider ----------------------------------------------------------------------------------------------------


def send(session: Session, state: str, browser: str, pending: PendingSignIn, now: datetime, until: datetime) -> None:
    """Somebody is sent to a provider with this state, and awaited back in the same browser."""
    session.execute(sa.delete(models.PendingSignIn).where(models.PendingSignIn.expires_at < utc(now)))
    _not_too_many(session, models.PendingSignIn)
    session.add(
        models.PendingSignIn(
            digest=tokens.digest(state),
            browser=tokens.digest(browser),
            provider=pending.provider,
            nonce=pending.nonce,
            verifier=pending.verifier,
            then=pending.then,
            expires_at=utc(until),
        )
    )


def take_back(session: Session, state: str, browser: str, provider: str, now: datetime) -> PendingSignIn | None:
    """Somebody has come back: each state counts once, in its browser, from its provider, and in time."""
    row = session.get(models.PendingSignIn, tokens.digest(state), with_for_update=True)
    if row is None or row.browser != tokens.digest(browser):
        return None
    session.delete(row)
    if row.provider != provider or row.expires_at <= now:
        return None
    return PendingSignIn(row.provider, row.nonce, row.verifier, row.then)


# --- programs that wait -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a program that waits is answered."""

    answer: str  #: a word of RFC 8628, or empty: here is your token
    request: DeviceRequest | None = None
    who: SignedIn | None = None


def wait(session: Session, device_code: str, request: DeviceRequest, interval: float) -> None:
    """A program waits from now on."""
    old = models.DeviceCode.expires_at < utc(request.created_at) - timedelta(hours=1)
    session.execute(sa.delete(models.DeviceCode).where(old))
    _not_too_many(session, models.DeviceCode)
    session.add(
        models.DeviceCode(
            digest=tokens.digest(device_code),
            user_code=request.user_code,
            name=request.name,
            scopes=sorted(request.scopes),
            address=request.address,
            created_at=utc(request.created_at),
            expires_at=utc(request.expires_at),
            interval=interval,
        )
    )
    session.flush()


def waiting(session: Session, user_code: str, now: datetime) -> DeviceRequest:
    """The program that waits with this code. Raises ``NotFound`` when none does any more."""
    return _request(_waiting(session, _with_code(user_code), now))


def decide(session: Session, user_code: str, who: SignedIn | None, now: datetime) -> DeviceRequest:
    """Somebody lets the program in as themselves, or (None) refuses. Raises ``NotFound``."""
    row = _waiting(session, _with_code(user_code).with_for_update(), now)
    row.decided_at = utc(now)
    if who is not None:
        row.user, row.provider, row.subject, row.mfa = who.user or EMERGENCY, who.provider, who.subject, who.mfa
    session.flush()
    return _request(row)


def ask(session: Session, device_code: str, now: datetime) -> Asked:
    """A program asks whether it was let in. That it was, it hears once."""
    row = session.get(models.DeviceCode, tokens.digest(device_code), with_for_update=True)
    if row is None or row.expires_at <= now:
        return Asked("expired_token")
    too_soon = row.asked_at is not None and now - row.asked_at < timedelta(seconds=row.interval)
    row.asked_at = utc(now)
    if row.decided_at is None:
        row.interval += SLOWER if too_soon else 0
        return Asked("slow_down" if too_soon else "authorization_pending")
    session.delete(row)
    if not row.user:
        return Asked("access_denied")
    user = "" if row.user == EMERGENCY else row.user
    return Asked("", _request(row), SignedIn(user, row.provider, row.subject, row.mfa))


def _with_code(user_code: str) -> sa.Select[models.DeviceCode]:
    return sa.select(models.DeviceCode).where(models.DeviceCode.user_code == user_code)


def _waiting(session: Session, query: sa.Select[models.DeviceCode], now: datetime) -> models.DeviceCode:
    row = session.scalar(query)
    if row is None or row.expires_at <= now or row.decided_at is not None:
        raise NotFound("no program waits with this code", "begin again with `vclab login URL`")
    return row


def _request(row: models.DeviceCode) -> DeviceRequest:
    scopes = frozenset(Scope(each) for each in row.scopes)
    return DeviceRequest(row.user_code, row.name, scopes, row.address, row.created_at, row.expires_at)


def _not_too_many(session: Session, table: type[models.DeviceCode | models.PendingSignIn]) -> None:
    """Make room for one more: those that began first are awaited no longer, most of whom do not come any more."""
    over = (session.scalar(sa.select(sa.func.count()).select_from(table)) or 0) - MOST_OPEN + 1
    if over > 0:
        oldest = sa.select(table.digest).order_by(table.expires_at, table.digest).limit(over)
        session.execute(sa.delete(table).where(table.digest.in_(oldest)))


# --- attempts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pauses:
    """How an attempt in vain is answered: after ``free`` ones each next one waits, twice as long each time."""

    free: int
    longest: timedelta = timedelta(minutes=15)
    forgotten: timedelta = timedelta(hours=1)  #: after so long without another one
    forgiven: timedelta | None = None  #: one of them after each time so long: many people are counted together


def attempt(session: Session, keys: Mapping[str, Pauses], now: datetime) -> float:
    """Begin an attempt, which counts for each key as one in vain until it is said that it was not. Returns 0, or how
    many seconds it must wait instead, for whichever key: then nothing may be tried, and it counts for none.

    It counts before it is tried, so that many at one moment get no more tries than one after the other.
    """
    longest = max(pauses.forgotten for pauses in keys.values())
    session.execute(sa.delete(models.SignInAttempts).where(models.SignInAttempts.at < utc(now - longest)))
    rows = {key: _attempts_of(session, key, now) for key in keys}
    waits = max((row.next_at - now).total_seconds() for row in rows.values())
    if waits > 0:
        return waits
    for key, pauses in keys.items():
        _count(rows[key], pauses, now)
    session.flush()
    return 0.0


def _attempts_of(session: Session, key: str, now: datetime) -> models.SignInAttempts:
    """What counts for a key, locked."""
    new = insert(dialect_of(session), _attempts).values(key=key, failures=0, at=utc(now), next_at=utc(now))
    session.execute(new.on_conflict_do_nothing())
    return session.get_one(models.SignInAttempts, key, with_for_update=True)


def _count(row: models.SignInAttempts, pauses: Pauses, now: datetime) -> None:
    """One more in vain."""
    since = _forgive(row, pauses.forgiven, now) if pauses.forgiven else now
    row.failures += 1
    over = row.failures - pauses.free
    pause = min(timedelta(seconds=2.0 ** min(over, 20)), pauses.longest) if over >= 0 else timedelta(0)
    row.at, row.next_at = utc(since), utc(now + pause)


def _forgive(row: models.SignInAttempts, each: timedelta, now: datetime) -> datetime:
    """Count one less for each time so long. Returns from when on the next time counts."""
    times = (now - row.at) // each
    row.failures = max(0, row.failures - times)
    return row.at + times * each if row.failures else now


def succeeded(session: Session, key: str) -> None:
    """It was no attempt in vain, and those before are forgiven: of one account, to which somebody has proved theirs."""
    session.execute(sa.delete(models.SignInAttempts).where(models.SignInAttempts.key == key))


def not_in_vain(session: Session, key: str, now: datetime) -> None:
    """It was no attempt in vain, but those before count on: of many people, of whom one proves nothing for others."""
    row = session.get(models.SignInAttempts, key, with_for_update=True)
    if row is not None:
        row.failures, row.next_at = max(0, row.failures - 1), utc(min(now, row.next_at))
        session.flush()


# --- the emergency administrator --------------------------------------------------------------------------------------


def seal(session: Session, code: str, made_by: str, now: datetime, expires_at: datetime) -> None:
    """Keep a one-time code. It replaces those that were not used."""
    unused = models.EmergencyCode.used_at.is_(None)
    session.execute(sa.delete(models.EmergencyCode).where(unused))
    session.add(
        models.EmergencyCode(
            digest=tokens.digest(code), made_at=utc(now), made_by=made_by, expires_at=utc(expires_at), used_from=""
        )
    )


def unseal(session: Session, code: str, address: str, now: datetime) -> EmergencyUse | None:
    """Use a code: once, and in time. None: it is none."""
    row = session.get(models.EmergencyCode, tokens.digest(code), with_for_update=True)
    if row is None or row.used_at is not None or row.expires_at <= now:
        return None
    row.used_at, row.used_from = utc(now), address
    session.flush()
    return _use(row)


def emergencies(session: Session, since: datetime) -> list[EmergencyUse]:
    """The codes that can still be used or were used after ``since``, oldest first."""
    codes = models.EmergencyCode
    query = sa.select(codes).where(sa.or_(codes.used_at > utc(since), codes.expires_at > utc(since)))
    return [_use(row) for row in session.scalars(query.order_by(codes.made_at))]


def _use(row: models.EmergencyCode) -> EmergencyUse:
    return EmergencyUse(row.made_at, row.made_by, row.expires_at, row.used_at, row.used_from)
