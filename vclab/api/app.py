"""The application: routes, problems and limits around one installation."""

import asyncio
import re

from fastapi import APIRouter, FastAPI, Request, Response

from vclab.api import document, problems
from vclab.api.authentication import actor_of
from vclab.api.feed import events
from vclab.api.limits import Limits
from vclab.api.log import AccessLog
from vclab.api.operations import Authenticate, operations, tagged
from vclab.api.sign_in.devices import devices
from vclab.api.sign_in.pages import pages
from vclab.api.temporal_ui import temporal_ui
from vclab.contract import USE_CASES
from vclab.contract.use_case import LARGEST, Content
from vclab.service.backend import Backend

PREFIX = "/api/v1"


def make_app(backend: Backend, authenticate: Authenticate = actor_of) -> FastAPI:
    """The application of one installation. It opens nothing before the first request."""
    app = FastAPI(title="vclab", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.url = backend.settings.api.url
    app.state.stopping = asyncio.Event()
    problems.install(app)
    app.include_router(operations(backend, authenticate), prefix=PREFIX)
    app.include_router(events(backend, authenticate), prefix=PREFIX)
    app.include_router(devices(backend), prefix=PREFIX)
    app.include_router(pages(backend))
    app.include_router(_described(app), prefix=PREFIX)
    app.include_router(temporal_ui(backend, authenticate))
    app.add_middleware(Limits, limits=backend.settings.api.limits, larger=_larger(), files=_files())
    app.add_middleware(AccessLog)
    return app


def _larger() -> dict[str, int]:
    """The paths to which more may be sent than elsewhere, each with how many bytes."""
    larger = [each for each in USE_CASES.values() if each.largest > LARGEST]
    return {PREFIX + each.route.path: each.largest for each in larger}


def _files() -> re.Pattern[str]:
    """The paths to which files are sent."""
    routes = [each.route for each in USE_CASES.values() if each.content is Content.SENT]
    return re.compile("|".join(PREFIX + re.sub(r"{\w+}", "[^/]+", each.path) for each in routes))


def _described(app: FastAPI) -> APIRouter:
    """The description of the API, for whoever asks."""
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return tagged(request, document.text(app))

    return router
