"""Disabling, enabling and removing what administrators keep; the same for users, images, endpoints and computers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.contract.retiring import Disable
from vclab.model.catalog import Thing
from vclab.service import checks
from vclab.service.use_case import Call
from vclab.store import retirement


@dataclass(frozen=True)
class Kept:
    """A kind of things that administrators keep."""

    thing: Thing
    find: Callable[[Session, str], object]  #: raises ``NotFound`` with near names

    async def disable(self, call: Call, question: Disable) -> None:
        """Nothing new uses it from now on; what uses it already goes on."""
        why = checks.line(question.why, "the reason") if question.why else ""

        def change(session: Session) -> None:
            self.find(session, question.name)
            retirement.disable(session, self.thing, question.name, why, datetime.now(UTC))

        await call.backend.write(change)

    async def enable(self, call: Call, name: str) -> None:
        """It can be used again."""

        def change(session: Session) -> None:
            self.find(session, name)
            retirement.enable(session, self.thing, name)

        await call.backend.write(change)

    async def remove(self, call: Call, name: str) -> None:
        """Remove it. Raises ``Refused`` while something uses it."""

        def change(session: Session) -> None:
            self.find(session, name)
            retirement.remove(session, self.thing, name, datetime.now(UTC))

        await call.backend.write(change)
