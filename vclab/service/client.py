"""A client that calls the use cases in its own process."""

from collections.abc import AsyncIterator, Awaitable, Callable

from vclab.contract.progress import Told, nobody
from vclab.contract.use_case import A, Q, Rule, UseCase, anybody
from vclab.model.errors import NotFound
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.use_case import perform


class InProcess:
    """Calls them here, with the credentials of whoever can read the settings."""

    def __init__(
        self, backend: Backend, authenticate: Callable[[Backend], Awaitable[Actor]], unknown: Actor, told: Told = nobody
    ) -> None:
        """``unknown``: who calls, as far as that is known while the store does not answer; ``told``: of the progress of
        what takes long."""
        self._backend = backend
        self._authenticate = authenticate
        self._unknown, self._told = unknown, told
        self._actor: Actor | None = None

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """As ``Client`` of ``vclab.client.protocol``. Who calls is found out at the first call."""
        return await perform(use_case, self._backend, await self._caller(use_case.rule), question, self._told)

    async def send(self, use_case: UseCase[Q, A], question: Q, content: AsyncIterator[bytes]) -> A:
        """As ``Client``."""
        actor = await self._caller(use_case.rule)
        return await perform(use_case, self._backend, actor, question, self._told, content=content)

    async def _caller(self, rule: Rule) -> Actor:
        try:
            self._actor = self._actor or await self._authenticate(self._backend)
        except NotFound:
            raise
        except Exception:  # whatever is wrong with the store: what anybody may ask tells of it, or needs no store
            if rule != anybody():
                raise
            return self._unknown
        return self._actor
