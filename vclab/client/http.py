"""Use cases over HTTP: a question becomes a request, and what the server says its answer, or an error of the house."""

import asyncio
import os
import re
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from pydantic import SecretStr, TypeAdapter, ValidationError

from vclab.client import bounded
from vclab.client.contexts import Chosen
from vclab.client.problems import error_of
from vclab.contract.heard import HEARD
from vclab.contract.progress import LINES, Told, nobody
from vclab.contract.use_case import A, Content, Q, UseCase
from vclab.model.access import ResourceKind
from vclab.model.errors import Failed, Invalid, NotFound, Refused, Unreachable, VclabError
from vclab.model.typed import is_unicode, quoted

# httpx imports its own command line, with all of rich, wherever click is installed: an eighth of a second.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpx  # noqa: E402

if TYPE_CHECKING:
    from ssl import SSLContext

PREFIX = "/api/v1"
JSON = "application/json"
BYTES = "application/octet-stream"
CONNECT = 10.0
"""Seconds for a connection."""
READ = 60.0
"""Seconds that a read may take."""
ACT = 400.0
"""Seconds that an act may take: to open a computer takes up to 300, and a server that restarts is waited for."""
PAUSES = (0.2, 1.0, 3.0, 6.0, 10.0)
"""Seconds before the same is sent again, after a connection that was lost, or a server that was busy."""
PART = 1000
"""Lines of a long list that are asked for at once."""
MOST_ITEMS = 1_000_000
"""Lines of a long list."""
LONGEST = 15.0
"""Seconds for which a server may make us wait before it is asked again."""
_FIELD = re.compile(r"{(\w+)}")
VERSION_HEADER = "vclab-version"


@dataclass(frozen=True)
class _Answer:
    """What the server has said. ``document``: None when there is none, or what is there is no JSON."""

    status: int
    headers: httpx.Headers
    document: Any
    empty: bool = False


@dataclass(frozen=True)
class _Request:
    """What is sent. The key is the same each time that it is sent again."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    key: str = ""
    accept: str = JSON

    @property
    def seconds(self) -> float:
        """It may take so long, without a word."""
        return ACT if self.key or self.accept != JSON else READ


class Http:
    """Calls use cases at a server, as the person whose token it has."""

    def __init__(self, chosen: Chosen, told: Told = nobody, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """``told``: of the progress of what takes long; ``transport``: of tests, in whose process the server is."""
        self.url, self._chosen, self._told, self._transport = chosen.context.url, chosen, told, transport
        self._open: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        """As ``Client``. An act whose answer is lost is sent again with the same key, and done once."""
        request = _request(use_case, question)
        if use_case.content is Content.ANSWERED:
            return cast(A, self._file(request))
        answering = await self._good(request)
        document = answering.document
        if isinstance(document, dict) and document.keys() == {"items", "next"}:
            document = await self._whole(request, document, getattr(question, "limit", None))
        return self._understood(use_case, answering, document)

    async def send(self, use_case: UseCase[Q, A], question: Q, content: AsyncIterator[bytes]) -> A:
        """As ``Client``."""
        request = _request(use_case, question)
        try:
            answering = self._checked(await self._send(request, None, content))
        except httpx.TransportError as error:
            raise self._lost(error, request, True) from None
        return self._understood(use_case, answering, answering.document)

    async def post(self, path: str, form: Mapping[str, str]) -> tuple[int, Any]:
        """A form, for what is no use case; the status and the document. Raises as ``call``, but for what was told."""
        answer = await self._answered(_Request("POST", path), form)
        return answer.status, answer.document

    def streamed(
        self, path: str, query: Mapping[str, Any], headers: Mapping[str, str], silent: float
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """The answer to a GET while it comes. Raises ``httpx.TransportError``, also after ``silent`` seconds."""
        timeout = httpx.Timeout(CONNECT, read=silent)
        return self._http().stream("GET", PREFIX + path, params=query, headers=headers, timeout=timeout)

    async def close(self) -> None:
        """End its connections."""
        if self._open is not None:
            await self._open.aclose()
            self._open = None

    async def _good(self, request: _Request) -> _Answer:
        """What was answered. Raises the error that was told instead."""
        return self._checked(await self._answered(request))

    async def _file(self, request: _Request) -> AsyncIterator[bytes]:
        """The bytes that are answered. Raises as ``call``."""
        try:
            response = await self._http().send(self._built(request), stream=True)
            try:
                if not response.is_success:
                    self._checked(await self._read(response))
                async for piece in response.aiter_bytes():
                    yield piece
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise self._lost(error, request, True) from None

    def _understood(self, use_case: UseCase[Q, A], answering: _Answer, document: Any) -> A:
        """Raises ``Failed`` for what is not as the contract has it."""
        try:
            answer: A = _adapter(use_case).validate_python(document, extra="ignore", context=HEARD)
        except ValidationError:
            raise self._not_understood(answering) from None
        return answer

    def _checked(self, answer: _Answer) -> _Answer:
        """Raises the error that was told instead."""
        if not 200 <= answer.status < 300:
            raise error_of(answer.status, answer.document, self.url, self._other_version(answer))
        if answer.document is None and not answer.empty:
            raise self._not_understood(answer)
        return answer

    async def _whole(self, request: _Request, page: dict[str, Any], limit: int | None) -> list[Any]:
        """The list of which this is the first part; at most so many."""
        items = list(page["items"])
        while page["next"] and (limit is None or len(items) < limit):
            more = _Request(request.method, request.path, {**request.query, "cursor": page["next"]})
            page = (await self._good(more)).document
            items += page["items"]
            if len(items) > MOST_ITEMS:
                raise Failed(f"{self.url} answers with more than {MOST_ITEMS:,} lines", "ask for fewer of them")
        return items if limit is None else items[:limit]

    async def _answered(self, request: _Request, form: Mapping[str, str] | None = None) -> _Answer:
        """The answer, also to what had to be sent again. Raises ``Unreachable``, ``Refused``."""
        until, tries, sent = monotonic() + request.seconds, 0, False
        while True:
            try:
                answer = await self._send(request, form)
                pause = _wanted_pause(answer)
                if pause is None or (tries >= len(PAUSES) and answer.status != 409):
                    return answer
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if not sent or tries >= len(PAUSES):
                    raise self._lost(error, request, sent) from None
                pause = PAUSES[tries]
            except httpx.TransportError as error:
                sent = True
                if tries >= len(PAUSES) or monotonic() > until:
                    raise self._lost(error, request, sent) from None
                pause = PAUSES[tries]
            tries += 1
            if monotonic() + pause > until:
                raise Unreachable(f"{self.url} took too long", _again(request))
            await asyncio.sleep(pause)

    async def _send(
        self, request: _Request, form: Mapping[str, str] | None, content: AsyncIterator[bytes] | None = None
    ) -> _Answer:
        response = await self._http().send(self._built(request, form, content), stream=True)
        try:
            return await self._read(response)
        finally:
            await response.aclose()

    def _built(
        self,
        request: _Request,
        form: Mapping[str, str] | None = None,
        content: AsyncIterator[bytes] | None = None,
    ) -> httpx.Request:
        """Raises ``Invalid``."""
        headers = {"Accept": request.accept}
        headers |= {"Idempotency-Key": request.key} if request.key else {}
        headers |= {"Content-Type": BYTES} if content else {}
        try:
            return self._http().build_request(
                request.method,
                PREFIX + request.path,
                params=request.query,
                json=request.body,
                data=form,
                content=content,
                headers=headers,
                timeout=httpx.Timeout(request.seconds, connect=CONNECT),
            )
        except UnicodeEncodeError:
            raise Invalid("a text is not valid Unicode", "type it again") from None
        except ValueError:  # of JSON
            raise Invalid("a number is not finite") from None

    async def _read(self, response: httpx.Response) -> _Answer:
        """The whole answer, while its progress is told. Raises ``httpx.TransportError``, ``Failed``."""
        if response.headers.get("content-type", "").partition(";")[0] != LINES:
            body = await bounded.whole(response, bounded.LARGEST)
            return _Answer(response.status_code, response.headers, bounded.document(body), not body)
        async for text in bounded.lines(response, bounded.LARGEST):
            line = bounded.document(text)
            if not isinstance(line, dict):
                break
            if isinstance(told := line.get("progress"), dict):
                self._told(str(told.get("what")), int(told.get("done", 0)), int(told.get("size", 0)))
            elif isinstance(problem := line.get("problem"), dict):
                return _Answer(int(problem.get("status", 500)), response.headers, problem)
            elif "answer" in line:
                return _Answer(response.status_code, response.headers, line["answer"], line["answer"] is None)
        raise httpx.RemoteProtocolError("the lines ended before the answer")

    def _http(self) -> httpx.AsyncClient:
        """Connections of the loop that runs: a command may have several, one after the other."""
        loop = asyncio.get_running_loop()
        if self._open is None or self._loop is not loop:
            self._open, self._loop = self._made(), loop
        return self._open

    def _made(self) -> httpx.AsyncClient:
        headers = {"User-Agent": f"vclab/{version('vclab')}"}
        if self._chosen.token:
            headers["Authorization"] = f"Bearer {self._chosen.token}"
        transport = self._transport or httpx.AsyncHTTPTransport(verify=self._trusted(), socket_options=_keepalive())
        return httpx.AsyncClient(base_url=self.url, headers=headers, transport=transport)

    def _trusted(self) -> "SSLContext | bool":
        if not self.url.startswith("https:"):
            return False
        from vclab.client.certificates import trusting

        return trusting(self._chosen.context)

    def _lost(self, error: httpx.TransportError, request: _Request, sent: bool) -> VclabError:
        """Why there is no answer."""
        if why := _certificate_fault(error):
            return Refused(f"the certificate of {self.url} is not trusted: {why}", self._trust_hint())
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and not sent:
            why = _reason(error) or "no answer"
            return Unreachable(f"the server {self.url} does not answer: {why}", "is the URL right, and the network up?")
        return Unreachable(f"the connection to {self.url} was lost: {_reason(error) or 'no answer'}", _again(request))

    def _trust_hint(self) -> str:
        if self._chosen.context.certificate:
            return "it is not the one that was confirmed; ask the administrator, then `vclab login` again"
        return f"`vclab login {self.url} --ca FILE` names its authority"

    def _not_understood(self, answer: _Answer) -> Failed:
        hint = self._other_version(answer) or "it may be another version of vclab, or another kind of server"
        return Failed(f"what {self.url} answers is not understood", hint)

    def _other_version(self, answer: _Answer) -> str:
        """A hint, when the server is of another version; else empty."""
        ours, theirs = version("vclab"), answer.headers.get(VERSION_HEADER, "")
        return f"the server is vclab {theirs}, this is {ours}" if theirs and theirs != ours else ""


# --- the request -----------------------------------------------------------------------------------------------------


def _request(use_case: UseCase[Any, Any], question: Any) -> _Request:
    """Fields that the path names stand there; the others in the query, or in the body of what may hold a secret."""
    route, said = use_case.route, _said(question)
    path = _FIELD.sub(lambda found: _segment(use_case, found[1], getattr(question, found[1])), route.path)
    rest = {name: value for name, value in said.items() if name not in _FIELD.findall(route.path)}
    if use_case.content is not Content.NONE:
        return _Request(route.method, path, _query(rest), accept=JSON if use_case.content is Content.SENT else BYTES)
    key = uuid.uuid4().hex if use_case.acts else ""
    accept = f"{LINES}, {JSON}" if use_case.long else JSON
    if route.method in ("GET", "DELETE"):
        query = _query(rest)
        if "cursor" in use_case.question.model_fields:  # in as few parts as the server gives
            query["limit"] = min(query.get("limit", PART), PART)
        return _Request(route.method, path, query, None, key, accept)
    return _Request(route.method, path, {}, rest, key, accept)


def _query(rest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _words(value) for name, value in rest.items() if value is not None}


def _said(question: Any) -> dict[str, Any]:
    """What the question says itself; what it leaves to its defaults, it leaves to those of the server."""
    document: dict[str, Any] = question.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return {name: _revealed(getattr(question, name, value), value) for name, value in document.items()}


def _revealed(value: Any, shown: Any) -> Any:
    """A secret as it is: everything else as JSON has it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple | list) and isinstance(shown, list):
        return [_revealed(*each) for each in zip(value, shown, strict=True)]
    if isinstance(shown, dict):
        inner = value if isinstance(value, dict) else vars(value)
        return {name: _revealed(inner.get(name), each) for name, each in shown.items()}
    return shown


def _segment(use_case: UseCase[Any, Any], field: str, value: Any) -> str:
    """A part of a path, whatever is in it. What no path can say is the name of nothing: raises ``NotFound``, and
    ``Invalid`` where it is to be added."""
    text = str(value)
    if not text or not is_unicode(text):
        if use_case.route.method == "PUT":
            raise Invalid(f"{field} is {'not valid Unicode' if text else 'empty'}")
        kind = use_case.rule.over
        raise NotFound(
            f"there is nothing called {quoted(text)}"
            if kind is ResourceKind.LAB
            else f"there is no {kind} {quoted(text)}"
        )
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _words(value: Any) -> Any:
    """A value as a query has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return [_words(each) for each in value] if isinstance(value, list) else value


def _keepalive() -> list[tuple[int, int, int]]:
    """An answer may take minutes; a server that is gone is noticed within one."""
    import socket

    names = (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    known = [(getattr(socket, name), value) for name, value in names if hasattr(socket, name)]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *((socket.IPPROTO_TCP, *each) for each in known)]


# --- the answer ------------------------------------------------------------------------------------------------------


@cache
def _adapter(use_case: UseCase[Any, Any]) -> TypeAdapter[Any]:
    return TypeAdapter(use_case.answer)


def _wanted_pause(answer: _Answer) -> float | None:
    """Seconds after which the same may be asked again; None: this is the answer."""
    code = answer.document.get("code") if isinstance(answer.document, dict) else ""
    if answer.status not in (409, 429, 503) or code not in ("in_progress", "busy", "too_many"):
        return None
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isdigit() else 1.0
    return seconds if seconds <= LONGEST else None


def _again(request: _Request) -> str:
    return "it may have been done all the same: look before you try again" if request.key else "try again"


def _certificate_fault(error: BaseException | None) -> str:
    """What is wrong with the server's certificate; empty when that is not the fault."""
    ssl = sys.modules.get("ssl")
    while error is not None and ssl is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return str(error.verify_message)
        error = error.__cause__ or error.__context__
    return ""


def _reason(error: BaseException | None) -> str:
    """The words of the system for what has happened; empty when it has none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno and error.errno > 0:
            return os.strerror(error.errno)
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""
