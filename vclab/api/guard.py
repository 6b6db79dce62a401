"""Who asks, within the limits of one who asks."""

import hashlib
from collections.abc import Awaitable, Callable

from fastapi import Request

from vclab.api.limits import Rate
from vclab.model.addresses import counted
from vclab.model.errors import Unauthenticated
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.settings import ApiLimitSettings

Authenticate = Callable[[Backend, Request], Awaitable[Actor]]


def limited(authenticate: Authenticate, limits: ApiLimitSettings) -> Authenticate:
    """The same, but no person may ask too often, and nobody again and again with what nobody knows.

    The latter counts for an address and a token: others behind the same address are not hindered.
    """
    people = Rate(limits.person_rate, limits.person_burst)
    strangers = Rate(limits.stranger_rate, limits.stranger_burst)

    async def limited_actor(backend: Backend, request: Request) -> Actor:
        """Raises ``ApiError`` too."""
        shown = _shown(request)
        strangers.check(shown)
        try:
            actor = await authenticate(backend, request)
        except Unauthenticated:
            strangers.take(shown)
            raise
        request.state.actor = actor
        people.take(actor.login)
        return actor

    return limited_actor


def _shown(request: Request) -> str:
    """What a request shows of itself, without what that is."""
    secrets = request.headers.get("authorization", ""), request.headers.get("cookie", "")
    address = counted(request.client.host) if request.client else ""
    return f"{address} {hashlib.blake2b(repr(secrets).encode(), digest_size=8).hexdigest()}"
