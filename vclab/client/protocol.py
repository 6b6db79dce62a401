"""What the command line talks to, whatever it is behind that."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vclab.contract.use_case import A, Q, UseCase

if TYPE_CHECKING:
    import httpx


class Client(Protocol):
    """Calls use cases as one person."""

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """Raises ``Refused``, ``NotFound``, ``Invalid``, ``Failed``, ``Unreachable``."""

    async def send(self, use_case: UseCase[Q, A], question: Q, content: AsyncIterator[bytes]) -> A:
        """The same of a use case to which a file is sent (``Content.SENT``). It is read once, and never sent again."""


@runtime_checkable
class Streaming(Protocol):
    """A client whose server tells what changes, as it changes (``feed``)."""

    @property
    def url(self) -> str:
        """For messages."""

    def streamed(
        self, path: str, query: Mapping[str, Any], headers: Mapping[str, str], silent: float
    ) -> "AbstractAsyncContextManager[httpx.Response]":
        """The answer to a GET while it comes. Raises ``httpx.TransportError``, also after ``silent`` seconds."""
