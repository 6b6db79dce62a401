"""Writes a disk from a stream, and reads it back. It runs on the node that is imaged, in the imaging environment.

    receiver check  --map MAP DISK              refuses a disk that can't be written, before anything is
    receiver write  --map MAP --from N DISK     writes the chunks from N on; they come on the standard input
    receiver verify --map MAP DISK              reads back what the map says, from the disk and not from memory

It is run as ``on_node.py`` says. MAP is a block map as JSON (vclab/library/block_map.py). On the standard input come
packets, each after its length, the last one empty. What they hold is compressed by zstd: for each chunk with data its
number and length, and its data pieces. Each chunk's hash is checked before it is written. ``--blank``: what no file
system needs becomes zeros too, up to the disk's end; else it keeps what somebody before has written there. It says:

    {"event": "looking"}                    whether what was written before is there
    {"event": "ready", "chunk": N}          write begins at this chunk: what is asked for, or one before it
    {"event": "at", "chunk": N, ...}        all before this chunk is on the disk, or has been read back
    {"event": "done"}
    {"event": "error", "code": ..., "text": ...}
"""

import argparse
import contextlib
import fcntl
import hashlib
import io
import json
import mmap
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from vclab.imaging.on_node import FRAME, PACKET, PIPE, SAYS_AFTER, Disk, Trouble, carry_out, leashed, say, take_over

AHEAD = 3
"""Chunks that are read while another is written."""

_ALIGNED = 4096
_AT_THE_END = 1 << 20
"""Bytes at a disk's end that are zeroed: arrays that it was in before have left their marks there."""

Extents = list[tuple[int, int]]
"""(byte, length)."""
Chunk = tuple[int, Extents, Extents, str]
"""Number, data, zeros, hash of the data."""


class Map:
    """A block map, as far as it takes to write and to read back."""

    def __init__(self, said: dict[str, Any], blank: bool) -> None:
        self.size, self.sector, self.chunk, self.piece = (int(said[k]) for k in ("size", "sector", "chunk", "piece"))
        self.blank = blank
        self._runs = [(count, int(data, 16), int(zero, 16), sha) for count, data, zero, sha in said["runs"]]

    @property
    def count(self) -> int:
        """Of chunks."""
        return -(-self.size // self.chunk)

    def chunks(self, begin: int = 0) -> Iterator[Chunk]:
        """Those from this one on."""
        number = 0
        for count, data, zero, sha in self._runs:
            zero = ~data if self.blank else zero
            for one in range(max(number, begin), number + count):
                yield one, self._extents(one, data), self._extents(one, zero), sha
            number += count

    def needed(self) -> int:
        """Bytes that are written, and read back."""
        return sum(length for _, data, zero, _ in self.chunks() for _, length in data + zero)

    def _extents(self, number: int, mask: int) -> Extents:
        """The pieces in a row."""
        found: Extents = []
        at, end = number * self.chunk, min((number + 1) * self.chunk, self.size)
        mask &= (1 << -(-(end - at) // self.piece)) - 1
        while mask:
            skipped = (mask & -mask).bit_length() - 1
            mask >>= skipped
            taken = (~mask & (mask + 1)).bit_length() - 1
            mask >>= taken
            begin = at + skipped * self.piece
            at = begin + taken * self.piece
            found.append((begin, min(at, end) - begin))
        return found


def must_take(disk: Disk, map_: Map) -> None:
    """Before the first write. Raises ``Trouble``."""
    if disk.size < map_.size:
        text = f"the disk {disk.path} is too small: it has {disk.size} bytes, the image {map_.size}"
        raise Trouble("too-small", text)
    if map_.sector and disk.is_block and disk.sector != map_.sector:
        counts = f"the image's partition table counts by {map_.sector}"
        raise Trouble("sectors", f"the disk {disk.path} has sectors of {disk.sector} bytes, {counts}")


class Progress:
    """How many bytes are done, said now and then. ``before``: a call that must come before it is said."""

    def __init__(self, map_: Map, begin: int, before: Callable[[], None]) -> None:
        self._done = sum(length for n, data, zero, _ in map_.chunks() if n < begin for _, length in data + zero)
        self._of, self._before, self._said = map_.needed(), before, time.monotonic()

    def add(self, number: int, data: Extents, zero: Extents) -> None:
        """A chunk is done."""
        self._done += sum(length for _, length in data + zero)
        if time.monotonic() - self._said >= SAYS_AFTER:
            self.say(number + 1)

    def say(self, chunk: int) -> None:
        """All before this chunk is done."""
        self._before()
        say(event="at", chunk=chunk, done=self._done, of=self._of)
        self._said = time.monotonic()


# --- writing --------------------------------------------------------------------------------------------------------


class Feed:
    """The chunks that come, unpacked and checked by a thread while others are written."""

    def __init__(self, map_: Map, begin: int) -> None:
        self._map, self._begin = map_, begin
        self._full = queue.Queue[mmap.mmap | Exception | None]()
        self._empty = queue.Queue[mmap.mmap]()
        for _ in range(AHEAD):
            self._empty.put(mmap.mmap(-1, map_.chunk))
        try:
            pipe = subprocess.PIPE
            self._zstd = subprocess.Popen(["zstd", "-dcq"], stdin=pipe, stdout=pipe, stderr=pipe)
            self._packed = cast(IO[bytes], self._zstd.stdin)
            self._held = cast(io.BufferedReader, self._zstd.stdout)
            self._said = cast(IO[bytes], self._zstd.stderr)
        except FileNotFoundError:
            raise Trouble("failing", "zstd is missing in the imaging environment") from None
        for file in (0, self._packed.fileno(), self._held.fileno()):
            with contextlib.suppress(OSError):  # it is no pipe, or may not be so large
                fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, PIPE)
        for work in (self._unpack, self._run):
            threading.Thread(target=work, daemon=True).start()

    def next(self, waiting: Callable[[], None]) -> mmap.mmap | None:
        """The data of the next chunk that has some, with zeros behind it; None at the end. Until it comes ``waiting``
        is called now and then."""
        while True:
            try:
                found = self._full.get(timeout=SAYS_AFTER)
                break
            except queue.Empty:
                waiting()
        if isinstance(found, Exception):
            raise found
        return found

    def give_back(self, buffer: mmap.mmap) -> None:
        """It has been written."""
        self._empty.put(buffer)

    def close(self) -> None:
        """Nothing more is wanted."""
        self._zstd.kill()
        self._zstd.wait()

    def _unpack(self) -> None:
        """Hand the packets to ``zstd``. When the input ends early the leash ends everything."""
        with contextlib.suppress(OSError, EOFError):  # it has found them damaged, and says so
            while length := PACKET.unpack(_input(PACKET.size))[0]:
                while length:
                    length -= _pass_on(self._packed.fileno(), length)
            self._packed.close()

    def _run(self) -> None:
        try:
            for number, data, _, sha in self._map.chunks(self._begin):
                if data:
                    self._full.put(self._chunk(number, sum(length for _, length in data), sha))
            if self._held.read(1):
                raise Trouble("wire", "more came than the map has", chunk=self._map.count)
            self._full.put(None)
        except Exception as error:  # it is raised by whoever takes the next chunk
            self._full.put(error)

    def _chunk(self, number: int, length: int, sha: str) -> mmap.mmap:
        buffer = self._empty.get()
        if self._frame(number) != (number, length):
            raise Trouble("wire", f"chunk {number} did not come as the map has it", chunk=number)
        self._fill(memoryview(buffer)[:length], number)
        if hashlib.sha256(memoryview(buffer)[:length]).hexdigest() != sha:
            text = f"chunk {number} (byte {number * self._map.chunk}) came with other bytes than the map has"
            raise Trouble("wire", text, chunk=number)
        behind = min(-length % _ALIGNED, len(buffer) - length)
        buffer[length : length + behind] = bytes(behind)
        return buffer

    def _frame(self, number: int) -> tuple[int, int]:
        held = bytearray(FRAME.size)
        self._fill(memoryview(held), number)
        found, length = FRAME.unpack(held)
        return found, length

    def _fill(self, view: memoryview, number: int) -> None:
        if self._held.readinto(view) < len(view):
            said = self._said.read(200).decode("utf-8", "replace").strip().splitlines() or ["it is cut off"]
            raise Trouble("wire", f"the stream broke off in chunk {number}: {said[0]}", chunk=number)


def _input(length: int) -> bytes:
    """So many bytes of the standard input. Raises ``EOFError``."""
    held = b""
    while len(held) < length:
        if not (got := os.read(0, length - len(held))):
            raise EOFError
        held += got
    return held


def _pass_on(into: int, most: int) -> int:
    """From the standard input, pipe or socket, into a pipe, without a copy: how much. Raises ``EOFError``."""
    if not (passed := os.splice(0, into, min(most, PIPE))):
        raise EOFError
    return passed


def write(map_: Map, disk: Disk, begin: int) -> None:
    """From this chunk on, or from an earlier one if what is before it is not on the disk."""
    must_take(disk, map_)
    begin = _resumed(map_, disk, begin)
    say(event="ready", chunk=begin)
    feed, progress = Feed(map_, begin), Progress(map_, begin, disk.flush)
    progress.say(begin)
    for number, data, zero, _ in map_.chunks(begin):
        if data:
            _write_data(disk, data, feed, progress, number)
        for at, length in zero:
            disk.zero(at, length)
        progress.add(number, data, zero)
    _blank_behind(map_, disk, progress)
    feed.next(lambda: progress.say(map_.count))
    feed.close()
    progress.say(map_.count)


def _write_data(disk: Disk, extents: Extents, feed: Feed, progress: Progress, number: int) -> None:
    try:
        buffer = feed.next(lambda: progress.say(number))
    except Trouble:
        progress.say(number)  # another stream may begin here
        raise
    assert buffer is not None
    held, offset = memoryview(buffer), 0
    for at, length in extents:
        disk.write(at, held[offset : offset + disk.rounded(length)])
        offset += length
    feed.give_back(buffer)


def _blank_behind(map_: Map, disk: Disk, progress: Progress) -> None:
    """What is behind the image: its end, or all of it."""
    begin = disk.rounded(map_.size)
    begin = begin if map_.blank else max(begin, disk.size - _AT_THE_END)
    for at in range(begin, disk.size, map_.chunk):
        disk.zero(at, min(map_.chunk, disk.size - at))
        progress.add(map_.count - 1, [], [])


def _resumed(map_: Map, disk: Disk, begin: int) -> int:
    """Where to begin: there, if the last data before it is on the disk; else behind what is."""
    before = [chunk for chunk in map_.chunks() if chunk[0] < begin and chunk[1]] if begin else []
    buffer = memoryview(mmap.mmap(-1, map_.chunk))
    disk.forget()
    for number, data, _, sha in reversed(before):
        say(event="looking")
        if _hash(disk, data, buffer) == sha:
            return begin if number == before[-1][0] else number + 1
    return 0


# --- reading back ---------------------------------------------------------------------------------------------------


def verify(map_: Map, disk: Disk) -> None:
    """All that was written, zeros too, from the disk."""
    must_take(disk, map_)
    disk.forget()
    progress, buffer = Progress(map_, 0, lambda: None), memoryview(mmap.mmap(-1, map_.chunk))
    for number, data, zero, sha in map_.chunks():
        if data and _hash(disk, data, buffer) != sha:
            where = f"in chunk {number} (byte {number * map_.chunk})"
            raise Trouble("disk", f"the disk {disk.path} holds other bytes {where} than the map has", chunk=number)
        for at, length in zero:
            view = buffer[: disk.rounded(length)]
            disk.read(at, view)
            if view[:length].tobytes().count(0) != length:
                text = f"the disk {disk.path} does not hold zeros at byte {at}"
                raise Trouble("disk", text, chunk=number)
        progress.add(number, data, zero)
    progress.say(map_.count)


def _hash(disk: Disk, extents: Extents, buffer: memoryview) -> str:
    digest = hashlib.sha256()
    for at, length in extents:
        view = buffer[: disk.rounded(length)]
        disk.read(at, view)
        digest.update(view[:length])
    return digest.hexdigest()


# --- the program ----------------------------------------------------------------------------------------------------


def main(words: Sequence[str]) -> int:
    """As its words say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("check", "write", "verify"))
    parser.add_argument("disk")
    parser.add_argument("--map", required=True)
    parser.add_argument("--blank", action="store_true")
    parser.add_argument("--from", dest="begin", type=int, default=0)
    given = parser.parse_args(words)
    leashed()
    return carry_out(lambda: _work(given))


def _work(given: argparse.Namespace) -> dict[str, Any]:
    take_over()
    with Path(given.map).open("rb") as held:
        map_ = Map(json.load(held), given.blank)
    disk = Disk(given.disk, given.what != "verify")
    if given.what == "check":
        must_take(disk, map_)
    elif given.what == "write":
        write(map_, disk, given.begin)
    else:
        verify(map_, disk)
    return {}
