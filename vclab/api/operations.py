"""The use cases of the contract as routes: a question is read, its use case is performed, the answer is sent."""

import hashlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, get_origin

import pydantic_core
from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from vclab import contract
from vclab.api import idempotency
from vclab.api.authentication import actor_of
from vclab.api.idempotency import Ids
from vclab.api.limits import Rate
from vclab.api.problems import ApiError, of_error, of_values
from vclab.contract import acts
from vclab.contract.use_case import Question, UseCase
from vclab.model.errors import VclabError
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.use_case import perform

Authenticate = Callable[[Backend, Request], Awaitable[Actor]]

JSON = "application/json"
LARGEST = 2**63 - 1
"""Of whole numbers: what a database takes."""

SECRET_ANSWERS = (acts.password.name,)
"""Acts whose answer is a secret. It is not kept for whoever asks again; they are asked again, which is harmless."""


def operations(backend: Backend, authenticate: Authenticate = actor_of) -> APIRouter:
    """A router with all of them, below ``/api/v1``."""
    router = APIRouter()
    limits = backend.settings.api.limits
    people = Rate(limits.person_rate, limits.person_burst)
    for use_case in contract.USE_CASES.values():
        router.add_api_route(
            use_case.route.path,
            Operation(backend, authenticate, people, use_case).answer,
            methods=[use_case.route.method],
            include_in_schema=False,  # ``document.py`` describes them
            response_model=None,
        )
    return router


@dataclass(frozen=True)
class Operation:
    """One use case over HTTP."""

    backend: Backend
    authenticate: Authenticate
    people: Rate
    use_case: UseCase[Any, Any]

    async def answer(self, request: Request) -> Response:
        """The answer to a request. Raises the errors of the house, which become problems."""
        actor = request.state.actor = await self.authenticate(self.backend, request)
        self.people.take(actor.login)
        question = await asked(self.use_case, request)
        if not self.use_case.acts:
            return await self._read(request, actor, question)
        await self._check_unchanged(request, actor)
        key = request.headers.get(idempotency.HEADER)
        if key is None or self.use_case.name in SECRET_ANSWERS:
            return await self._act(actor, question, Ids.new())
        fingerprint = idempotency.fingerprint(self.use_case.name, question)
        return await idempotency.once(
            self.backend, actor.login, key, fingerprint, lambda ids: self._act_or_problem(actor, question, ids)
        )

    async def _read(self, request: Request, actor: Actor, question: Question) -> Response:
        body = document(self.use_case, await perform(self.use_case, self.backend, actor, question))
        return tagged(request, body) if self.use_case.route.method == "GET" else plain(body)

    async def _act(self, actor: Actor, question: Question, ids: Ids) -> Response:
        if isinstance(question, acts.Reserve) and not question.reservation:
            question = question.model_copy(update={"reservation": ids.reservation})
        answer = await perform(self.use_case, self.backend, actor, question, intent=ids.intent)
        return plain(document(self.use_case, answer))

    async def _act_or_problem(self, actor: Actor, question: Question, ids: Ids) -> Response:
        """A refusal is an answer too, which whoever asks again gets."""
        try:
            return await self._act(actor, question, ids)
        except VclabError as error:
            return of_error(error)
        except ValidationError as error:
            return of_values(error)

    async def _check_unchanged(self, request: Request, actor: Actor) -> None:
        """If-Match: the thing is as the caller knows it. Raises ``ApiError``."""
        known = request.headers.get("if-match")
        if known is None:
            return
        shown = same_place(self.use_case)
        if shown is None:
            raise ApiError("invalid", "this act can't be bound to a state", "leave If-Match out")
        question = shown.question.model_validate(request.path_params)
        body = document(shown, await perform(shown, self.backend, actor, question))
        if not matches(known, etag(body)):
            raise ApiError("changed", "it has changed since it was read", "read it again, and decide anew")


def same_place(use_case: UseCase[Any, Any]) -> UseCase[Any, Any] | None:
    """The read of the thing that an act changes: the GET of the same path."""
    path = use_case.route.path
    return next(
        (each for each in contract.USE_CASES.values() if each.route.method == "GET" and each.route.path == path), None
    )


# --- the question ----------------------------------------------------------------------------------------------------


async def asked(use_case: UseCase[Any, Any], request: Request) -> Question:
    """What the request asks. Raises ``ApiError``, ``ValidationError``, and what the question's own checks raise."""
    values = _in_query(use_case, request) if in_query(use_case) else await _in_body(request)
    for name in request.path_params:
        if name in values:
            raise ApiError("invalid", f"{name} stands in the path, and can't be said again")
    values |= request.path_params
    _check_sound(values)
    if use_case is acts.reserve:
        values.setdefault("reservation", "")  # the server makes an id
    question: Question = use_case.question.model_validate(values)
    return question


def in_query(use_case: UseCase[Any, Any]) -> bool:
    """What is not in the path is in the query; else in the body."""
    return use_case.route.method in ("GET", "DELETE")


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
