"""A partition of a raw disk, as the readers of file systems see it."""

import os
from dataclasses import dataclass
from pathlib import Path

LARGEST_READ = 64 << 20
"""Bytes of one read: a structure that says that it is longer is not believed."""

Range = tuple[int, int]
"""Bytes of a partition: [from, to)."""


class Unclear(Exception):
    """What a file system holds can't be told for certain. Its text says why, for people."""


@dataclass(frozen=True)
class Window:
    """Bytes of a raw disk, from ``begin`` on. ``file``: a descriptor of the same file as ``path``."""

    path: Path
    file: int
    begin: int
    size: int

    def read(self, at: int, length: int) -> bytes:
        """Raises ``Unclear`` when these bytes are not in it, ``OSError`` when they can't be read."""
        if at < 0 or not 0 <= length <= LARGEST_READ or at + length > self.size:
            raise Unclear("it points behind its partition's end")
        held = os.pread(self.file, length, self.begin + at)
        if len(held) < length:
            raise Unclear("it is cut off")
        return held


def between(used: list[Range], begin: int, end: int) -> list[Range]:
    """What lies in [begin, end) and in none of ``used``."""
    free, at = list[Range](), begin
    for first, last in sorted(used):
        if first > at:
            free.append((at, min(first, end)))
        at = max(at, last)
        if at >= end:
            break
    if at < end:
        free.append((at, end))
    return [(first, last) for first, last in free if first < last]
