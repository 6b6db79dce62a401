"""What the command line talks to. Today's one implementation calls the use cases in its own process."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.use_case import A, Q, UseCase


class Client(Protocol):
    """Calls use cases as one person."""

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """Raises ``Refused``, ``NotFound``, ``Invalid``, ``Failed``, ``Unreachable``."""


class InProcess:
    """Calls them here, with the credentials of whoever can read the settings."""

    def __init__(self, backend: Backend, authenticate: Callable[[Backend], Awaitable[Actor]]) -> None:
        self._backend = backend
        self._authenticate = authenticate
        self._actor: Actor | None = None

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """As ``Client``. Who calls is found out at the first call."""
        if self._actor is None:
            self._actor = await self._authenticate(self._backend)
        return await use_case(self._backend, self._actor, question)
