"""The API of an installation as a server that listens, and tokens for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import uvicorn

from vclab.api.app import make_app
from vclab.model.people import LOCAL, SignedIn
from vclab.model.tokens import ALL, Kind, make
from vclab.service.backend import Backend
from vclab.store import tokens


@asynccontextmanager
async def serving(backend: Backend) -> AsyncIterator[str]:
    """Its URL, while it listens on 127.0.0.1."""
    server = uvicorn.Server(uvicorn.Config(make_app(backend), host="127.0.0.1", port=0, log_level="warning"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        assert not task.done()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def token_of(backend: Backend, login: str, kind: Kind = Kind.LOGIN) -> str:
    """A token of this person, who has signed in with a password."""
    secret, now = make(kind), datetime.now(UTC)
    who, until = SignedIn(login, LOCAL), now + timedelta(hours=1)
    backend.store.run(lambda session: tokens.put(session, secret, kind, who, "test", ALL, "", now, until))
    return secret
