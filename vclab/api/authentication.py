"""Who asks. A stand-in that knows nobody, until people can sign in."""

from fastapi import Request

from vclab.api.problems import ApiError
from vclab.service.actor import Actor
from vclab.service.backend import Backend


async def actor_of(backend: Backend, request: Request) -> Actor:
    """Whoever the request's token is of. Raises ``ApiError``."""
    raise ApiError("unauthenticated", "nobody can sign in yet", "send `Authorization: Bearer TOKEN`")
