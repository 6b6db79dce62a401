"""The application: routes, problems and limits around one installation."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request, Response

from vclab.api import document, problems
from vclab.api.authentication import actor_of
from vclab.api.feed import events
from vclab.api.guard import Authenticate, limited
from vclab.api.headers import Headers
from vclab.api.health import health
from vclab.api.idempotency import keep_tidy
from vclab.api.limits import Limits
from vclab.api.log import AccessLog, Observe, nobody
from vclab.api.operations import operations, tagged
from vclab.api.paths import Segments
from vclab.api.sign_in.devices import devices
from vclab.api.sign_in.pages import pages
from vclab.api.temporal_ui import temporal_ui
from vclab.contract import USE_CASES
from vclab.contract.use_case import LARGEST, Content
from vclab.service.backend import Backend

PREFIX = "/api/v1"


def make_app(backend: Backend, authenticate: Authenticate = actor_of, observe: Observe = nobody) -> FastAPI:
    """The application of one installation. It opens nothing before the first request. ``observe``: who counts."""
    who = limited(authenticate, backend.settings.api.limits)
    app = FastAPI(
        title="vclab",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda app: _running(backend),
    )
    app.state.url = backend.settings.api.url
    app.state.stopping = asyncio.Event()
    problems.install(app)
    for router in (operations(backend, who), events(backend, who), devices(backend), health(backend), _described(app)):
        app.include_router(router, prefix=PREFIX)
    app.include_router(pages(backend))
    app.include_router(temporal_ui(backend, who))
    app.add_middleware(Limits, settings=backend.settings.api, own=_own_limits(backend))
    app.add_middleware(AccessLog, observe=observe)
    app.add_middleware(Headers)
    app.add_middleware(Segments, prefix=f"{PREFIX}/")
    return app


@asynccontextmanager
async def _running(backend: Backend) -> AsyncIterator[None]:
    """While the server runs."""
    tidying = asyncio.create_task(keep_tidy(backend))
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.to_thread(backend.store.close)


def _own_limits(backend: Backend) -> tuple[tuple[re.Pattern[str], int], ...]:
    """The paths to which more may be sent than elsewhere, each with how many bytes."""
    most = {each.route.path: each.largest for each in USE_CASES.values() if each.largest > LARGEST}
    files = [each.route.path for each in USE_CASES.values() if each.content is Content.SENT]
    most |= dict.fromkeys(files, backend.settings.library.largest_file)
    return tuple((re.compile(PREFIX + re.sub(r"{\w+}", "[^/]+", path)), size) for path, size in most.items())


def _described(app: FastAPI) -> APIRouter:
    """The description of the API, for whoever asks."""
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return tagged(request, document.text(app))

    return router
