"""Who asks: by a token in ``Authorization: Bearer``, else by the cookie of a browser that has signed in."""

from contextlib import suppress
from datetime import UTC, datetime

from fastapi import Request

from vclab.api import cookies
from vclab.api.sign_in.providers import providers_of
from vclab.model.errors import Forbidden, Unauthenticated, Unreachable
from vclab.model.tokens import is_well_formed
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.token_authentication import actor_by, confirm
from vclab.store import tokens

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


async def actor_of(backend: Backend, request: Request) -> Actor:
    """Who asks. Raises ``Unauthenticated``, ``Unreachable``; ``Forbidden`` for what another site made a browser send.

    Nothing of it is remembered between two requests: who is disabled, or whose token is ended, is out at once.
    """
    secret, browser = _secret(request)
    if not is_well_formed(secret, browser):
        raise Unauthenticated("this token is not known", "sign in again: `vclab login URL`, or the sign-in page")
    if browser and request.method not in _READS and not cookies.is_same_origin(request):
        raise Forbidden("this was sent by a page of another site", "use the pages of this server, or a token")
    now = datetime.now(UTC)
    found = await backend.read(lambda session: tokens.find(session, secret))
    known = confirm(backend.settings, found, browser, now)
    if known.account is not None and await providers_of(backend, request).recheck(known.account):
        found = await backend.read(lambda session: tokens.find(session, secret))
        known = confirm(backend.settings, found, browser, now)
    if tokens.is_use_due(known.token, now):
        with suppress(Unreachable):  # a database that can only be read: reads go on
            await backend.write(lambda session: tokens.used(session, known.token.id, now))
    return actor_by(backend.settings, known, address_of(request))


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def _secret(request: Request) -> tuple[str, bool]:
    """What was sent, and whether as a cookie. Raises ``Unauthenticated``."""
    said = request.headers.get("authorization")
    if said is not None:
        kind, _, secret = said.partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("the header Authorization is not understood", "send `Authorization: Bearer TOKEN`")
        return secret.strip(), False
    cookie = cookies.read(request, cookies.SESSION)
    if not cookie:
        raise Unauthenticated("nobody has signed in", "send `Authorization: Bearer TOKEN`, or sign in with a browser")
    return cookie, True
