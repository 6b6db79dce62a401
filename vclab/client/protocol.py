"""What the command line talks to, whatever it is behind that."""

from typing import Protocol

from vclab.contract.use_case import A, Q, UseCase


class Client(Protocol):
    """Calls use cases as one person."""

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """Raises ``Refused``, ``NotFound``, ``Invalid``, ``Failed``, ``Unreachable``."""
