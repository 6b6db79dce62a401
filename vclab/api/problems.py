"""Problems (RFC 9457): everything that is not an answer says what is wrong, by a stable code, and what to change.

Neither a traceback nor a secret is ever among it.
"""

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from vclab.model.errors import DATABASE, TEMPORAL, TooMany, Unreachable, VclabError
from vclab.model.wrong_values import complaint

log = logging.getLogger("vclab.api")

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[str, int] = {
    "not_json": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_allowed": 405,
    "too_slow": 408,
    "refused": 409,
    "failed": 409,
    "in_progress": 409,
    "changed": 412,
    "too_large": 413,
    "not_json_type": 415,
    "invalid": 422,
    "key_reused": 422,
    "too_many": 429,
    "head_too_large": 431,
    "internal": 500,
    "unreachable": 503,
    "busy": 503,
}
"""The stable codes, each with its status. Of vclab's own errors they are ``VclabError.code``."""

RETRY_AFTER = 5
"""Seconds after which what did not answer may be asked again."""

_SECRET = re.compile("password|secret|token")

_AGAIN = ("unreachable", "busy", "in_progress")
_OF_FRAMEWORK = {400: "invalid", 404: "not_found", 405: "not_allowed", 413: "too_large", 415: "not_json_type"}


class Mistake(BaseModel):
    """What is wrong with one value."""

    model_config = ConfigDict(extra="forbid")

    field: str  #: "data.datastore"; empty: the whole
    message: str


class Problem(BaseModel):
    """Why there is no answer. ``code`` is stable, the texts are for people."""

    model_config = ConfigDict(extra="forbid")

    type: str  #: "urn:vclab:problem:" and the code
    title: str
    status: int
    detail: str  #: what is wrong
    code: str
    hint: str  #: what to change; empty: nothing helps
    errors: tuple[Mistake, ...]  #: of values that were sent
    more: dict[str, Any]  #: for programs


_GOES_ON = {
    DATABASE: "computers that are in use stay so; ask again in a minute",
    TEMPORAL: "lists and what is shown still work, and computers that are in use stay so; ask again in a minute",
}
"""What still works while a part of the installation is away."""


class ApiError(VclabError):
    """A problem of the HTTP side, raised where it is found. ``code`` is one of ``STATUS``."""

    def __init__(self, code: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, hint)
        self.problem, self.headers = code, dict(headers or {})


def problem(
    code: str,
    detail: str,
    hint: str = "",
    errors: Sequence[Mistake] = (),
    headers: Mapping[str, str] | None = None,
    rest: Mapping[str, Any] | None = None,
) -> Response:
    """The answer that says so. ``rest``: what is ``more`` of it."""
    status = STATUS.get(code, 409)
    fields = {"Retry-After": str(RETRY_AFTER)} if code in _AGAIN else {}
    fields |= {"WWW-Authenticate": 'Bearer realm="vclab"'} if code == "unauthenticated" else {}
    shown = Problem(
        type=f"urn:vclab:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        hint=hint,
        errors=tuple(errors),
        more=dict(rest or {}),
    )
    return Response(shown.model_dump_json(), status, fields | dict(headers or {}), MEDIA_TYPE)


def of_error(error: VclabError) -> Response:
    """An error of the house."""
    if isinstance(error, ApiError):
        return problem(error.problem, error.message, error.hint, headers=error.headers)
    if isinstance(error, TooMany):
        return problem(error.code, error.message, error.hint, headers={"Retry-After": str(error.retry_after)})
    detail, hint = words(error)
    return problem(error.code if error.code in STATUS else "failed", detail, hint, rest=error.more)


def words(error: VclabError) -> tuple[str, str]:
    """What is wrong and what to do, for people who do not run the installation. The rest is in the log."""
    if isinstance(error, Unreachable) and error.part:
        log.warning("%s", error)
        return f"{error.part} does not answer", _GOES_ON[error.part]
    return error.message, error.hint


def of_raised(error: VclabError | ValidationError) -> Response:
    """What a use case, or a check of its question, has raised."""
    return of_values(error) if isinstance(error, ValidationError) else of_error(error)


def of_values(error: ValidationError) -> Response:
    """What pydantic has found. Only names of fields and short values are shown; a secret's value never is."""
    found = error.errors(include_url=False, include_context=True)
    mistakes = [Mistake(field=".".join(map(str, each["loc"])), message=_words(each)) for each in found]
    first = mistakes[0]
    return problem("invalid", f"{first.field} {first.message}".strip(), "mend what `errors` names", mistakes)


def _words(found: Mapping[str, Any]) -> str:
    """What is wrong, without the value where that is a secret."""
    if any(_SECRET.search(str(part)) for part in found["loc"]):
        return complaint({**found, "input": "…"})
    return complaint(found)


def install(app: FastAPI) -> None:
    """Have the framework answer like this too."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, VclabError)
        return of_error(error)

    async def values(request: Request, error: Exception) -> Response:
        assert isinstance(error, ValidationError)
        return of_values(error)

    async def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, ApiError):  # a form whose body is over a limit
            return of_error(error.__cause__)
        code = _OF_FRAMEWORK.get(error.status_code, "failed")
        what = f"{request.method} {request.url.path[:200]}"
        known = {"not_found": f"there is no route {what}", "not_allowed": f"{what} is not offered"}
        hint = "/api/v1/openapi.json describes what is offered" if code in known else ""
        return problem(code, known.get(code, str(error.detail)), hint, headers=error.headers)

    async def of_request(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        mistakes = [Mistake(field=".".join(map(str, each["loc"][1:])), message=complaint(each)) for each in found]
        return problem("invalid", "what was sent is not understood", "mend what `errors` names", mistakes)

    app.add_exception_handler(VclabError, ours)
    app.add_exception_handler(ValidationError, values)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_request)


def fault() -> Response:
    """An error of vclab itself. What it was stands in the log only, under the number that is told. Called while it is
    handled."""
    number = uuid.uuid4().hex[:12]
    log.exception("a fault, told as %s", number)
    return problem("internal", f"a fault in vclab, which its log has as {number}", "tell an operator that number")
