"""Reads the disk of a node, for a capture. It runs on the node (``on_node.py``), and changes nothing.

    reader look --size N DISK      how large it is, and how much of it must be read
    reader read --size N DISK      what the file systems need of it

No more than the first N bytes of it count; 0: all.

Read are the same pieces as a block map would have (vclab/library/block_map.py), without those that are zeros. On the
standard output come packets as the receiver gets them, in the other direction: each after its length, the last one
empty; what they hold is compressed by zstd: for each chunk its number and length, the mask of its pieces, their hash,
and the pieces. An event is a packet whose length has its highest bit set:

    {"event": "looking"}                    what the file systems need
    {"event": "at", "done": N, "of": M}     bytes that were read
    {"event": "done", "chunks": N}          so many were sent, after the empty packet

``look`` prints lines, as other programs do.
"""

import argparse
import contextlib
import fcntl
import json
import mmap
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any, cast

from vclab.imaging.on_node import (
    EVENT,
    FRAME,
    PACKET,
    PIPE,
    READ,
    SAYS_AFTER,
    Disk,
    Say,
    Trouble,
    carry_out,
    leashed,
    say,
    take_over,
)
from vclab.library import allocation
from vclab.library.block_map import Needed, ranges, run_of
from vclab.library.content import CHUNK, PIECE
from vclab.model.errors import Unreachable

Masks = list[tuple[int, int]]
"""Chunks of which something is needed: byte, mask of pieces."""


def look(path: str, size: int, say: Say = say) -> tuple[Disk, int, Masks]:
    """The disk, by what size of sectors its table counts (0: not known), and what of it is needed."""
    disk, pool = Disk(path, writing=False), ThreadPoolExecutor(1)
    if size > disk.size:
        raise Trouble("failing", f"the disk {path} has {disk.size} bytes, and {size} are to be read")
    disk.size = size or disk.size
    found = pool.submit(allocation.find, Path(path))
    while not wait([found], SAYS_AFTER).done:
        say(event="looking")
    try:
        known = found.result()
    except Unreachable as error:
        raise Trouble("failing", str(error)) from None
    needed = Needed(known, disk.size)
    masks = [(at, mask) for at in range(0, disk.size, CHUNK) if (mask := needed.mask(at))]
    return disk, known.sector, masks


def _bytes(disk: Disk, masks: Masks) -> int:
    return sum(min(at + last * PIECE, disk.size) - at - first * PIECE for at, m in masks for first, last in ranges(m))


class Wire:
    """Packs what is written, and sends it as packets, between events."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def start(self) -> None:
        """Before the first that is written. Raises ``Trouble``."""
        try:
            words, pipe = ["zstd", "-1", "-cq", "--no-check"], subprocess.PIPE
            self._zstd = subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe)
        except FileNotFoundError:
            raise Trouble("failing", "zstd is missing in the imaging environment") from None
        self._given, self._packed = cast(IO[bytes], self._zstd.stdin), cast(IO[bytes], self._zstd.stdout)
        for file in (1, self._given.fileno(), self._packed.fileno()):
            with contextlib.suppress(OSError):  # it is no pipe, or may not be so large
                fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, PIPE)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def write(self, held: bytes | memoryview) -> None:
        """All of it is to be sent."""
        view = memoryview(held)
        while view:
            view = view[os.write(self._given.fileno(), view) :]

    def close(self) -> None:
        """All was written: it is sent, and that it was all."""
        self._given.close()
        self._thread.join()
        if self._zstd.wait():
            raise Trouble("failing", "zstd failed in the imaging environment")
        self._send(0, b"")

    def say(self, **what: Any) -> None:
        """An event."""
        self._send(EVENT, json.dumps(what).encode())

    def _pass_on(self) -> None:
        while held := os.read(self._packed.fileno(), PIPE):
            self._send(0, held)

    def _send(self, mark: int, held: bytes) -> None:
        view = memoryview(PACKET.pack(mark | len(held)) + held)
        with self._lock, contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(1, view) :]


def read(path: str, size: int, wire: Wire) -> int:
    """How many chunks were sent."""
    disk, _, masks = look(path, size, wire.say)
    disk.forget()
    wire.start()
    done, of, sent, said = 0, _bytes(disk, masks), 0, time.monotonic()
    wire.say(event="at", done=0, of=of)
    for at, mask, buffer in _chunks(disk, masks):
        run = run_of(buffer, min(CHUNK, disk.size - at), mask)
        if run.data:
            _send(wire, disk, at, run.data, run.sha256, buffer)
            sent += 1
        done += _bytes(disk, [(at, mask)])
        if time.monotonic() - said >= SAYS_AFTER:
            said = time.monotonic()
            wire.say(event="at", done=done, of=of)
    wire.close()
    wire.say(event="at", done=of, of=of)
    return sent


def _send(wire: Wire, disk: Disk, at: int, data: int, sha256: str, buffer: memoryview) -> None:
    pieces = [buffer[first * PIECE : min(last * PIECE, disk.size - at)] for first, last in ranges(data)]
    wire.write(FRAME.pack(at // CHUNK, sum(map(len, pieces))) + READ.pack(data, bytes.fromhex(sha256)))
    for piece in pieces:
        wire.write(piece)


def _chunks(disk: Disk, masks: Masks) -> Iterator[tuple[int, int, memoryview]]:
    """Each with its needed pieces; the next one is read meanwhile."""
    buffers = [memoryview(mmap.mmap(-1, CHUNK)) for _ in range(2)]

    def fetched(at: int, mask: int, buffer: memoryview) -> tuple[int, int, memoryview]:
        for first, last in ranges(mask):
            begin, end = first * PIECE, min(last * PIECE, disk.size - at)
            disk.read(at + begin, buffer[begin : begin + disk.rounded(end - begin)])
        return at, mask, buffer

    pool, ahead = ThreadPoolExecutor(1), None
    for index, (at, mask) in enumerate(masks):
        upcoming = pool.submit(fetched, at, mask, buffers[index % 2])
        if ahead:
            yield ahead.result()
        ahead = upcoming
    if ahead:
        yield ahead.result()


def main(words: Sequence[str]) -> int:
    """As its words say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("look", "read"))
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("disk")
    given = parser.parse_args(words)
    if given.what == "look":
        leashed()
        return carry_out(lambda: _look(given.disk, given.size))
    wire = Wire()
    leashed(lambda **what: None)  # who would have to wait for the pipe
    return carry_out(lambda: _read(given.disk, given.size, wire), wire.say)


def _look(path: str, size: int) -> dict[str, Any]:
    take_over()
    disk, sector, masks = look(path, size)
    return {"size": disk.size, "sector": sector, "needed": _bytes(disk, masks)}


def _read(path: str, size: int, wire: Wire) -> dict[str, Any]:
    take_over()
    return {"chunks": read(path, size, wire)}
