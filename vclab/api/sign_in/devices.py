"""Programs that have no browser ask for a token, and wait until somebody lets them in (RFC 8628)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from vclab.api import cookies
from vclab.api.authentication import address_of
from vclab.model.tokens import ALL
from vclab.service import checks, sign_in
from vclab.service.backend import Backend
from vclab.service.sign_in import INTERVAL
from vclab.service.tokens import parse_scopes

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_NO_STORE = {"Cache-Control": "no-store"}


class Begun(BaseModel):
    """What the program shows, and by what it asks again."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int  #: seconds
    interval: float  #: seconds between two questions


class Granted(BaseModel):
    """The program was let in. ``access_token`` is shown this once."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: int  #: seconds
    scope: str


class NotGranted(BaseModel):
    """Why there is no token (yet), in the words of RFC 8628 §3.5."""

    error: Literal["authorization_pending", "slow_down", "access_denied", "expired_token", "unsupported_grant_type"]


def devices(backend: Backend) -> APIRouter:
    """Both routes, below ``/api/v1``: forms, as RFC 8628 has them. Errors are its words: ``{"error": "slow_down"}``."""
    router = APIRouter(tags=["device"])  # they are OAuth's, not use cases

    @router.post(
        "/device",
        operation_id="device.begin",
        summary="Ask to be let in, for a person whose browser is elsewhere (RFC 8628)",
    )
    async def begin(
        request: Request,
        response: Response,
        client_id: Annotated[str, Form(max_length=60)] = "vclab",
        client_name: Annotated[str, Form(max_length=200)] = "",
        scope: Annotated[str, Form(max_length=200)] = "",
    ) -> Begun:
        scopes = parse_scopes(tuple(scope.split())) if scope else ALL
        name = f"{client_id} on {client_name}" if client_name else client_id
        name = checks.line(name, "the name of the program", 60)
        device_code, asked = await sign_in.wait_for_person(backend, name, scopes, address_of(request))
        page = f"{cookies.public_url(request)}/device"
        response.headers.update(_NO_STORE)
        return Begun(
            device_code=device_code,
            user_code=asked.user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?user_code={asked.user_code}",
            expires_in=int((asked.expires_at - asked.created_at).total_seconds()),
            interval=INTERVAL,
        )

    @router.post(
        "/device/token",
        operation_id="device.token",
        summary="The token, once the person has let the program in",
        response_model=Granted,
        responses={400: {"model": NotGranted, "description": "There is no token, yet or at all."}},
    )
    async def token(
        request: Request,
        device_code: Annotated[str, Form(max_length=200)],
        grant_type: Annotated[str, Form(max_length=100)] = GRANT,
        client_id: Annotated[str, Form(max_length=60)] = "vclab",
    ) -> Response:
        if grant_type != GRANT:
            return JSONResponse({"error": "unsupported_grant_type"}, 400, _NO_STORE)
        why_not, secret, made = await sign_in.token_for_program(backend, device_code)
        if made is None:
            return JSONResponse({"error": why_not}, 400, _NO_STORE)
        seconds = int((made.expires_at - made.created_at).total_seconds())
        granted = Granted(access_token=secret, expires_in=seconds, scope=" ".join(sorted(made.scopes)))
        return JSONResponse(granted.model_dump(), 200, _NO_STORE)

    return router
