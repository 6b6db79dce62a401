"""Names of files in a FAT file system, such as an EFI system partition has. It runs on the node, and reads only.

By Microsoft's "FAT32 File System Specification" (1.03), but the width of the table is told as Linux and firmware tell
it: 32 bits where its old length is 0, whatever the number of clusters. Small disks of 4096-byte sectors have such.
``mtools`` does not read these, and the kernel's own driver would have to be mounted.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST = 4096
"""Files, and folders, that are looked at."""
LARGEST_FOLDER = 2 << 20
"""Bytes: 65,536 entries."""
DEEPEST = 4
_BOOT = struct.Struct("<11xHBHBHHxHHHIII")
"""Bytes a sector; sectors a cluster; reserved; tables; entries of the root; sectors; …; sectors a table."""
_ROOT_CLUSTER = 44
_ENTRY = 32
_LONG, _LABEL, _FOLDER = 0x0F, 0x08, 0x10
_DELETED, _DOT = 0xE5, 0x2E
_FEW = 4085
"""Clusters: with fewer an old table has 12 bits, else 16."""


class NoFat(Exception):
    """It is no FAT, or contradicts itself. Its text says why."""


@dataclass(frozen=True)
class Fat:
    """A file system that begins at this byte of a file or device."""

    file: int
    begin: int
    cluster: int  #: bytes
    bits: int
    table: int  #: byte at which it begins, of the file system
    root: int  #: the same; with 32 bits the number of its first cluster
    root_size: int  #: bytes; with 32 bits 0
    data: int  #: byte of cluster 2
    clusters: int

    def folder(self, cluster: int) -> bytes:
        """All of a folder; cluster 0 is the root. Raises ``NoFat``."""
        if not cluster:
            if self.bits < 32:
                return self._read(self.root, self.root_size)
            cluster = self.root
        places = (self.data + (each - 2) * self.cluster for each in self._chain(cluster))
        return b"".join(self._read(at, self.cluster) for at in places)

    def _chain(self, cluster: int) -> Iterator[int]:
        for _ in range(max(1, LARGEST_FOLDER // self.cluster)):
            if not 2 <= cluster < self.clusters + 2:
                return
            yield cluster
            cluster = self._next(cluster)
        raise NoFat("one of its folders has no end")

    def _next(self, cluster: int) -> int:
        if self.bits == 12:
            pair = int.from_bytes(self._read(self.table + cluster * 3 // 2, 2), "little")
            return pair >> 4 if cluster & 1 else pair & 0xFFF
        width = self.bits // 8
        return int.from_bytes(self._read(self.table + cluster * width, width), "little") & 0x0FFFFFFF

    def _read(self, at: int, length: int) -> bytes:
        held = os.pread(self.file, length, self.begin + at)
        if len(held) < length:
            raise NoFat("it is cut off")
        return held


def files(path: str, begin: int, name: str) -> list[str]:
    """All files below a folder of the root, as "/EFI/debian/shimx64.efi"; none where there is no such folder. Raises
    ``NoFat`` and ``OSError``."""
    with Path(path).open("rb", buffering=0) as file:
        fat = _opened(file.fileno(), begin)
        found: list[str] = []
        left = [(f"/{entry}", cluster) for entry, cluster in _folders(fat, 0) if entry.lower() == name.lower()]
        for _ in range(MOST):
            if not left or len(found) >= MOST:
                break
            path_there, cluster = left.pop(0)
            for entry, is_folder, below in _entries(fat.folder(cluster)):
                if not is_folder:
                    found.append(f"{path_there}/{entry}")
                elif below and path_there.count("/") < DEEPEST:
                    left.append((f"{path_there}/{entry}", below))
        return found[:MOST]


def _folders(fat: Fat, cluster: int) -> Iterator[tuple[str, int]]:
    for entry, is_folder, below in _entries(fat.folder(cluster)):
        if is_folder and below:
            yield entry, below


def _opened(file: int, begin: int) -> Fat:
    held = os.pread(file, 512, begin)
    if len(held) < 512 or held[510:] != b"\x55\xaa":
        raise NoFat("it has no boot sector")
    sector, each, reserved, tables, entries, few, length, _, _, _, many, long = _BOOT.unpack_from(held)
    if sector not in (512, 1024, 2048, 4096) or not each or each & (each - 1) or not reserved or not tables:
        raise NoFat("its boot sector is not as it should be")
    (root,) = struct.unpack_from("<I", held, _ROOT_CLUSTER)
    bits, table_length, root_size = (0, length, entries * _ENTRY) if length else (32, long, 0)
    root_at = (reserved + tables * table_length) * sector
    data = root_at + -(-root_size // sector) * sector
    clusters = ((few or many) * sector - data) // (each * sector)
    if clusters <= 0:
        raise NoFat("its boot sector is not as it should be")
    bits = bits or (12 if clusters < _FEW else 16)
    root = root if bits == 32 else root_at
    return Fat(file, begin, each * sector, bits, reserved * sector, root, root_size, data, clusters)


def _entries(folder: bytes) -> Iterator[tuple[str, bool, int]]:
    """Name, whether it is a folder, and its first cluster. A long name lies before its entry, its last part first."""
    long = ""
    for at in range(0, len(folder) - _ENTRY + 1, _ENTRY):
        entry = folder[at : at + _ENTRY]
        if entry[0] == 0:
            return
        if entry[11] & 0x3F == _LONG and entry[0] != _DELETED:
            part = (entry[1:11] + entry[14:26] + entry[28:32]).decode("utf-16-le", "replace")
            long = part.partition("\0")[0] + ("" if entry[0] & 0x40 else long)
            continue
        if entry[0] not in (_DELETED, _DOT) and not entry[11] & _LABEL:
            high, low = struct.unpack_from("<H4xH", entry, 20)
            yield long or _short(entry), bool(entry[11] & _FOLDER), high << 16 | low
        long = ""


def _short(entry: bytes) -> str:
    """What was written in small letters without a long name is marked in byte 12 (by Windows NT, Linux and others)."""
    name, kind = (entry[a:b].decode("ascii", "replace").rstrip() for a, b in ((0, 8), (8, 11)))
    name, kind = name.lower() if entry[12] & 0x08 else name, kind.lower() if entry[12] & 0x10 else kind
    return f"{name}.{kind}" if kind else name
