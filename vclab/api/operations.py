"""The use cases of the contract as routes: a question is read, its use case is performed, the answer is sent."""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_origin

import pydantic_core
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter, ValidationError

from vclab import contract
from vclab.api import idempotency, lines
from vclab.api.guard import Authenticate
from vclab.api.idempotency import Ids
from vclab.api.paths import named
from vclab.api.problems import ApiError, of_raised
from vclab.contract import acts, tokens
from vclab.contract.progress import Told, nobody
from vclab.contract.use_case import Content, Paged, Question, UseCase
from vclab.model.errors import VclabError
from vclab.model.typed import is_unicode
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.use_case import perform
from vclab.store import intents

JSON = "application/json"
BYTES = "application/octet-stream"
LARGEST = 2**63 - 1
"""Of whole numbers: what a database takes."""

PAGE, LARGEST_PAGE = 100, 1000
"""Lines of a part of a long list, where nobody says how many, and at most."""

SECRET_ANSWERS = (acts.password.name, tokens.create.name)
"""Acts whose answer is a secret. It is not kept for whoever asks again; they are asked again, which is harmless."""


def operations(backend: Backend, authenticate: Authenticate) -> APIRouter:
    """A router with all of them, below ``/api/v1``. ``asked`` reads what is sent, and ``document.py`` describes it: of
    the framework only the routing is needed, and so its plain routes, which answer HEAD where they answer GET."""
    router = APIRouter()
    for use_case in contract.USE_CASES.values():
        operation = Operation(backend, authenticate, use_case)
        router.add_route(use_case.route.path, operation.answer, methods=[use_case.route.method])
    return router


@dataclass(frozen=True)
class Asking:
    """Who asks, and what. ``told``: how far it is."""

    request: Request
    actor: Actor
    question: Question
    told: Told = nobody


@dataclass(frozen=True)
class Operation:
    """One use case over HTTP."""

    backend: Backend
    authenticate: Authenticate
    use_case: UseCase[Any, Any]

    async def answer(self, request: Request) -> Response:
        """The answer to a request. Raises the errors of the house, which become problems."""
        request.state.path = self.use_case.route.path
        actor = await self.authenticate(self.backend, request)
        question = await asked(self.use_case, request)
        if self.use_case.content is not Content.NONE:
            return await self._file(request, actor, question)
        asking = Asking(request, actor, question)
        if self.use_case.long and lines.wanted(request):
            return lines.as_lines(lambda told: self._done(replace(asking, told=told)))
        return await self._done(asking)

    async def _file(self, request: Request, actor: Actor, question: Question) -> Response:
        """A file is sent, or it is the answer."""
        await self._check_unchanged(request, actor, Ids.new())
        if self.use_case.content is Content.SENT:
            answer = await perform(self.use_case, self.backend, actor, question, content=request.stream())
            return plain(document(self.use_case, answer))
        content = await perform(self.use_case, self.backend, actor, question)
        return StreamingResponse(content, media_type=BYTES, headers={"Cache-Control": "private, no-store"})

    async def _done(self, asking: "Asking") -> Response:
        if not self.use_case.acts:
            return await self._read(asking)
        key = asking.request.headers.get(idempotency.HEADER)
        if key is None or not takes_key(self.use_case):
            return await self._act(asking, Ids.new())
        fingerprint = idempotency.fingerprint(self.use_case.name, asking.question)
        login = asking.actor.login
        return await idempotency.once(
            self.backend, login, key, fingerprint, lambda ids: self._act_or_problem(asking, ids)
        )

    async def _read(self, asking: "Asking") -> Response:
        request, question = asking.request, asking.question
        if isinstance(question, Paged):
            body = await self._page(asking.actor, question)
        else:
            answer = await perform(self.use_case, self.backend, asking.actor, question, asking.told)
            body = document(self.use_case, answer)
        return tagged(request, body) if self.use_case.route.method == "GET" else plain(body)

    async def _page(self, actor: Actor, question: Paged) -> bytes:
        """A part of a long list. One more than is sent is asked for: so it is known whether the list goes on."""
        most = min(question.limit, LARGEST_PAGE) if "limit" in question.model_fields_set else PAGE
        wanted = question.model_copy(update={"limit": most + 1 if most > 0 else most})
        found = await perform(self.use_case, self.backend, actor, wanted)
        last = found[most - 1] if len(found) > most else None
        return document(self.use_case, found[:most], _cursor(last, self.use_case.pages))

    async def _act(self, asking: "Asking", ids: Ids) -> Response:
        question = asking.question
        await self._check_unchanged(asking.request, asking.actor, ids)
        if isinstance(question, acts.Reserve) and not question.reservation:
            question = question.model_copy(update={"reservation": ids.reservation})
        done = await perform(self.use_case, self.backend, asking.actor, question, asking.told, ids.intent)
        return plain(document(self.use_case, done))

    async def _act_or_problem(self, asking: "Asking", ids: Ids) -> Response:
        """A refusal is an answer too, which whoever asks again gets."""
        try:
            return await self._act(asking, ids)
        except (VclabError, ValidationError) as error:
            return of_raised(error)

    async def _check_unchanged(self, request: Request, actor: Actor, ids: Ids) -> None:
        """If-Match: the thing is as the caller knows it. Raises ``ApiError``. An act whose intent is recorded was
        begun when it was so: whoever repeats it with its key may see what it has changed itself."""
        known = request.headers.get("if-match")
        if known is None or not self.use_case.acts:
            return
        if await self.backend.read(lambda session: intents.is_recorded(session, ids.intent)):
            return
        shown = same_place(self.use_case)
        if shown is None:
            raise ApiError("invalid", "this act can't be bound to a state", "leave If-Match out")
        question = shown.question.model_validate(named(request))
        body = document(shown, await perform(shown, self.backend, actor, question))
        if not matches(known, etag(body)):
            raise ApiError("changed", "it has changed since it was read", "read it again, and decide anew")


def _cursor(last: Any, field: str) -> str | None:
    """What names the last line of a part; None: there are no more parts."""
    return None if last is None else str(getattr(last, field))


def takes_key(use_case: UseCase[Any, Any]) -> bool:
    """An act that is done once for each key. A file goes on where it ended, and so is never sent twice."""
    return use_case.acts and use_case.name not in SECRET_ANSWERS and use_case.content is Content.NONE


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
    in_path = named(request)
    for name in in_path:
        if name in values:
            raise ApiError("invalid", f"{name} stands in the path, and can't be said again")
    values |= in_path
    _check_sound(values)
    if use_case is acts.reserve:
        values.setdefault("reservation", "")  # the server makes an id
    question: Question = use_case.question.model_validate(values)
    return question


def in_query(use_case: UseCase[Any, Any]) -> bool:
    """What is not in the path is in the query; else in the body."""
    return use_case.route.method in ("GET", "DELETE") or use_case.content is not Content.NONE


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
    elif isinstance(value, str) and ("\0" in value or (not value.isascii() and not is_unicode(value))):
        raise ApiError("invalid", "a text has a character that can't be stored", "leave U+0000 and surrogates out")
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise ApiError("invalid", "a number is too large")


# --- the answer ------------------------------------------------------------------------------------------------------


def is_list(use_case: UseCase[Any, Any]) -> bool:
    """Its answer is a list, which is sent as ``{"items": […], "next": null}``."""
    return get_origin(use_case.answer) is tuple


def document(use_case: UseCase[Any, Any], answer: Any, follows: str | None = None) -> bytes:
    """The JSON text of an answer; empty when there is nothing to say. ``follows``: the cursor of what follows."""
    if answer is None:
        return b""
    text = _adapter(use_case.name).dump_json(answer, by_alias=True)
    return b'{"items":%b,"next":%b}' % (text, pydantic_core.to_json(follows)) if is_list(use_case) else text


@cache
def _adapter(use_case: str) -> TypeAdapter[Any]:
    return TypeAdapter(contract.USE_CASES[use_case].answer)


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
