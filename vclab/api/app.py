"""The application: routes, problems and limits around one installation."""

from fastapi import APIRouter, FastAPI, Request, Response

from vclab.api import document, problems
from vclab.api.authentication import actor_of
from vclab.api.feed import events
from vclab.api.limits import Limits
from vclab.api.log import AccessLog
from vclab.api.operations import Authenticate, operations, tagged
from vclab.service.backend import Backend

PREFIX = "/api/v1"


def make_app(backend: Backend, authenticate: Authenticate = actor_of) -> FastAPI:
    """The application of one installation. It opens nothing before the first request."""
    app = FastAPI(title="vclab", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.install(app)
    app.include_router(operations(backend, authenticate), prefix=PREFIX)
    app.include_router(events(backend, authenticate), prefix=PREFIX)
    app.include_router(_described(app), prefix=PREFIX)
    app.add_middleware(Limits, limits=backend.settings.api.limits)
    app.add_middleware(AccessLog)
    return app


def _described(app: FastAPI) -> APIRouter:
    """The description of the API, for whoever asks."""
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return tagged(request, document.text(app))

    return router
