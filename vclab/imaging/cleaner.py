"""Cleans all disks of a node, before another person gets it. It runs on the node (``on_node.py``).

    cleaner [--keep=SERIAL …] [--begin=KEY:BYTE …]

A disk is formatted (NVMe), else discarded, if it takes that; then it is read in places, and where it does not hold
zeros it is overwritten with zeros as a whole, and read again. All disks are cleaned at one time. Nothing is touched
before each of them could be opened for writing and for nobody else: one that is mounted, in use or read-only stops all,
and so does one to be kept that is not there. It works in the imaging environment only.

    {"event": "at", "done": N, "of": M}                  bytes of all disks
    {"event": "upto", "key": K, "byte": N}               an attempt after this one may begin there on this disk
    {"event": "cleaned", "path": P, "serial": S, "size": N, "how": ...}
    {"event": "done"}

How: "formatted", "discarded", "overwritten", "clean" (by an earlier attempt), or "kept".
"""

import argparse
import json
import mmap
import random
import re
import subprocess
import threading
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from vclab.imaging import inspector
from vclab.imaging.on_node import (
    SAYS_AFTER,
    Discard,
    Disk,
    Trouble,
    attempt,
    carry_out,
    leashed,
    must_be_environment,
    say,
    take_over,
)

DISCARD_STEP, SMALLEST_STEP, ZERO_STEP = 256 << 20, 1 << 20, 64 << 20
"""Bytes. A step can't be broken off, and the program is to end within two seconds."""
_FAST, _SLOW = 0.25, 1.0
"""Seconds of a step that may be longer, and of one that must be shorter."""
AT_THE_ENDS, PLACE = 8 << 20, 64 << 10
"""Bytes that are read at a disk's beginning and end, and in each place between them."""
PLACES, MARKS = 256, 64
_MARK = bytes(range(1, 256)) * 17
"""Written in some places before a disk is discarded: one that ignores that is found, also if it was empty there."""
_MARK_SIZE = 4096
_FORMAT_ALONE, _FORMATS = 0b11, 0b10
"""Of FNA: formatting, or erasing, does that to all namespaces; of OACS: it can (NVMe 2.0, figure 275)."""


class Progress:
    """The bytes of all disks together. Safe to call from threads."""

    def __init__(self, of: int) -> None:
        self._lock, self._done, self._of, self._said = threading.Lock(), 0, of, 0.0

    def add(self, length: int) -> None:
        """So many more are done."""
        with self._lock:
            self._done += length
            if time.monotonic() - self._said >= SAYS_AFTER:
                self._said = time.monotonic()
                say(event="at", done=self._done, of=self._of)

    def more(self, length: int) -> None:
        """So many more are to be done."""
        with self._lock:
            self._of += length


class One:
    """A disk that is cleaned. ``begin``: all before this byte is overwritten."""

    def __init__(self, known: Mapping[str, Any], begins: Mapping[str, int]) -> None:
        self.path, self.serial = str(known["path"]), str(known["serial"])
        self.key = f"{self.serial or known['wwn']}@{self.path}"
        self.disk = Disk(self.path, writing=True)
        begin = begins.get(self.key, 0)
        self.begin = self.size if begin >= self.size else begin // _MARK_SIZE * _MARK_SIZE
        unit = int(known["discarded_by"]) or 1
        self._discarded = max(unit, DISCARD_STEP // unit * unit)  # a disk ignores what is not a whole unit
        self._buffer = memoryview(mmap.mmap(-1, AT_THE_ENDS))
        self._marks: list[int] = []

    @property
    def size(self) -> int:
        """In bytes."""
        return self.disk.size

    def clean(self, progress: Progress) -> str:
        """How it was cleaned. Raises ``Trouble``."""
        if self.begin >= self.size:
            if self._not_blank() is None:
                progress.add(self.size)
                return "clean"
            self.begin = 0  # somebody has written since
        if self.begin == 0 and (how := self._dropped(progress)):
            if self._not_blank() is None:
                self._upto(self.size)
                return how
            progress.more(self.size)
        self._overwrite(progress)
        if (at := self._not_blank()) is not None:
            raise Trouble("disk", f"the disk {self.path} was overwritten, but does not hold zeros at byte {at}")
        return "overwritten"

    def _dropped(self, progress: Progress) -> str:
        """Whether its content was dropped, as it says itself: how, or empty."""
        self._mark()
        if _formatted(self.path):
            progress.add(self.size)
            return "formatted"
        for at in range(0, self.size, self._discarded):
            length = min(self._discarded, self.size - at)
            if self.disk.discard(at, length) is Discard.REFUSED:
                return ""
            progress.add(length)
        return "discarded"

    def _mark(self) -> None:
        count = self.size // _MARK_SIZE
        self._marks = [random.randrange(count) * _MARK_SIZE for _ in range(min(MARKS, count))]
        self._buffer[:_MARK_SIZE] = _MARK[:_MARK_SIZE]
        for at in self._marks:
            self.disk.write(at, self._buffer[:_MARK_SIZE])
        self.disk.flush()

    def _overwrite(self, progress: Progress) -> None:
        progress.add(self.begin)
        said = time.monotonic()
        for at, length in _steps(self.begin, self.size):
            self.disk.zero(at, length)
            progress.add(length)
            if time.monotonic() - said >= SAYS_AFTER:
                said = time.monotonic()
                self._upto(at + length)
        self._upto(self.size)

    def _upto(self, byte: int) -> None:
        self.disk.flush()
        say(event="upto", key=self.key, byte=byte)

    def _not_blank(self) -> int | None:
        """Where it does not hold zeros, of the places that are looked at; None: nowhere."""
        self.disk.forget()
        say(event="looking", key=self.key)
        for at, length in self._places():
            view = self._buffer[:length]
            self.disk.read(at, view)
            if view.tobytes().count(0) != length:
                return at
        return None

    def _places(self) -> Iterator[tuple[int, int]]:
        yield 0, min(AT_THE_ENDS, self.size)
        yield from ((at, _MARK_SIZE) for at in self._marks)
        if self.size > PLACE:
            for _ in range(PLACES):
                yield random.randrange(self.size // PLACE) * PLACE, PLACE
        end = self.disk.rounded(max(0, self.size - AT_THE_ENDS))
        yield end, self.size - end


def _steps(begin: int, size: int) -> Iterator[tuple[int, int]]:
    """What is overwritten at one time: as much as the disk does soon."""
    at, step = begin, SMALLEST_STEP
    while at < size:
        length, began = min(step, size - at), time.monotonic()
        yield at, length
        at, spent = at + length, time.monotonic() - began
        if spent < _FAST:
            step = min(2 * step, ZERO_STEP)
        elif spent > _SLOW:
            step = max(step // 2, SMALLEST_STEP)


# --- NVMe -----------------------------------------------------------------------------------------------------------


def _formatted(path: str) -> bool:
    """Whether it is an NVMe disk, and was formatted. What has begun goes on when this program is ended."""
    named = re.fullmatch(r"/dev/(nvme[0-9]+)n[0-9]+", path)
    if named is None:
        return False
    said = [attempt(["nvme", what, path, "--output-format=json"]).stdout for what in ("id-ctrl", "id-ns")]
    spaces = len(list(Path("/sys/block").glob(f"{named[1]}n*")))
    try:
        words = format_words(path, json.loads(said[0]), json.loads(said[1]), spaces)
    except (ValueError, KeyError, TypeError):
        return False
    return bool(words) and _ran(words)


def format_words(path: str, controller: Mapping[str, Any], space: Mapping[str, Any], spaces: int) -> list[str]:
    """The words that format a namespace and erase what users have written, with sectors as they are; none where that
    can't be done, or would be done to others too."""
    if not int(controller["oacs"]) & _FORMATS or (int(controller["fna"]) & _FORMAT_ALONE and spaces > 1):
        return []
    flbas = int(space["flbas"])
    size = flbas & 0xF | flbas >> 1 & 0x30
    return ["nvme", "format", path, "--ses=1", f"--lbaf={size}", "--force"]


def _ran(words: Sequence[str]) -> bool:
    """Whether the program ends well; it is said now and then that it runs."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
        while True:
            try:
                return one.wait(SAYS_AFTER) == 0
            except subprocess.TimeoutExpired:
                say(event="formatting")


# --- all disks ------------------------------------------------------------------------------------------------------


def clean(keep: Sequence[str], begins: Mapping[str, int]) -> None:
    """Clean all but those with these serial numbers. Raises ``Trouble``."""
    must_be_environment()
    known = inspector.disks()
    if missing := sorted(set(keep) - {disk["serial"] for disk in known}):
        text = f"no disk has the serial number {missing[0]}, which is to be kept: nothing was cleaned"
        raise Trouble("kept", text)
    kept = [disk for disk in known if disk["serial"] in keep]
    ones = [One(disk, begins) for disk in _apart(known) if disk["serial"] not in keep]
    for disk in kept:
        say(event="cleaned", path=disk["path"], serial=disk["serial"], size=disk["size"], how="kept")
    progress, pool = Progress(sum(one.size for one in ones)), ThreadPoolExecutor(max(len(ones), 1))
    running = {pool.submit(one.clean, progress): one for one in ones}
    for future in as_completed(running):
        one, how = running[future], future.result()  # the first that fails ends all: the program ends
        say(event="cleaned", path=one.path, serial=one.serial, size=one.size, how=how)


def _apart(known: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each disk once: one that is reached by two paths has one WWN, serial number and size there. A WWN alone is not
    enough: controllers and cheap disks show one for all. Whatever lacks one of these is cleaned by itself."""
    found: dict[Hashable, Mapping[str, Any]] = {}
    for disk in known:
        same = disk["wwn"], disk["serial"], disk["size"]
        found.setdefault(same if all(same) else disk["path"], disk)
    return list(found.values())


def main(words: Sequence[str]) -> int:
    """As its words say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--begin", action="append", default=[])
    given = parser.parse_args(words)
    leashed()
    return carry_out(lambda: _work(given))


def _work(given: argparse.Namespace) -> dict[str, Any]:
    take_over()
    begins = {key: int(byte) for key, _, byte in (begin.rpartition(":") for begin in given.begin)}
    clean(given.keep, begins)
    return {}
