"""Tokens: list, make, end; and whether a program that waits is let in."""

from datetime import UTC, datetime, timedelta

from vclab.contract import tokens as contract
from vclab.contract.tokens import Code, Create, Decision, Made, One, Token, Waiting, Whose
from vclab.contract.use_case import Nothing
from vclab.model.access import Permission, ResourceKind
from vclab.model.errors import Forbidden, Invalid, NotFound
from vclab.model.logins import EMERGENCY
from vclab.model.people import DeviceRequest, SignedIn
from vclab.model.people import Token as Kept
from vclab.model.tokens import Kind, Scope
from vclab.service import checks, sign_in
from vclab.service.actor import Authentication
from vclab.service.use_case import Call, does
from vclab.store import sign_ins, tokens

MOST = 100
"""Tokens that one person may have at one time."""


@does(contract.listing)
async def listing(call: Call, question: Whose) -> tuple[Token, ...]:
    login = question.user or call.actor.login
    if login != call.actor.login:
        await call.must(Permission.KEEP, ResourceKind.USER, login)
    return tuple(map(_view, await call.backend.read(lambda session: tokens.listed(session, login))))


@does(contract.create)
async def create(call: Call, question: Create) -> Made:
    """By who has signed in: a program's token that made others would renew itself, and outlive what ends it."""
    who, now = _signed_in(call), datetime.now(UTC)
    if call.actor.kind is Kind.PERSONAL:
        raise Forbidden("a program's token makes no tokens", "make them with `vclab login`'s, or with a browser")
    name, scopes = checks.line(question.name, "the name of the token", 60), parse_scopes(question.scopes)
    if missing := scopes - call.actor.scopes:
        raise Forbidden(f"a token without the scope {min(missing)} can't make one that has it", "sign in anew")
    longest = call.backend.settings.sign_in.longest_token / 86400
    if not 0 < question.days <= longest:
        raise Invalid(f"a token can be made for at most {longest:g} days, not for {question.days:g}")
    known = await call.backend.read(lambda session: tokens.listed(session, who.user))
    if sum(each.ended_at is None and each.expires_at > now for each in known) >= MOST:
        raise Forbidden(f"{who.user} has {MOST} tokens already", "end those that are not needed")
    until = now + timedelta(days=question.days)
    secret, made = await sign_in.make_token(call.backend, Kind.PERSONAL, who, name, scopes, call.actor.address, until)
    return Made(token=_view(made), secret=secret)


@does(contract.revoke)
async def revoke(call: Call, question: One) -> Token:
    found = await call.backend.read(lambda session: tokens.get(session, question.id))
    own = found.who.user == call.actor.login
    if not own and not await call.may(Permission.KEEP, ResourceKind.USER, found.who.user):
        raise NotFound(f"there is no token {question.id}")
    why, now = f"revoked by {call.actor.login}", datetime.now(UTC)
    await call.backend.write(lambda session: tokens.end(session, question.id, why, now))
    return _view(await call.backend.read(lambda session: tokens.get(session, question.id)))


@does(contract.sign_out)
async def sign_out(call: Call, question: Nothing) -> None:
    if not call.actor.token:
        raise Forbidden("nobody has signed in with a token")
    await call.backend.write(lambda session: tokens.end(session, call.actor.token, "signed out", datetime.now(UTC)))


@does(contract.waiting)
async def waiting(call: Call, question: Code) -> Waiting:
    return _waiting(await _request(call, question.code))


@does(contract.decide)
async def decide(call: Call, question: Decision) -> Waiting:
    """By a browser's session only: a token that could make others like itself could not be revoked."""
    request, who, now = await _request(call, question.code), _signed_in(call), datetime.now(UTC)
    if call.actor.authentication not in (Authentication.SESSION, Authentication.EMERGENCY):
        raise Forbidden("a program is let in by whoever has signed in with a browser", "open the page that it shows")
    allowed = who if question.allow else None
    await call.backend.write(lambda session: sign_ins.decide(session, request.user_code, allowed, now))
    return _waiting(request)


def parse_scopes(words: tuple[str, ...]) -> frozenset[Scope]:
    """The scopes of these names, and ``READ``. Raises ``Invalid``."""
    return frozenset(Scope(checks.one_of(word, "scope", [*Scope])) for word in words) | {Scope.READ}


async def _request(call: Call, code: str) -> DeviceRequest:
    """Raises ``NotFound``, ``TooMany``."""
    who = _signed_in(call)
    plain = await sign_in.code_attempt(call.backend, who, code)
    found = await call.backend.read(lambda session: sign_ins.waiting(session, plain, datetime.now(UTC)))
    await sign_in.code_was_right(call.backend, who)
    return found


def _signed_in(call: Call) -> SignedIn:
    """Raises ``Forbidden`` for somebody who has not come with a token or a session."""
    if call.actor.signed_in is None:
        raise Forbidden("this needs somebody who has signed in", "sign in: `vclab login URL`, or the sign-in page")
    return call.actor.signed_in


def _view(token: Kept) -> Token:
    return Token(
        id=token.id,
        kind=token.kind,
        user=token.who.user or EMERGENCY,
        name=token.name,
        scopes=tuple(sorted(token.scopes)),
        provider=token.who.provider,
        created=token.created_at,
        created_from=token.created_from,
        expires=token.expires_at,
        used=token.used_at,
        ended=token.ended_at,
        why_ended=token.why_ended or None,
    )


def _waiting(request: DeviceRequest) -> Waiting:
    return Waiting(
        code=request.user_code,
        program=request.name,
        scopes=tuple(sorted(request.scopes)),
        address=request.address,
        since=request.created_at,
        until=request.expires_at,
    )
