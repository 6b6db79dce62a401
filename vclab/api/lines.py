"""The answer to what takes long, as lines: how far it is, and at last the answer or the problem.

``vclab/contract/progress.py`` says what is in a line.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pydantic_core
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from vclab.api.problems import fault, of_raised
from vclab.contract.progress import LINES, QUIET, Told
from vclab.model.errors import VclabError

Work = Callable[[Told], Awaitable[Response]]


def wanted(request: Request) -> bool:
    """Whether who asks takes lines."""
    return LINES in request.headers.get("accept", "")


def as_lines(work: Work) -> Response:
    """The work, told line by line. When whoever asks goes away, it is cancelled."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(work), headers=headers, media_type=LINES)


async def _lines(work: Work) -> AsyncIterator[bytes]:
    loop, news = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def told(what: str, done: int, size: int) -> None:
        progress = pydantic_core.to_json({"progress": {"what": what, "done": done, "size": size}})
        loop.call_soon_threadsafe(news.put_nowait, progress)

    async def run() -> None:
        news.put_nowait(_last(await _answer(work, told)))

    running = asyncio.create_task(run())
    try:
        while True:
            line = await _next(news)
            yield line + b"\n"
            if running.done() and news.empty():
                return
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _next(news: "asyncio.Queue[bytes]") -> bytes:
    """The newest that is told: of what has gathered, nobody needs more. Nothing: that there still is somebody."""
    try:
        async with asyncio.timeout(QUIET):
            line = await news.get()
    except TimeoutError:
        return b"{}"
    while not news.empty():
        line = news.get_nowait()
    return line


async def _answer(work: Work, told: Told) -> Response:
    try:
        return await work(told)
    except VclabError as error:
        return of_raised(error)
    except Exception:
        return fault()


def _last(answer: Response) -> bytes:
    kind = b"answer" if answer.status_code < 400 else b"problem"
    return b'{"%b":%b}' % (kind, bytes(answer.body) or b"null")
