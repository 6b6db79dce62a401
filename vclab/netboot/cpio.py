"""Archives that a Linux kernel unpacks as its first file system: cpio, "newc" form.

Several of them, compressed or not, may follow each other, if each ends on a multiple of four bytes (the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst). The same entries always give the same bytes.
"""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BLOCK = 512
_MAGIC = "070701"
_END = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A file, a directory, a symbolic link (``data`` is where it leads) or a device. All belong to root."""

    path: str  #: without a leading slash
    mode: int  #: with the kind, as in ``stat``
    data: bytes = b""
    device: tuple[int, int] = (0, 0)  #: major and minor number


def file(path: str, data: bytes, mode: int = 0o644) -> Entry:
    """An ordinary file."""
    return Entry(path, stat.S_IFREG | mode, data)


def directory(path: str, mode: int = 0o755) -> Entry:
    """A directory. It stands before what is in it: the kernel makes none by itself."""
    return Entry(path, stat.S_IFDIR | mode)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry], mtime: int = 0) -> Iterator[bytes]:
    """The bytes of an archive, piece by piece, in the order of the paths. ``mtime``: of all, in seconds since 1970."""
    size = 0
    for number, entry in enumerate(sorted(entries, key=lambda one: one.path.split("/")), start=1):
        for piece in _member(entry, number, mtime):
            size += len(piece)
            yield piece
    end = b"".join(_member(Entry(_END, 0), 0, 0))
    yield end + bytes(-(size + len(end)) % BLOCK)


def _member(entry: Entry, inode: int, mtime: int) -> tuple[bytes, bytes]:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, mtime, len(entry.data), 0, 0, *entry.device, len(name), 0)
    head = (_MAGIC + "".join(f"{field:08X}" for field in fields)).encode() + name
    return head + bytes(-len(head) % 4), entry.data + bytes(-len(entry.data) % 4)
