"""Keeps one part running: starts it, tells when it answers, starts it again with growing pauses when it ends."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

from vclab.lab import processes
from vclab.lab.errors import LabError
from vclab.lab.forwards import Inside
from vclab.lab.parts import Part
from vclab.lab.state import PartState

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
WELL_SECONDS = 30.0
"""Whoever ran that long may be started again at once."""
KILLED = (-signal.SIGKILL, -signal.SIGTERM)
"""Whoever was killed from outside has not failed."""
LOOK_SECONDS = 0.05
LOG_BYTES = 20 * 2**20
LINE_BYTES = 2**20

OnLine = Callable[[bytes], None]
log = logging.getLogger("vclab.lab")


class Keeper:
    """One part's life in this lab. ``state`` is kept true; ``changed`` is called whenever it changes."""

    def __init__(self, part: Part, logs: Path, address: str, inside: Inside, changed: Callable[[], None]) -> None:
        self.part = part
        self.state = PartState()
        self.ready = asyncio.Event()  #: has answered once
        self.on_line: OnLine = lambda line: None
        self.on_ready: Callable[[], Awaitable[None]] | None = None
        self._log_file = logs / f"{part.name}.log"
        self._log_start = 0
        self._address = address
        self._inside = inside
        self._changed = changed

    async def run(self) -> None:
        """Until cancelled; the process itself dies with the supervisor, or is killed by it."""
        pause = FIRST_PAUSE
        while True:
            begun = time.monotonic()
            code, why = await self._run_once()
            if time.monotonic() - begun > WELL_SECONDS or code in KILLED:
                pause = FIRST_PAUSE
            log.warning("%s ended (%s); starting it again in %.2g s", self.part.name, why, pause)
            self.state.pid, self.state.start, self.state.ok = 0, 0, False
            self.state.restarts += 1
            self.state.detail = f"ended: {why}; see {self._log_file}"
            self._changed()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _run_once(self) -> tuple[int, str]:
        """Run it to its end; the exit code, and why it ended."""
        with self._open_log() as output:
            self._log_start = output.tell()
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.part.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE if self.part.events else output,
                    stderr=output,
                    env={**os.environ, **self.part.environment},
                    cwd="/",
                    start_new_session=True,
                    limit=LINE_BYTES,
                )
            except OSError as error:
                return 1, f"it can't be started: {error}"
        self.state.pid, self.state.start = process.pid, processes.started(process.pid)
        self.state.detail = "starting"
        self._changed()
        aides = [asyncio.create_task(self._await_answer())]
        if process.stdout is not None:
            aides.append(asyncio.create_task(self._read_lines(process.stdout)))
        try:
            code = await process.wait()
        finally:
            for aide in aides:
                aide.cancel()
        await asyncio.gather(*aides, return_exceptions=True)
        return code, f"signal {-code}" if code < 0 else f"exit code {code}{self._last_words()}"

    def _open_log(self) -> IO[bytes]:
        if self._log_file.exists() and self._log_file.stat().st_size > LOG_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        return self._log_file.open("ab", buffering=0)

    def _last_words(self) -> str:
        try:
            lines = self._log_file.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return f": {lines[-1][:300]}" if lines else ""

    async def _await_answer(self) -> None:
        while not await self._answers():  # noqa: ASYNC110 (another process: no event to wait for)
            await asyncio.sleep(LOOK_SECONDS)
        self.state.ok, self.state.detail = True, "running"
        log.info("%s is ready", self.part.name)
        self._changed()
        if self.on_ready:
            try:
                await self.on_ready()
            except LabError as error:
                log.warning("%s", error)
        self.ready.set()
        self._changed()

    async def _answers(self) -> bool:
        if self.part.says:
            with self._log_file.open("rb") as log_file:
                log_file.seek(self._log_start)
                return self.part.says in log_file.read(LOG_BYTES)
        if not self.part.port:
            return True
        try:
            (await self._inside.connect(self.part.address or self._address, self.part.port, 1.0)).close()
        except OSError:
            return False
        return True

    async def _read_lines(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.on_line(line)
