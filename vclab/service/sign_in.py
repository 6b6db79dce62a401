"""How somebody becomes known: by a provider's word, a password, or the emergency administrator's one-time code.

What comes of it is a ``SignedIn``, for which sessions and tokens are made. Each attempt is an entry of the audit.
"""

import hashlib
import logging
import secrets
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model import tokens as text
from vclab.model.addresses import counted
from vclab.model.errors import NotFound, Refused, TooMany, Unauthenticated
from vclab.model.intents import Intent, Outcome
from vclab.model.logins import EMERGENCY
from vclab.model.people import LOCAL, Claims, DeviceRequest, SignedIn, Token
from vclab.model.tokens import ALL, Kind, Scope
from vclab.service import passwords
from vclab.service.backend import Backend
from vclab.store import catalog, intents, people, sign_ins, tokens
from vclab.store.sign_ins import Pauses

log = logging.getLogger("vclab.sign_in")

OF_ACCOUNT, OF_ADDRESS = Pauses(free=5), Pauses(free=30, forgiven=timedelta(minutes=2))
"""A university behind one address has more than one person who mistypes, all day long."""
OF_STARTS = Pauses(free=300, forgiven=timedelta(seconds=12))
"""And a class in which everybody begins with `vclab login`, or at a provider."""
INTERVAL = 5.0
"""Seconds between two questions of a program that waits."""
WRONG = "the login name or the password is wrong"

_CODE = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; no digits (RFC 8628, 6.1)."""


# --- who it is --------------------------------------------------------------------------------------------------------


async def begin_at_provider(backend: Backend, address: str) -> None:
    """Somebody is about to be sent to a provider: an attempt in vain until they are let in. Raises ``TooMany``."""
    await _attempt(backend, (f"browsers:{counted(address)}",))


async def by_claims(backend: Backend, claims: Claims, address: str) -> SignedIn:
    """Somebody whom a provider has let in. Raises ``Refused`` for somebody who may not come in here."""
    now, provider = datetime.now(UTC), backend.settings.sign_in.providers[claims.provider]
    check_at = now + timedelta(seconds=provider.recheck)

    def change(session: Session) -> str:
        adopt, make, promised = provider.adopt, provider.new_people, backend.settings.operators
        login = people.signed_in(session, claims, now, check_at, adopt, make, promised)
        sign_ins.not_in_vain(session, f"browsers:{counted(address)}", now)
        _note(session, claims.provider, login, address, now)
        return login

    try:
        login = await backend.write(change)
    except Refused as error:
        why = str(error)
        await backend.write(lambda session: _note(session, claims.provider, claims.called, address, now, why))
        raise
    return SignedIn(login, claims.provider, claims.subject, claims.mfa)


async def by_password(backend: Backend, login: str, password: str, address: str) -> SignedIn:
    """Somebody with a local account, or the emergency administrator.

    Raises ``Unauthenticated`` in the same words and the same time whatever is wrong, and ``TooMany``.
    """
    if login == EMERGENCY:
        return await _by_code(backend, password, address)
    fits = backend.settings.sign_in.local and await is_password(backend, login, password, address)
    now = datetime.now(UTC)
    await backend.write(lambda session: _note(session, LOCAL, login, address, now, "" if fits else WRONG))
    if not fits:
        raise Unauthenticated(WRONG)
    return SignedIn(login, LOCAL)


async def is_password(backend: Backend, login: str, password: str, address: str) -> bool:
    """Whether it is that of a local account. Raises ``TooMany`` while another attempt has to wait."""
    of_address, of_account = f"address:{counted(address)}", _account_key(login)
    await _attempt(backend, (of_address, of_account))
    kept = await backend.read(lambda session: people.password_hash(session, login))
    if not await passwords.matches(password, kept):
        return False
    again, now = await passwords.hashed(password) if passwords.is_outdated(kept) else "", datetime.now(UTC)

    def change(session: Session) -> None:
        sign_ins.not_in_vain(session, of_address, now)
        sign_ins.succeeded(session, of_account)
        if again:
            people.put_password(session, login, again, now)

    await backend.write(change)
    return True


async def _by_code(backend: Backend, code: str, address: str) -> SignedIn:
    """Only the address has to wait, not the account: nobody can lock that one out, or guess its code."""
    await _attempt(backend, (f"address:{counted(address)}",))
    now = datetime.now(UTC)

    def change(session: Session) -> bool:
        fits = sign_ins.unseal(session, code.strip(), address, now) is not None
        _note(session, EMERGENCY, EMERGENCY, address, now, "" if fits else "this one-time code is worth nothing")
        return fits

    fits = await backend.write(change)
    if fits:
        log.warning("ALARM: the emergency administrator came in from %s; `vclab audit` has what they do", address)
    else:
        await passwords.matches(code, "")  # as slowly as a password
        raise Unauthenticated(WRONG)
    return SignedIn("", "")


async def _attempt(backend: Backend, keys: tuple[str, ...]) -> None:
    """Raises ``TooMany``. The keys stand in one order wherever there are several: their rows are locked so."""

    def change(session: Session) -> float:
        return sign_ins.attempt(session, {key: _pauses(key) for key in keys}, datetime.now(UTC))

    if wait := await backend.write(change):
        raise TooMany("too many attempts to sign in", wait)


def _pauses(key: str) -> Pauses:
    kind = key.partition(":")[0]
    return {"address": OF_ADDRESS, "programs": OF_STARTS, "browsers": OF_STARTS}.get(kind, OF_ACCOUNT)


def _account_key(login: str) -> str:
    """Anything may be typed there, a password too."""
    return f"account:{hashlib.sha256(login.encode()).hexdigest()[:32]}"


def _note(session: Session, by: str, login: str, address: str, now: datetime, why_not: str = "") -> None:
    """An entry of the audit. What was typed is only kept if it is somebody's login."""
    known = by not in (LOCAL, EMERGENCY) or login == EMERGENCY or catalog.users_called(session, [login])
    intents.write(
        session,
        Intent(
            id=uuid.uuid4().hex,
            at=now,
            actor=login if known else "",
            authentication=by,
            roles=(),
            verb="sign_in",
            subject=login if known else "",
            address=address,
            outcome=Outcome.REFUSED if why_not else Outcome.DONE,
            detail=why_not,
            answered_at=now,
        ),
    )


# --- what they get ----------------------------------------------------------------------------------------------------


async def open_session(backend: Backend, who: SignedIn, address: str) -> tuple[str, float]:
    """A session for a browser: the secret for its cookie, and for how many seconds."""
    now, seconds = datetime.now(UTC), backend.settings.sign_in.session
    until = await backend.read(lambda session: _until(session, who, now, seconds))
    secret, _ = await make_token(backend, Kind.SESSION, who, "browser", ALL, address, until)
    return secret, (until - now).total_seconds()


def _until(session: Session, who: SignedIn, now: datetime, seconds: float) -> datetime:
    """The end of what is made for somebody: of the emergency administrator, when the code expires that was used."""
    if who.user:
        return now + timedelta(seconds=seconds)
    return max((each.expires_at for each in sign_ins.emergencies(session, now) if each.used_at), default=now)


async def make_token(
    backend: Backend,
    kind: Kind,
    who: SignedIn,
    name: str,
    scopes: frozenset[Scope],
    address: str,
    expires_at: datetime,
) -> tuple[str, Token]:
    """A token: its secret, and what is recorded of it."""
    secret, now = text.make(kind), datetime.now(UTC)
    made = await backend.write(
        lambda session: tokens.put(session, secret, kind, who, name, scopes, address, now, expires_at)
    )
    return secret, made


async def close_session(backend: Backend, secret: str) -> None:
    """Somebody signs out of a browser. Harmless when it was no session."""
    now = datetime.now(UTC)

    def change(session: Session) -> None:
        found = tokens.find(session, secret)
        if found is not None and found.token.kind is Kind.SESSION:
            tokens.end(session, found.token.id, "signed out", now)

    await backend.write(change)


# --- programs that wait (RFC 8628) ------------------------------------------------------------------------------------


async def wait_for_person(
    backend: Backend, name: str, scopes: frozenset[Scope], address: str
) -> tuple[str, DeviceRequest]:
    """A program asks for a token: the device code, by which it asks again, and what it shows to people."""
    await _attempt(backend, (f"programs:{counted(address)}",))
    now, code = datetime.now(UTC), "".join(secrets.choice(_CODE) for _ in range(8))
    until = now + timedelta(seconds=backend.settings.sign_in.device)
    request = DeviceRequest(f"{code[:4]}-{code[4:]}", name, scopes, address, now, until)
    device_code = secrets.token_urlsafe(32)
    await backend.write(lambda session: sign_ins.wait(session, device_code, request, INTERVAL))
    return device_code, request


async def token_for_program(backend: Backend, device_code: str) -> tuple[str, str, Token | None]:
    """A program asks whether it was let in: the word of RFC 8628, or empty with the token's secret and record.

    In one transaction: what ends all tokens of somebody finds either the code or the token.
    """
    now, secret = datetime.now(UTC), text.make(Kind.LOGIN)

    def change(session: Session) -> tuple[str, str, Token | None]:
        asked = sign_ins.ask(session, device_code, now)
        if asked.request is None or asked.who is None:
            return asked.answer, "", None
        who, asks = asked.who, asked.request
        sign_ins.not_in_vain(session, f"programs:{counted(asks.address)}", now)
        until = _until(session, who, now, backend.settings.sign_in.login_token)
        made = tokens.put(session, secret, Kind.LOGIN, who, asks.name, asks.scopes, asks.address, now, until)
        return "", secret, made

    return await backend.write(change)


async def code_attempt(backend: Backend, who: SignedIn, code: str) -> str:
    """The code as it is looked for. Raises ``TooMany`` for somebody who guesses, ``NotFound`` for what is none."""
    plain = "".join(each for each in code.upper() if each in _CODE)
    if len(plain) != 8:
        raise NotFound("no program waits with this code", "it has eight letters, such as BCDF-GHJK")
    await _attempt(backend, (f"account:code:{who.user}",))
    return f"{plain[:4]}-{plain[4:]}"


async def code_was_right(backend: Backend, who: SignedIn) -> None:
    """It was no guess."""
    await backend.write(lambda session: sign_ins.succeeded(session, f"account:code:{who.user}"))
