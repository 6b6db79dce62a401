"""The disk of the management node is full: people are told so, and all goes on when there is room again."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.disks import small_disk
from tests.labfixture import eventually
from tests.node.conftest import MakeNode
from tests.node.harness import PATIENCE
from tests.node.test_database import done_once, in_step

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(600)]

SLOW = """
fake.delays."fake.create_vm" = 8
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    with small_disk(tmp_path / "disk", 64) as disk:
        yield disk


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        block = b"x" * 65536
        while block:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]
    try:
        yield
    finally:
        filler.unlink()


@pytest.mark.parametrize("servers_too", [True, False], ids=["everything", "the database"])
async def test_the_disk_of_the_node_is_full(make: MakeNode, small: Path, tmp_path: Path, servers_too: bool) -> None:
    node = make(small, server_disk=small if servers_too else tmp_path, settings=SLOW)
    node.start_server()
    await node.answers()
    node.start_worker()
    used = node.reserve("--wait")
    node.vclab("connect", used, "--print")
    eventually(lambda: node.states()[used] == "inuse", PATIENCE, 0.2)
    before = node.show(used)["end"]

    client = node.in_background("reserve", "fake-1", "--for", "1h", "--wait", "--json")
    eventually(lambda: len(node.states()) == 2, PATIENCE, 0.1)
    (loading,) = set(node.states()) - {used}
    in_step(node, loading, "fake.create_vm")
    with full(small):
        assert set(node.states()) == {used, loading}, "what is known can be read"
        assert "database or disk is full" in node.one_line("extend", used, "--by", "15m"), "it can't be recorded"
        if not servers_too:
            eventually(lambda: "database or disk is full" in node.log("worker"), PATIENCE)
        time.sleep(5)
    out, err = client.communicate(timeout=PATIENCE)
    assert client.returncode == 0 and "Traceback" not in err and "WARN" not in err, (out, err)
    assert json.loads(out)["state"] == "reserved"
    done_once(node, loading)

    assert node.show(used)["end"] == before, "what could not be recorded is not done"
    node.vclab("extend", used, "--by", "15m")
    assert node.show(used)["end"] > before
    node.vclab("end", loading)
    node.vclab("end", used)
    eventually(lambda: set(node.states().values()) == {"complete"} and not node.machines(), PATIENCE, 0.2)
