"""A disk is streamed to a plain file, through wires that do what wires do; and read back."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.imaging.conftest import MIB, Image, MakeNode
from tests.imaging.disks import blank
from tests.imaging.wire import STALLED
from tests.labfixture import eventually
from vclab.imaging import node as following
from vclab.imaging import sender
from vclab.imaging.sender import Node
from vclab.library import block_map, content
from vclab.library.block_map import BlockMap, Run
from vclab.library.content import CHUNK, PIECE
from vclab.library.repository import Repository
from vclab.model.errors import CopyLost, Interrupted, Refused, StepFailed, Unreachable

OTHER = b"\xa5"
"""What was on the disk before."""


def stream(node: Node, source: Image, begin: int = 0) -> list[int]:
    """All steps; the chunks at which another attempt might have begun."""
    told: list[int] = []
    sender.place(node, source.map)
    sender.check(node)
    sender.write(node, source.disk, source.map, begin, written=told.append)
    sender.verify(node)
    return told


def running(folder: Path) -> list[str]:
    """The receivers of this test that run."""
    return subprocess.run(
        ("pgrep", "-f", f"{folder}/node/programs.zip receiver"), capture_output=True, text=True
    ).stdout.split()


def test_all_bytes_arrive_and_are_read_back(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    disk = blank(tmp_path / "disk", 48 * MIB, OTHER)
    told = stream(make_node(disk), an_image)
    assert disk.read_bytes()[: 40 * MIB] == an_image.disk.read_bytes()
    assert told[0] == 0 and told[-1] == 10
    # Of what was there before, an array's mark at the disk's end is gone.
    assert disk.read_bytes()[40 * MIB :] == OTHER * (7 * MIB) + bytes(MIB)


@settings(deadline=None, max_examples=12)
@given(
    chunks=some.lists(some.tuples(some.integers(0, 2**64 - 1), some.integers(0, 2**64 - 1)), min_size=1, max_size=3),
    tail=some.integers(1, CHUNK // 512).map(lambda n: n * 512),
    blanked=some.booleans(),
)
def test_what_the_map_says_is_written_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[tuple[int, int]], tail: int, blanked: bool
) -> None:
    folder, size = tmp_path_factory.mktemp("map"), (len(chunks) - 1) * CHUNK + tail
    whole = os.urandom(size)
    source = blank(folder / "image.raw", size)
    source.write_bytes(whole)
    last = (1 << -(-tail // PIECE)) - 1
    runs = []
    for number, (data, zero) in enumerate(chunks):
        possible = last if number == len(chunks) - 1 else 2**64 - 1
        held = b"".join(
            whole[number * CHUNK + a * PIECE : number * CHUNK + b * PIECE] for a, b in block_map.ranges(data & possible)
        )
        runs.append(Run(1, data & possible, zero & possible & ~data, hashlib.sha256(held).hexdigest() if held else ""))
    given_map = BlockMap("0" * 64, size, 0, (), tuple(runs))
    assert block_map.parsed(given_map.json()) == given_map
    disk = blank(folder / "disk", size + 2 * MIB, OTHER)
    stream(Node(str(disk), folder=str(folder / "node"), blank=blanked), Image(source, given_map))
    expected = bytearray(b"\0" if blanked else OTHER) * size
    for number, run in enumerate(runs):
        for mask, held in ((run.zero, bytes(size)), (run.data, whole)):
            for first, end in block_map.ranges(mask):
                at, to = number * CHUNK + first * PIECE, min(number * CHUNK + end * PIECE, size)
                expected[at:to] = held[at:to]
    assert disk.read_bytes()[:size] == expected
    assert disk.read_bytes()[size:] == (b"\0" if blanked else OTHER) * MIB + bytes(MIB)


@pytest.mark.parametrize("begin", [1, 5, 7, 10])
def test_another_attempt_goes_on_where_one_has_stopped(
    an_image: Image, tmp_path: Path, make_node: MakeNode, begin: int
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    with disk.open("r+b") as file:
        file.write(an_image.disk.read_bytes()[: begin * CHUNK])
    assert stream(make_node(disk), an_image, begin)[0] == begin


def test_another_attempt_begins_earlier_where_the_disk_has_lost_something(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    with disk.open("r+b") as file:
        file.write(an_image.disk.read_bytes()[: 7 * CHUNK])  # and not the two that were said to be there
    assert stream(make_node(disk), an_image, 9)[0] == 7


# --- refused before anything is written ------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_refused_before_the_first_write(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB - 512, OTHER)
    node = make_node(disk)
    sender.place(node, an_image.map)
    why = "too small: it has 41942528 bytes, the image 41943040; give the node a larger"
    with pytest.raises(Refused, match=why):
        sender.check(node)
    with pytest.raises(Refused, match=why):
        sender.write(node, an_image.disk, an_image.map)
    assert disk.read_bytes().count(OTHER) == 40 * MIB - 512


def test_a_disk_that_is_not_there_is_refused(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    for name in ("absent", "node"):  # the latter is a folder
        node = make_node(tmp_path / name)
        sender.place(node, an_image.map)
        with pytest.raises(Refused, match="no disk"):
            sender.check(node)


# --- the wire ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [2, 100, 9 * MIB, 20 * MIB])
def test_a_byte_that_the_wire_changes_is_not_written(
    an_image: Image, tmp_path: Path, make_node: MakeNode, after: int
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    sender.place(make_node(disk), an_image.map)
    begins: list[int] = []
    with pytest.raises(Unreachable) as found:
        sender.write(make_node(disk, "flip", after), an_image.disk, an_image.map, written=begins.append)
    assert "chunk" in str(found.value) or "ended" in str(found.value)
    held, wanted = disk.read_bytes(), an_image.disk.read_bytes()
    for number in range(10):  # each is as it was or as it should be
        part = slice(number * CHUNK, (number + 1) * CHUNK)
        assert held[part] in (wanted[part], OTHER * CHUNK)
    stream(make_node(disk), an_image, begins[-1])
    assert disk.read_bytes() == wanted


def test_a_repository_that_has_other_bytes_is_told_apart_from_the_wire(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    with an_image.disk.open("r+b") as file:
        file.seek(30 * MIB)
        file.write(b"rot")
    node = make_node(blank(tmp_path / "disk", 40 * MIB))
    sender.place(node, an_image.map)
    with pytest.raises(CopyLost, match="other bytes in chunk 7 than it should"):
        sender.write(node, an_image.disk, an_image.map)


def test_a_node_that_dies_is_gone_on_with(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    sender.place(make_node(disk), an_image.map)
    with pytest.raises(Unreachable, match="the program on the node ended"):
        sender.write(make_node(disk, "cut", 12 * MIB), an_image.disk, an_image.map)
    stream(make_node(disk), an_image, 1)
    assert disk.read_bytes() == an_image.disk.read_bytes()


# --- the repository ---------------------------------------------------------------------------------------------------


def test_a_repository_that_is_away_can_be_tried_again(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    node = make_node(blank(tmp_path / "disk", 40 * MIB))
    sender.place(node, an_image.map)
    failing = Path("/proc/self/mem")  # it can be opened, and fails when it is read
    for source, why in ((tmp_path / "absent", "No such file"), (failing, "Invalid argument|Input/output error")):
        with pytest.raises(Unreachable, match=f"the repository fails: .*{why}"):
            sender.write(node, source, an_image.map)
    assert not running(tmp_path)


def test_a_copy_that_became_shorter_is_lost(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    os.truncate(an_image.disk, 33 * MIB)
    node = make_node(blank(tmp_path / "disk", 40 * MIB))
    sender.place(node, an_image.map)
    with pytest.raises(CopyLost, match="shorter than it should be"):
        sender.write(node, an_image.disk, an_image.map)


def test_eight_nodes_that_want_one_image_do_not_read_it_eight_times(an_image: Image, tmp_path: Path) -> None:
    repository = Repository.make(tmp_path / "repository")
    with an_image.disk.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = _read_from_disks()

    def one(number: int) -> None:
        node = Node(str(blank(tmp_path / f"disk-{number}", 40 * MIB)), folder=str(tmp_path / f"node-{number}"))
        sender.place(node, an_image.map)
        with repository.reading(3, lambda: None):
            sender.write(node, an_image.disk, an_image.map)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    read = _read_from_disks() - before
    if not read:
        pytest.skip("the tests' folder is on no disk")
    assert read < 1.5 * content.allocated(an_image.disk)


def _read_from_disks() -> int:
    """Bytes that this process has fetched from disks until now."""
    said = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(said["read_bytes"])


# --- the disk, read back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "why"), [(3 * MIB, "other bytes in chunk 0 "), (21 * MIB, "not hold zeros at byte")])
def test_a_byte_that_the_disk_has_changed_is_found(
    an_image: Image, tmp_path: Path, make_node: MakeNode, at: int, why: str
) -> None:
    node = make_node(disk := blank(tmp_path / "disk", 40 * MIB))
    stream(node, an_image)
    with disk.open("r+b") as file:
        file.seek(at)
        file.write(b"rot")
    with pytest.raises(StepFailed, match=why):
        sender.verify(node)


# --- who stops --------------------------------------------------------------------------------------------------------


def test_a_cancel_stops_within_two_seconds_and_nothing_is_written_after_it(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    sender.place(make_node(disk), an_image.map)
    asked = 0.0

    def told(done: int, size: int) -> None:
        nonlocal asked
        if (tmp_path / STALLED).exists():  # the node reads nothing any more
            asked = time.monotonic()
            raise Interrupted("stopped as asked")

    with pytest.raises(Interrupted):
        sender.write(make_node(disk, "stall", 12 * MIB), an_image.disk, an_image.map, told=told)
    assert time.monotonic() - asked < sender.STOPPED_WITHIN
    assert not running(tmp_path)


def test_the_newest_attempt_takes_the_node_from_one_that_hangs(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    sender.place(make_node(disk), an_image.map)
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(sender.write, make_node(disk, "stall", 12 * MIB), an_image.disk, an_image.map)
        eventually((tmp_path / STALLED).exists)
        stream(make_node(disk), an_image)
        with pytest.raises(Unreachable):
            old.result()
    assert disk.read_bytes() == an_image.disk.read_bytes()


def test_a_cancel_stops_reading_back(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    node = make_node(blank(tmp_path / "disk", 40 * MIB))
    sender.place(node, an_image.map)

    def told(done: int, size: int) -> None:
        raise Interrupted("stopped as asked")

    with pytest.raises(Interrupted):
        sender.verify(node, told)
    assert not running(tmp_path)


def test_a_worker_that_is_killed_leaves_nobody_who_writes_and_the_next_one_goes_on(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB, OTHER)
    node = make_node(disk, "stall", 24 * MIB)
    sender.place(make_node(disk), an_image.map)
    (tmp_path / "map").write_bytes(an_image.map.json())
    noted = tmp_path / "chunks"
    noted.touch()
    program = f"""
        from pathlib import Path
        from vclab.imaging import sender
        from vclab.library import block_map, content
        chunks = Path({str(noted)!r}).open("a")
        written = lambda chunk: print(chunk, file=chunks, flush=True)
        a_map = block_map.parsed(Path({str(tmp_path / "map")!r}).read_bytes())
        sender.write(sender.{node!r}, Path({str(an_image.disk)!r}), a_map, written=written)
    """
    with subprocess.Popen((sys.executable, "-c", textwrap.dedent(program))) as worker:
        deadline, chunk = time.monotonic() + 30, 0
        while not (chunk > 5 and (tmp_path / STALLED).exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
            chunk = max(map(int, noted.read_text().split()), default=0)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    deadline = time.monotonic() + sender.STOPPED_WITHIN
    while running(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not running(tmp_path) and chunk > 5
    assert stream(make_node(disk), an_image, chunk)[0] == chunk
    assert disk.read_bytes() == an_image.disk.read_bytes()


# --- what a node says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("root:", "not understood: root:"),
        ("[]", "not understood"),
        ('{"event": "at", "done": -1, "of": 1}', "not understood: done is -1"),
        ('{"event": "at", "done": 1e99, "of": 1}', "not understood: done is 1e"),
        ('{"event": "ready", "chunk": "0"}', "not understood: chunk is 0"),
        ('{"event": "error", "code": "wire", "text": "\\u001b[2J", "chunk": {}}', "not understood"),
        ('{"event": "looking"}', "the program on the node ended: it gives no reason"),
        ("a" * 200_000, "not understood"),
    ],
)
def test_what_a_node_says_is_a_claim(an_image: Image, tmp_path: Path, said: str, why: str) -> None:
    (tmp_path / "said").write_text(said + "\n")
    node = Node(str(tmp_path / "disk"), ("sh", "-c", f"cat {tmp_path}/said; exit 0 #"))
    with pytest.raises(Unreachable, match=why):
        sender.write(node, an_image.disk, an_image.map)


def test_a_node_without_progress_is_given_up(an_image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SILENT", 1.0)
    line = '{"event": "at", "chunk": 0, "done": 0, "of": 9}'  # it says something, but nothing is done
    node = Node(str(tmp_path / "disk"), ("sh", "-c", f"while echo '{line}'; do sleep 0.1; done #"))
    with pytest.raises(Unreachable, match="no progress for 1 s"):
        sender.write(node, an_image.disk, an_image.map)
