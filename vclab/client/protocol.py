"""What the command line talks to, whatever it is behind that."""

from collections.abc import AsyncIterator
from typing import Protocol

from vclab.contract.use_case import A, Q, UseCase


class Client(Protocol):
    """Calls use cases as one person."""

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """Raises ``Refused``, ``NotFound``, ``Invalid``, ``Failed``, ``Unreachable``."""

    async def send(self, use_case: UseCase[Q, A], question: Q, content: AsyncIterator[bytes]) -> A:
        """The same of a use case to which a file is sent (``Content.SENT``). It is read once, and never sent again."""
