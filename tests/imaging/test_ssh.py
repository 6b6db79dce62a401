"""The same through a real SSH server: its programs have sockets for pipes."""

import functools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import ssh
from benchmarks.processes import free_port
from tests.imaging.conftest import MIB, Image
from tests.imaging.disks import blank
from tests.imaging.test_stream import running, stream
from tests.labfixture import eventually
from vclab.imaging import reading, sender
from vclab.imaging.sender import Node
from vclab.model.errors import Interrupted, Unreachable


@pytest.fixture
def words(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Of ``ssh`` to a server of the test's own, as whoever runs it."""
    with ssh.server(tmp_path) as found:
        yield found


def test_a_disk_is_streamed_and_a_cancel_stops_it(an_image: Image, tmp_path: Path, words: tuple[str, ...]) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, b"\xa5")
    node = Node(str(disk), words, str(tmp_path / "node"))
    assert stream(node, an_image)[-1] == 10
    assert disk.read_bytes() == an_image.disk.read_bytes()
    asked = 0.0

    def stop(done: int, size: int) -> None:
        nonlocal asked
        if size:
            asked = asked or time.monotonic()
            raise Interrupted("stopped as asked")

    with pytest.raises(Interrupted):
        sender.write(node, an_image.disk, an_image.map, 0, stop)
    eventually(lambda: not running(tmp_path), seconds=asked + sender.STOPPED_WITHIN - time.monotonic())
    asked = 0.0
    with pytest.raises(Interrupted):
        sender.verify(node, stop)
    eventually(lambda: not running(tmp_path), seconds=asked + sender.STOPPED_WITHIN - time.monotonic())


def test_a_disk_is_read_and_a_cancel_stops_it(an_image: Image, tmp_path: Path, words: tuple[str, ...]) -> None:
    node = Node(str(an_image.disk), words, str(tmp_path / "node"))
    source = reading.look(node)
    assert reading.read(node, source, tmp_path / "read") == an_image.map.content
    asked = 0.0

    def stop(done: int, size: int) -> None:
        nonlocal asked
        if size:
            asked = asked or time.monotonic()
            raise Interrupted("stopped as asked")

    with pytest.raises(Interrupted):
        reading.read(node, source, tmp_path / "stopped", stop)
    pattern = f"{tmp_path}/node/programs.zip reader"
    found = functools.partial(subprocess.run, ("pgrep", "-f", pattern), capture_output=True)
    eventually(lambda: not found().stdout, seconds=asked + sender.STOPPED_WITHIN - time.monotonic())


def test_a_node_that_does_not_answer_can_be_tried_again(an_image: Image, tmp_path: Path) -> None:
    words = ("ssh", "-F", "none", "-o", "BatchMode=yes", "-p", str(free_port()), "127.0.0.1")
    node = Node(str(tmp_path / "disk"), words, str(tmp_path / "node"))
    with pytest.raises(Unreachable, match="Connection refused"):
        sender.place(node, an_image.map)
    with pytest.raises(Unreachable, match=r"the program on the node ended: .*Connection refused"):
        sender.write(node, an_image.disk, an_image.map)
