"""The use cases of the contract as routes: a question is read, its use case is performed, the answer is sent."""

import hashlib
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, get_origin

import pydantic_core
from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from vclab.api.authentication import actor_of
from vclab.api.limits import Rate
from vclab.api.problems import ApiError
from vclab.api.routes import ROUTES, Route
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.use_case import USE_CASES, Question, UseCase

Authenticate = Callable[[Backend, Request], Awaitable[Actor]]

JSON = "application/json"
LARGEST = 2**63 - 1
"""Of whole numbers: what a database takes."""


def operations(backend: Backend, authenticate: Authenticate = actor_of) -> APIRouter:
    """A router with all of them, below ``/api/v1``."""
    router = APIRouter()
    limits = backend.settings.api.limits
    people = Rate(limits.person_rate, limits.person_burst)
    for use_case in in_order(USE_CASES.values()):
        route = ROUTES[use_case.name]
        router.add_api_route(
            route.path,
            _endpoint(backend, authenticate, use_case, route, people),
            methods=[route.method],
            include_in_schema=False,  # ``document.py`` describes them
            response_model=None,
        )
    return router


def in_order(use_cases: Iterable[UseCase[Any, Any]]) -> list[UseCase[Any, Any]]:
    """Those with fixed paths first: ``/hosts/resting`` is no host."""
    return sorted((each for each in use_cases if each.name in ROUTES), key=_path)


def _path(use_case: UseCase[Any, Any]) -> list[str]:
    return ROUTES[use_case.name].path.replace("{", "~").split("/")


def _endpoint(
    backend: Backend, authenticate: Authenticate, use_case: UseCase[Any, Any], route: Route, people: Rate
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        actor = request.state.actor = await authenticate(backend, request)
        people.take(actor.login)
        question = await asked(use_case, route, request)
        body = document(use_case, await use_case(backend, actor, question))
        return tagged(request, body) if route.method == "GET" else plain(body)

    return endpoint


# --- the question ----------------------------------------------------------------------------------------------------


async def asked(use_case: UseCase[Any, Any], route: Route, request: Request) -> Question:
    """What the request asks. Raises ``ApiError``, ``ValidationError``, and what the question's own checks raise."""
    in_query = route.method in ("GET", "DELETE")
    values = _in_query(use_case, request) if in_query else await _in_body(request)
    for name in request.path_params:
        if name in values:
            raise ApiError("invalid", f"{name} stands in the path, and can't be said again")
    values |= request.path_params
    _check_sound(values)
    question: Question = use_case.question.model_validate(values)
    return question


def _in_query(use_case: UseCase[Any, Any], request: Request) -> dict[str, Any]:
    """Raises ``ApiError`` for what is said twice, and is no list."""
    values: dict[str, Any] = {}
    for name in request.query_params:
        said = request.query_params.getlist(name)
        field = use_case.question.model_fields.get(name)
        several = field is not None and get_origin(field.annotation) is tuple
        if len(said) > 1 and not several:
            raise ApiError("invalid", f"{name[:60]!r} is said {len(said)} times")
        values[name] = said if several else said[0]
    return values


async def _in_body(request: Request) -> dict[str, Any]:
    """A JSON object; nothing at all is an empty one. Raises ``ApiError``."""
    if request.query_params:
        raise ApiError("invalid", "an act takes nothing from the query", "send it in the JSON body")
    body = await request.body()
    if not body:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise ApiError("not_json_type", f"the body is {media_type[:60] or 'of no type'!r}", f"send {JSON}")
    try:
        found = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError("not_json", f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ApiError("invalid", "the body must be a JSON object")
    return found


def _check_sound(value: Any) -> None:
    """No text or number that a database can't take. Raises ``ApiError``."""
    if isinstance(value, dict):
        for name, each in value.items():
            _check_sound(name)
            _check_sound(each)
    elif isinstance(value, list):
        for each in value:
            _check_sound(each)
    elif isinstance(value, str) and ("\0" in value or (not value.isascii() and not _is_unicode(value))):
        raise ApiError("invalid", "a text has a character that can't be stored", "leave U+0000 and surrogates out")
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise ApiError("invalid", "a number is too large")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- the answer ------------------------------------------------------------------------------------------------------


def is_list(use_case: UseCase[Any, Any]) -> bool:
    """Its answer is a list, which is sent as ``{"items": […], "next": null}``."""
    return get_origin(use_case.answer) is tuple


def document(use_case: UseCase[Any, Any], answer: Any) -> bytes:
    """The JSON text of an answer; empty when there is nothing to say."""
    if answer is None:
        return b""
    text = TypeAdapter(use_case.answer).dump_json(answer, by_alias=True)
    return b'{"items":' + text + b',"next":null}' if is_list(use_case) else text


def plain(body: bytes) -> Response:
    """The answer to an act."""
    return Response(body, media_type=JSON) if body else Response(status_code=204)


def tagged(request: Request, body: bytes) -> Response:
    """The answer to a read, or that it is as the caller knows it."""
    tag = etag(body)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def etag(body: bytes) -> str:
    """A strong one."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def matches(header: str, tag: str) -> bool:
    """Whether ``If-Match`` or ``If-None-Match`` names the tag."""
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in named or tag in named
