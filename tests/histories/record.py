"""Lives the recorded lives and writes their histories down.

    .venv/bin/python -m tests.histories.record                    all
    .venv/bin/python -m tests.histories.record released noack     some

Each is lived by the worker's own code on the time-skipping server, with a scripted world (``tests/histories/lives``).
It needs no root. Afterwards look at the difference of ``commands.txt``: it tells what the workflows do otherwise.
"""

import asyncio
import gc
import logging
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from temporalio.client import Client, WorkflowFailureError
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from tests.histories import stored
from tests.histories.lives import KEPT, LIVES, RecordedLife
from tests.histories.lives.acts import runs
from tests.histories.stored import StoredHistory
from tests.temporal_server import SHORT_RUNS, TimeServer
from vclab.temporal import search_attributes
from vclab.temporal.client import quiet

LANES = tuple(f"lives-{number}" for number in range(4))
"""So many lives are lived at once, each in a namespace of its own, for all have the same queues."""
ATTEMPTS = 5
"""So often a life is lived at the most: one in which a workflow task failed or came late is lived again."""
LONGEST = 120.0
"""Seconds (real) that a life may take."""


class Recorder:
    """Lives lives side by side."""

    def __init__(self, server: TimeServer, folder: Path, lives: list[RecordedLife]) -> None:
        self._server, self._folder = server, folder
        self._left = lives
        self.failed: list[str] = []

    async def record(self) -> None:
        """All, in some namespaces at once."""
        async with asyncio.TaskGroup() as group:
            for lane in LANES:
                group.create_task(self._lane(lane, short_runs=False))
            group.create_task(self._lane(SHORT_RUNS, short_runs=True))

    async def _lane(self, namespace: str, short_runs: bool) -> None:
        mine = [life for life in self._left if life.short_runs == short_runs]
        if not mine:
            return
        client = await self._server.client(namespace=namespace)
        await _prepared(client)
        while mine := [life for life in self._left if life.short_runs == short_runs]:
            self._left.remove(mine[0])
            await self._one(client, mine[0])

    async def _one(self, client: Client, life: RecordedLife) -> None:
        began = time.monotonic()
        try:
            written = await self._undisturbed(client, life)
        except (KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException as error:  # what pytest raises is no Exception
            self.failed.append(life.name)
            print(f"{life.name}: FAILED: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return
        size = sum(each.file().stat().st_size for each in written)
        many = f", {len(written)} runs" if len(written) > 1 else ""
        seconds = time.monotonic() - began
        print(f"{life.name}: {size / 1000:.0f} kB{many}, {seconds:.1f} s: {life.protects}", flush=True)

    async def _undisturbed(self, client: Client, life: RecordedLife) -> list[StoredHistory]:
        """Live it, again if something disturbed it that is not of it, and write it down."""
        for attempt in range(ATTEMPTS):
            folder = self._folder / f"{life.name}-{attempt}"
            folder.mkdir()
            async with asyncio.timeout(LONGEST):
                found = await self._lived(client, life, folder)
            if life.disturbed or not any(each.disturbed for each in found):
                break
        else:
            raise RuntimeError(f"its workflow tasks fail or come late each time, {ATTEMPTS} times")
        for file in stored.files():
            if stored.life_of(file) == life.name:
                file.unlink()
        for each in found:
            each.write()
        return found

    async def _lived(self, client: Client, life: RecordedLife, folder: Path) -> list[StoredHistory]:
        async with life.harness(client, folder, life.waits) as harness:
            workflow = await life.script(harness) or harness.handle.id
            with suppress(WorkflowFailureError):  # that is an ending, too
                await client.get_workflow_handle(workflow).result()
            ids = list(reversed(await runs(client, workflow)))
            names = [life.name] if len(ids) == 1 else [f"{life.name}.{number}" for number in range(1, len(ids) + 1)]
            histories = [await client.get_workflow_handle(workflow, run_id=run).fetch_history() for run in ids]
            return [stored.of_history(*each, folder) for each in zip(names, histories, strict=True)]


async def _prepared(client: Client) -> None:
    """Search attributes are known in the namespace, and so is the namespace."""
    async with asyncio.timeout(60):
        while True:
            try:
                await search_attributes.register(client)
                return
            except RPCError:
                await asyncio.sleep(0.2)


async def record(names: list[str], folder: Path) -> list[str]:
    """Record these lives, or all; which of them failed."""
    server = TimeServer(folder, LANES)
    try:
        recorder = Recorder(server, folder, [LIVES[name] for name in names or LIVES])
        await recorder.record()
    finally:
        server.stop()
    return recorder.failed


def main() -> int:
    """The exit code: 0 when all were lived."""
    names = sys.argv[1:]
    if unknown := [name for name in names if name not in LIVES]:
        print(f"no such life: {', '.join(unknown)}; there are: {', '.join(LIVES)}", file=sys.stderr)
        return 2
    logging.disable(logging.ERROR)  # most lives are of something that fails
    Runtime.set_default(quiet())
    with tempfile.TemporaryDirectory(prefix="vclab-lives-") as folder:
        nothing = Path(folder) / "vclab.toml"
        nothing.touch()
        os.environ["VCLAB_CONFIG"] = str(nothing)  # never the settings of a lab that runs on this machine
        failed = asyncio.run(record(names, Path(folder)))
    stored.COMMANDS.write_text(stored.all_commands([stored.read(file) for file in stored.files()]))
    for file in stored.files():
        if stored.life_of(file) not in {**LIVES, **KEPT}:
            print(f"{file.name} is of no life that there is", file=sys.stderr)
    if failed:
        print(f"not recorded: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    code = main()
    # The SDK may abort the process at interpreter exit (sdk-python#300): collect, flush and leave.
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
