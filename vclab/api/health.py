"""``/health``: for load balancers and whoever watches the server. Anybody may ask, so nothing tells where anything is.

``live``: the process answers. ``ready``: requests can be answered, for the database does. While Temporal is away, acts
are told so, and reads go on: the server stays ready.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from vclab.api.problems import problem
from vclab.model.errors import VclabError
from vclab.service.backend import Backend

FRESH = 2.0
"""Seconds for which what was seen is told again: many may ask."""
PATIENCE = 3.0
"""Seconds that a part may take to answer."""

State = Literal["ok", "away"]


class Live(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """Requests can be answered."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["ready"] = "ready"
    database: State
    temporal: State  #: away: reads go on, acts on reservations can't be done


class Health:
    """How the parts are, as seen lately."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._seen: Ready | None = None
        self._at = 0.0
        self._looking = asyncio.Lock()

    async def ready(self) -> Ready:
        """As it is now, or was a moment ago."""
        async with self._looking:
            if self._seen is None or time.monotonic() - self._at > FRESH:
                database, temporal = await asyncio.gather(_state(self._database), _state(self._temporal))
                self._seen, self._at = Ready(database=database, temporal=temporal), time.monotonic()
        return self._seen

    async def _database(self) -> None:
        await asyncio.to_thread(self._backend.store.check)

    async def _temporal(self) -> None:
        client = await self._backend.temporal(PATIENCE)
        if not await client.service_client.check_health():
            raise TimeoutError


async def _state(look: Callable[[], Awaitable[None]]) -> State:
    try:
        async with asyncio.timeout(PATIENCE):
            await look()
    except (VclabError, TimeoutError, RuntimeError):  # RuntimeError: the SDK's of a connection that is lost
        return "away"
    return "ok"


def health(backend: Backend) -> APIRouter:
    """Its routes, below ``/api/v1``."""
    router, seen = APIRouter(prefix="/health", tags=["health"]), Health(backend)

    @router.get("/live", operation_id="health.live", summary="Whether the server answers", response_model=Live)
    async def live() -> Response:
        return _sent(Live())

    @router.get("/ready", operation_id="health.ready", summary="Whether requests can be answered", response_model=Ready)
    @router.get("", include_in_schema=False)
    async def ready() -> Response:
        found = await seen.ready()
        if found.database == "away":
            why = "the database does not answer, or has no tables of this version"
            return problem("unreachable", why, "ask again in a moment", rest=found.model_dump())
        return _sent(found)

    return router


def _sent(found: BaseModel) -> Response:
    return Response(found.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})
