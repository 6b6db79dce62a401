"""The disk of a node is read into a file: only what file systems need, with each hash checked."""

import hashlib
import os
import struct
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.disks import small_disk
from tests.imaging.conftest import MIB, Image, MakeNode
from tests.imaging.disks import (
    FILE_SYSTEMS,
    MAKE,
    blank,
    check,
    fill,
    loop,
    manifest,
    mounted,
    mounts_of_our_own,
    partition,
    partitioned,
)
from tests.labfixture import eventually
from vclab.imaging import reading
from vclab.imaging.node import STOPPED_WITHIN, Node
from vclab.imaging.on_node import EVENT, FRAME, PACKET, READ
from vclab.imaging.reading import Source, capture, look, read
from vclab.library import content
from vclab.library.content import CHUNK, nobody
from vclab.library.repository import OtherBytes, Repository
from vclab.model.errors import Interrupted, Refused, StepFailed, Unreachable
from vclab.model.revisions import Content, RevisionRecord

OTHER = b"\xa5"
SIZE = 500 * MIB


def running(folder: Path) -> str:
    words = ("pgrep", "-f", f"{folder}/node/programs.zip reader")
    return subprocess.run(words, capture_output=True, text=True).stdout


def test_a_disk_without_file_systems_is_read_whole(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    node, told = make_node(an_image.disk), list[tuple[int, int]]()
    source = look(node)
    assert source == Source(40 * MIB, 0, 40 * MIB)
    found = read(node, source, tmp_path / "read", lambda done, of: told.append((done, of)))
    assert found == an_image.map.content
    assert (tmp_path / "read").read_bytes() == an_image.disk.read_bytes()
    assert content.allocated(tmp_path / "read") <= 25 * MIB, "zeros are a hole"
    assert told[-1] == (40 * MIB, 40 * MIB)


def test_the_beginning_of_a_larger_disk_is_read(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    """What lies behind it was never of the image."""
    larger = tmp_path / "larger"
    larger.write_bytes(an_image.disk.read_bytes() + OTHER * (3 * MIB))
    node = make_node(larger)
    source = look(node, size=40 * MIB)
    assert source == Source(40 * MIB, 0, 40 * MIB)
    assert read(node, source, tmp_path / "read") == an_image.map.content
    with pytest.raises(StepFailed, match="has 45088768 bytes, and 45088769 are to be read"):
        look(node, size=45088769)


@pytest.mark.parametrize(("holds", "sector"), FILE_SYSTEMS)
def test_what_no_file_system_needs_is_not_read(tmp_path: Path, make_node: MakeNode, holds: str, sector: int) -> None:
    disk = blank(tmp_path / "disk", SIZE, OTHER)  # all of it has been written before
    with mounts_of_our_own():
        with loop(disk, sector=sector) as device:
            partitioned(device, "gpt", "8M", "470M")
            with partition(device, 2) as part:
                subprocess.run(("mkfs.fat", "-I", part), capture_output=True)  # what mkfs wipes
                _make(holds, part)
                with mounted(part, holds, tmp_path / "mounted") as there:
                    fill(there, 30)
                    files = manifest(there)
            source = look(make_node(Path(device)))
            assert (source.size, source.sector) == (SIZE, sector) and source.needed < 130 * MIB
            read(make_node(Path(device)), source, tmp_path / "read")
        with loop(tmp_path / "read", sector=sector) as device, partition(device, 2) as part:
            check(part, holds)
            with mounted(part, holds, tmp_path / "mounted") as there:
                assert manifest(there) == files
    assert content.allocated(tmp_path / "read") < 135 * MIB, "what was there before stays there"


def _make(holds: str, part: str) -> None:
    """Without discarding: what was on the disk stays there."""
    keep = {"ext4": ("-E", "nodiscard"), "xfs": ("-K",), "btrfs": ("-K",), "ntfs": ()}[holds]
    subprocess.run((*MAKE[holds], *keep, part), check=True, capture_output=True)


def test_a_capture_is_kept_in_a_repository(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    repository, node = Repository.make(tmp_path / "repository"), make_node(an_image.disk)
    kept = capture(node, look(node), repository, record(), nobody)
    assert (kept.sha256, kept.size) == (an_image.map.sha256, 40 * MIB)
    assert repository.disk("debian", 1).read_bytes() == an_image.disk.read_bytes()
    assert repository.block_map("debian", 1) == an_image.map


def record() -> RevisionRecord:
    made_at = datetime(2026, 11, 28, tzinfo=UTC)
    return RevisionRecord("debian", 1, "Debian", "", 0, "bare-metal", "linux", 1, 1024, made_at, "olga")


def test_what_a_repository_has_changed_is_told(
    an_image: Image, tmp_path: Path, make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(file: int, held: memoryview, at: int) -> None:
        os.pwrite(file, bytes(len(held)) if at == 0 else held, at)

    monkeypatch.setattr(reading, "_write_all", changed)
    repository, node = Repository.make(tmp_path / "repository"), make_node(an_image.disk)
    with pytest.raises(OtherBytes, match="reads back other bytes than the node has sent"):
        capture(node, look(node), repository, record(), nobody)
    assert repository.find("debian", 1) is None


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_disk_in_use_and_one_that_is_not_there_are_refused(tmp_path: Path, make_node: MakeNode) -> None:
    with pytest.raises(Refused, match="there is no disk"):
        look(make_node(tmp_path / "absent"))
    with mounts_of_our_own(), loop(blank(tmp_path / "disk", 40 * MIB)) as device:
        _make("ext4", device)
        with mounted(device, "ext4", tmp_path / "mounted"), pytest.raises(Refused, match="is in use"):
            look(make_node(Path(device)))


def test_a_disk_that_fails_says_where(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    with loop(an_image.disk) as device:
        node = make_node(Path(device))
        source = look(node)
        os.truncate(an_image.disk, 27 * MIB)
        with pytest.raises(StepFailed, match=rf"the disk {device} can't be read at byte \d+"):
            read(node, source, tmp_path / "read")


def test_a_full_repository_is_told(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    node = make_node(an_image.disk)
    source = look(node)
    with small_disk(tmp_path / "small", 16) as folder, pytest.raises(OSError, match="No space left"):
        read(node, source, folder / "read")


def test_a_cancel_stops_it(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    node = make_node(an_image.disk)
    source, asked = look(node), 0.0

    def told(done: int, of: int) -> None:
        nonlocal asked
        if of:
            asked = time.monotonic()
            raise Interrupted("stopped as asked")

    with pytest.raises(Interrupted):
        read(node, source, tmp_path / "read", told)
    eventually(lambda: not running(tmp_path), seconds=asked + STOPPED_WITHIN - time.monotonic())


def changed_by(folder: Path, change: Callable[[bytes], bytes], name: str) -> Node:
    """A node, whose answer in ``sent`` was changed on the way."""
    (folder / name).write_bytes(change((folder / "sent").read_bytes()))
    script = f'case "$1" in sh*) cat >/dev/null;; *) cat {folder}/{name};; esac'
    return Node("/dev/sda", ("sh", "-c", script, "node"), str(folder / "node"))


def test_what_a_wire_changes_is_not_kept(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    node = make_node(an_image.disk)
    source = look(node)
    words = node.program("reader", "read", node.disk)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        (tmp_path / "sent").write_bytes(one.stdout.read())
    read(changed_by(tmp_path, lambda sent: sent, "same"), source, tmp_path / "same.raw")
    size = (tmp_path / "sent").stat().st_size
    for number, at in enumerate((2, 100, size // 3, size // 3 * 2)):

        def flipped(sent: bytes, at: int = at) -> bytes:
            return sent[:at] + bytes([sent[at] ^ 1]) + sent[at + 1 :]

        with pytest.raises((Unreachable, StepFailed)):
            read(changed_by(tmp_path, flipped, f"flipped-{number}"), source, tmp_path / f"{number}.raw")
    for number, length in enumerate((0, 3, 1000, size // 2, size - 10)):
        cut = changed_by(tmp_path, lambda sent, length=length: sent[:length], f"cut-{number}")  # type: ignore[misc]
        with pytest.raises(Unreachable):
            read(cut, source, tmp_path / f"cut-{number}.raw")


def packed(*frames: bytes, chunks: int = 1) -> bytes:
    held = subprocess.run(("zstd", "-cq"), input=b"".join(frames), capture_output=True).stdout
    done = b'{"event": "done", "chunks": %d}' % chunks
    return PACKET.pack(len(held)) + held + PACKET.pack(0) + PACKET.pack(EVENT | len(done)) + done


def frame(chunk: int, mask: int, held: bytes) -> bytes:
    return FRAME.pack(chunk, len(held)) + READ.pack(mask, hashlib.sha256(held).digest()) + held


PIECE = b"a" * 65536


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (packed(frame(0, 3, PIECE + PIECE)), "something else than it has found"),  # too much
        (packed(frame(0, 1, PIECE), frame(0, 2, PIECE), chunks=2), "something else"),
        (packed(frame(1, 1, PIECE)), "what is not on its disk"),
        (packed(frame(0, 1 << 33, PIECE)), "what is not on its disk"),
        (packed(frame(1 << 50, 1, PIECE)), "what is not on its disk"),
        (packed(frame(0, 3, PIECE)), "something else"),
        (packed(frame(0, 0, b""), frame(0, 1, PIECE)), "something else"),
        (packed(FRAME.pack(0, 65536) + READ.pack(1, bytes(32)) + PIECE), "chunk 0 came with other bytes"),
        (packed(FRAME.pack(0, 65536)), "broke off"),
        (packed(frame(0, 1, PIECE), chunks=7), "of the 7 chunks that the node has sent 1 came"),
        (PACKET.pack(2 << 20) + bytes(100), "not understood"),
        (PACKET.pack(EVENT | 1 << 30), "not understood"),
        (PACKET.pack(EVENT | 5) + b"hello", "not understood: hello"),
        (b"sh: python3: not found\n", "not understood"),
        (PACKET.pack(5) + b"hello" + struct.pack(">I", 0), "the program on the node ended|broke off"),
    ],
)
def test_what_a_node_sends_is_a_claim(tmp_path: Path, sent: bytes, why: str) -> None:
    (tmp_path / "sent").write_bytes(sent)
    node = changed_by(tmp_path, lambda sent: sent, "same")
    with pytest.raises((Unreachable, StepFailed), match=why):
        read(node, Source(CHUNK // 2, 0, 65536), tmp_path / "read")


def test_what_a_node_has_sent_is_there(tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(packed(frame(0, 2, PIECE)))
    node = changed_by(tmp_path, lambda sent: sent, "same")
    wanted = bytes(65536) + PIECE + bytes(CHUNK // 2 - 2 * 65536)
    found = read(node, Source(CHUNK // 2, 0, 65536), tmp_path / "read")
    assert (tmp_path / "read").read_bytes() == wanted
    assert found == Content(hashlib.sha256(wanted).hexdigest(), CHUNK // 2)
