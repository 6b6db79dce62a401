"""``GET /events``: what changes, as server-sent events, for as long as somebody listens.

| event | data | |
|---|---|---|
| `start` | `{}` | from its id on all is told: read the lists now |
| `reset` | `{"why"}` | as `start`, but something before it was lost: read them anew |
| `change` | `{"kind", "thing", "owner"}` | the thing is another now: read it again |
| `look` | as `GET /reservations/{reservation}/status` | of each one that is watched by `reservation=`; has no id |
| `end` | `{"code", "detail", "hint"}` | the last one, and why |

The id is the cursor. Who lost the connection goes on with `Last-Event-ID`, or `after=`, at this server or another one.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from vclab.api.problems import words
from vclab.contract import reservations
from vclab.contract.looks import Look
from vclab.model.errors import Invalid, Unreachable, VclabError
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.finding import seen_reservation
from vclab.service.live import Start, Subscription, Watcher, newest_of_each
from vclab.service.live_looks import LiveLooks, Seen
from vclab.service.rights import Hearing, hearing
from vclab.store.feed import Change

Authenticate = Callable[[Backend, Request], Awaitable[Actor]]

HEARTBEAT = 15.0
"""Seconds after which something is sent in any case, and it is asked again who listens: they may be gone by then."""
AWAY = 1.0
"""Seconds after which it is asked again while the database does not answer."""
RETRY = 2000
"""Milliseconds after which a browser connects again."""
MOST_WATCHED = 20
"""Reservations whose looks one stream has."""
MOST_STREAMS = 20
"""Of one person at one server."""
PEOPLES = frozenset({"reservation", "user", "token", "group", "grant"})
"""Kinds of things that are somebody's, or that tell of people. Everybody may see that any other thing has changed,
but for images that are hidden from them."""


@dataclass(frozen=True)
class Filter:
    """What a stream is about; empty: everything."""

    kinds: frozenset[str] = frozenset()
    things: frozenset[str] = frozenset()

    def fits(self, change: Change) -> bool:
        """Whether it is about that."""
        return (not self.kinds or change.kind in self.kinds) and (not self.things or change.thing in self.things)


async def hearing_of(backend: Backend, actor: Actor) -> Hearing:
    """Of whom the actor may hear now. Raises ``Unreachable``."""
    return await backend.read(lambda session: hearing(session, actor))


def may_hear(hears: Hearing, change: Change) -> bool:
    """One's own; other people's as far as roles reach."""
    if change.kind == "image":
        return change.thing not in hears.hidden
    return change.kind not in PEOPLES or hears.of(change)


def events(backend: Backend, authenticate: Authenticate) -> APIRouter:
    """The router of the stream. All streams of it share one watcher."""
    router, streams = APIRouter(), Streams(backend, authenticate)

    @router.get("/events", operation_id="events.listen", tags=["events"])
    async def listen(
        request: Request,
        kind: Annotated[list[str], Query()] = [],  # noqa: B006
        thing: Annotated[list[str], Query()] = [],  # noqa: B006
        reservation: Annotated[list[str], Query()] = [],  # noqa: B006
        after: str = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> StreamingResponse:
        """Raises before it begins what is wrong with the question."""
        actor = await authenticate(backend, request)
        cursor = _cursor(last_event_id or after)
        watched = await streams.watched(actor, reservation)
        hears = await hearing_of(backend, actor)
        stream = Stream(request, actor, hears, Filter(frozenset(kind), frozenset(thing)), watched, cursor)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(streams.run(stream), headers=headers, media_type="text/event-stream")

    return router


def _cursor(said: str) -> int | None:
    """The number that somebody goes on from. Raises ``Invalid``."""
    if not said:
        return None
    if not (said.isascii() and said.isdecimal() and len(said) <= 18):
        raise Invalid("`after` is no id of an event", "leave it out to hear what comes from now on")
    return int(said)


def _next_check() -> float:
    """When it is asked again who listens, by the loop's clock. Never of all at one moment: news would wait for that."""
    return asyncio.get_running_loop().time() + HEARTBEAT * random.uniform(0.5, 1.0)


@dataclass
class Stream:
    """What one listener gets."""

    request: Request
    actor: Actor
    hears: Hearing
    filter: Filter
    watched: tuple[str, ...]
    after: int | None
    due: float = field(default_factory=_next_check)

    @property
    def pause(self) -> float:
        """Seconds until it is asked again who listens."""
        return max(0.0, self.due - asyncio.get_running_loop().time())

    def wants(self, change: Change) -> bool:
        """What it is told of, and what says that the listener may have changed."""
        return self.concerns_listener(change) or (self.filter.fits(change) and may_hear(self.hears, change))

    def concerns_listener(self, change: Change) -> bool:
        """Their entry or their tokens have changed: perhaps they may not listen any more."""
        return change.kind in ("user", "token") and change.owner == self.actor.login

    def told(self, changes: Iterable[Change]) -> bytes:
        """The changes as events."""
        return b"".join(_change(each) for each in changes if self.filter.fits(each) and may_hear(self.hears, each))


class Streams:
    """All streams of this process."""

    def __init__(self, backend: Backend, authenticate: Authenticate) -> None:
        self._backend = backend
        self._authenticate = authenticate
        self._watcher = Watcher(backend)
        self._looks = LiveLooks(backend, self._watcher)
        self._open: dict[str, int] = {}

    async def watched(self, actor: Actor, names: Sequence[str]) -> tuple[str, ...]:
        """The ids of the reservations that are to be looked at. Raises ``NotFound``, also for other people's."""
        if len(names) > MOST_WATCHED:
            raise Invalid(f"at most {MOST_WATCHED} reservations are watched at a time", "leave some out")
        found = [(await seen_reservation(self._backend, actor, name)).view.id for name in names]
        return tuple(dict.fromkeys(found))

    async def run(self, stream: Stream) -> AsyncIterator[bytes]:
        """The bytes of a stream, until the listener goes away, or may not listen any more."""
        login = stream.actor.login
        yield f"retry: {RETRY}\n\n".encode()
        if self._open.get(login, 0) >= MOST_STREAMS:
            yield _end("too_many", f"{login} listens {MOST_STREAMS} times here already", "close one of them")
            return
        self._open[login] = self._open.get(login, 0) + 1
        try:
            async for each in self._told(stream):
                yield each
        except VclabError as error:
            yield _end(error.code, *words(error))
        finally:
            self._open[login] -= 1
            if not self._open[login]:
                del self._open[login]

    async def _told(self, stream: Stream) -> AsyncIterator[bytes]:
        async with AsyncExitStack() as stack:
            mine = await stack.enter_async_context(self._watcher.subscribed(stream.wants))
            async for chunk in self._beginning(stream, mine):
                yield chunk
            seen = [await stack.enter_async_context(self._looks.watched(id)) for id in stream.watched]
            merged = await stack.enter_async_context(aclosing(_merged(stream, mine, seen)))
            async for news in merged:
                if news is True:
                    yield _end("busy", "this server stops", "connect again")
                    return
                if isinstance(news, Look):
                    yield _look(news)
                    continue
                await self._check(stream, news)
                yield stream.told(news) or b":\n\n"

    async def _beginning(self, stream: Stream, mine: Subscription) -> AsyncIterator[bytes]:
        """What was missed, and that it begins."""
        if stream.after is None:
            yield _event("start", {}, mine.number)
            return
        async for each in self._watcher.missed(mine, stream.after):
            if not isinstance(each, Start):
                yield stream.told(newest_of_each(each))
            elif each.gap:
                why = "what came before was deleted meanwhile, or the database was put back"
                yield _event("reset", {"why": why}, each.number)
            else:
                yield _event("start", {}, each.number)

    async def _check(self, stream: Stream, news: list[Change]) -> None:
        """Ask again who listens, if it is time. Raises what says that they may not any more."""
        if stream.pause > 0 and not any(map(stream.concerns_listener, news)):
            return
        stream.due = _next_check()
        try:
            stream.actor = await self._authenticate(self._backend, stream.request)
            stream.hears = await hearing_of(self._backend, stream.actor)
            await self.watched(stream.actor, stream.watched)  # whether they still may
        except Unreachable:  # then nothing new is told, either
            stream.due = asyncio.get_running_loop().time() + AWAY


async def _merged(
    stream: Stream, mine: Subscription, seen: list[Seen]
) -> AsyncGenerator[list[Change] | Look | Literal[True], None]:
    """What comes first of the changes and of the looks; an empty list when it is time to ask who listens; true when the
    server stops, which waits for all that it answers."""
    running: dict[asyncio.Task[Any], Callable[[], Any]] = {}

    def ask(question: Callable[[], Any]) -> None:
        running[asyncio.ensure_future(question())] = question

    ask(stream.request.app.state.stopping.wait)
    ask(lambda: mine.take(stream.pause))
    for each in seen:
        ask(each.take)
    try:
        while True:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                question = running.pop(task)
                yield task.result()
                ask(question)
    finally:
        for task in running:
            task.cancel()


@lru_cache(4096)  # the same for all who hear of it
def _change(change: Change) -> bytes:
    return _event("change", {"kind": change.kind, "thing": change.thing, "owner": change.owner or None}, change.number)


def _look(look: Look) -> bytes:
    return _event("look", reservations.look.document(look))


def _end(code: str, detail: str, hint: str) -> bytes:
    return _event("end", {"code": code, "detail": detail, "hint": hint})


def _event(name: str, data: Any, number: int | None = None) -> bytes:
    """As the standard has it. JSON has no line break, so the data are one line."""
    id = "" if number is None else f"id: {number}\n"
    return f"{id}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
