"""A scan of a whole demo: no secret in any history, log, argument, environment, row, page, core or readable file."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.secret_scan import Processes, Scan, readable_by_others, told
from tests.stack.conftest import Stack
from vclab.lab import passwords, seed, stock
from vclab.lab.layout import Layout
from vclab.model.errors import VclabError
from vclab.temporal.client import connect

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

READS = (
    ("list", "--all", "--json"),
    ("audit", "--json"),
    ("history", "--json"),
    ("status", "--json"),
    ("endpoint", "list", "--json"),
    ("endpoint", "check", "lab-vcenter", "--json"),
    ("computer", "list", "--json"),
    ("user", "list", "--json"),
    ("doctor", "--json"),
)
TOKEN = re.compile(rb"vct_[0-9A-Za-z]{20,}")
DISKS = ("datastore", "layers", "machines", "repository", "nodes", "cache")
"""Folders of the lab with what machines hold: their file systems are theirs."""


def test_no_secret_is_anywhere_after_a_demo(stack: Stack) -> None:
    began = time.time()
    scan, notes = Scan(_known(stack.layout)), Processes()
    said: list[tuple[str, str]] = []
    with notes.watched(), _one_time_passwords(stack.layout, scan.secrets):
        said.append(("demo", stack.vclab("demo", timeout=600).stdout))
        made = stack.reserve("--wait")
        shown = stack.vclab("connect", made["id"], "--password").stdout.strip()
        assert shown in scan.secrets.values(), "what is looked for is what the user was shown"
        for words in (("power", "metal01", "status"), ("power", "metal04", "status"), *READS, ("show", made["id"])):
            ran = stack.vclab("--as", "olga", *words, check=False)
            said.append((" ".join(words), ran.stdout + ran.stderr))
        stack.end(made["id"])
    assert any(name.endswith("/root") for name in scan.secrets) and any(
        name.startswith("power") for name in scan.secrets
    )
    _look(stack, scan, notes, said, began)
    assert not scan.found, told(scan.found, scan.secrets)
    few = {
        kind
        for kind in ("history", "row", "log", "page", "arguments", "environment", "readable by others")
        if scan.looked.get(kind, 0) < 2
    }
    assert not few, f"nothing was looked at: {few}"

    # And it can fail: a signal's words stand in a history, in rows, in a log.
    leak = scan.secrets["endpoint/lab-vcenter"]
    fresh = stack.reserve("--wait")
    stack.signal(fresh["id"], "cancel", json.dumps(f"the password is not {leak} I hope"))
    stack.finished(fresh["id"])
    _look(stack, scan, notes, [], began)
    assert any("in history" in found for found in scan.found), "what was planted is not found"


def _known(layout: Layout) -> dict[str, str]:
    """What was made at the start."""
    found = {stock.PASSWORD_REF: passwords.of_vcenter(layout)}
    found |= {node.password_ref: passwords.of_bmc(layout, node) for node in stock.NODES}
    for file in layout.folder.rglob("*"):
        with suppress(OSError):
            if file.is_file() and file.stat().st_size < 100_000 and not _is_a_machines(layout, file):
                tokens = set(TOKEN.findall(file.read_bytes()))
                found |= {f"token {number} of {file.name}": token.decode() for number, token in enumerate(tokens)}
    return found


@contextmanager
def _one_time_passwords(layout: Layout, known: dict[str, str]) -> Iterator[None]:
    """Those that are made meanwhile: they are forgotten when a computer is taken back."""
    ended, store = threading.Event(), passwords.secret_store(layout)

    def collect() -> None:
        while not ended.wait(0.05):
            for reference in store.under("tenure", 3):
                with suppress(VclabError):
                    known.setdefault(reference, store.get(reference))

    collecting = threading.Thread(target=collect)
    collecting.start()
    try:
        yield
    finally:
        ended.set()
        collecting.join()


def _look(stack: Stack, scan: Scan, notes: Processes, said: list[tuple[str, str]], began: float) -> None:
    layout = stack.layout
    scan.processes(notes)
    for words, text in said:
        scan.look("page", words, text.encode())
    for name, history in asyncio.run(_histories(layout)):
        scan.look("history", name, history)
    scan.database("row", layout.database)
    scan.database("row", layout.temporal_database)
    scan.files("log", (file for file in layout.logs.rglob("*") if file.is_file()))
    ours = readable_by_others(layout.folder, skip=lambda folder: _is_a_machines(layout, folder))
    elsewhere = readable_by_others(Path("/tmp"), since=began, skip=lambda folder: folder == layout.folder)
    scan.files("readable by others", [*ours, *elsewhere])
    scan.files("core", [file for file in layout.folder.glob("**/core*") if file.is_file()])


def _is_a_machines(layout: Layout, path: Path) -> bool:
    return any(part in DISKS for part in path.relative_to(layout.folder).parts)


async def _histories(layout: Layout) -> list[tuple[str, bytes]]:
    """All of them, as they lie there, and as people read them."""
    client: Client = await connect(seed.read_settings(layout).temporal)
    found = []
    async for workflow in client.list_workflows():
        history: Any = await client.get_workflow_handle(workflow.id, run_id=workflow.run_id).fetch_history()
        raw = b"".join(event.SerializeToString() for event in history.events)
        found.append((workflow.id, raw + history.to_json().encode()))
    return found
