"""The variables of a UEFI firmware, as Linux shows them (efivarfs). It runs on the node.

By UEFI 2.10: variables 3.3, load options 3.1.3, device paths 10.3. A variable's file is its attributes and its data,
written by one call; the kernel protects those that it does not know against a careless ``rm``.
"""

import contextlib
import fcntl
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
FOLDER = "sys/firmware/efi/efivars"
LARGEST = 64 << 10
_ATTRIBUTES = struct.Struct("<I")
_KEPT = 0x7
"""Not volatile, of boot services and of the running system."""
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
"""FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_IMMUTABLE_FL of linux/fs.h."""
_ENTRY = re.compile(rf"Boot([0-9A-F]{{4}})-{GLOBAL}")
_OPTION, _NODE = struct.Struct("<IH"), struct.Struct("<BBH")
_ACTIVE = 1
_DISK, _FILE, _END = (4, 1), (4, 4), (0x7F, 0xFF)
_NETWORK = {(3, 11), (3, 12), (3, 13), (3, 24)}
_KINDS = {
    (1, 1): "pci",
    (2, 1): "acpi",
    (3, 2): "scsi",
    (3, 5): "usb",
    (3, 11): "mac",
    (3, 12): "ipv4",
    (3, 13): "ipv6",
    (3, 18): "sata",
    (3, 23): "nvme",
    (3, 24): "uri",
    (4, 1): "disk",
    (4, 2): "cd",
    (4, 4): "file",
    (4, 6): "firmware",
    (4, 7): "firmware",
    (5, 1): "bios",
}


@dataclass(frozen=True)
class Entry:
    """A boot entry, and its bytes as they are."""

    number: str  #: four hexadecimal digits
    held: bytes
    active: bool
    label: str
    kinds: tuple[tuple[int, int], ...]  #: of its device path

    @property
    def is_network(self) -> bool:
        """Whether it boots from the network."""
        return any(kind in _NETWORK for kind in self.kinds)

    def said(self) -> dict[str, Any]:
        """For the inspection."""
        where = "/".join(_KINDS.get(kind, f"{kind[0]}-{kind[1]}") for kind in self.kinds[:16])
        on_disk = _DISK in self.kinds
        return {
            "number": self.number,
            "label": self.label,
            "active": self.active,
            "where": where,
            "on_disk": on_disk,
        }


class Variables:
    """All in a folder. Methods raise ``OSError``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> list[Entry]:
        """By number; those that are not as they should be are left out."""
        found = []
        for file in sorted(self._folder.iterdir()):
            if named := _ENTRY.fullmatch(file.name):
                with contextlib.suppress(struct.error, ValueError):
                    found.append(_parsed(named[1], self.read(f"Boot{named[1]}") or b""))
        return found

    def order(self) -> list[str]:
        """The numbers of the entries, the first one first."""
        held = self.read("BootOrder") or b""
        return [f"{number:04X}" for (number,) in struct.iter_unpack("<H", held[: len(held) // 2 * 2])]

    def set_order(self, numbers: list[str]) -> None:
        """Write it."""
        self.write("BootOrder", b"".join(struct.pack("<H", int(number, 16)) for number in numbers))

    def secure_boot(self) -> bool | None:
        """Whether it is on; None: the firmware does not know it."""
        held = self.read("SecureBoot")
        return held == b"\1" if held else None

    def read(self, name: str) -> bytes | None:
        """A variable's data; None: there is none."""
        try:
            with self._file(name).open("rb") as file:
                return file.read(LARGEST)[_ATTRIBUTES.size :]
        except FileNotFoundError:
            return None

    def write(self, name: str, held: bytes) -> None:
        """Write a variable that outlives a reset."""
        self._release(name)
        file = os.open(self._file(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(file, _ATTRIBUTES.pack(_KEPT) + held)
        finally:
            os.close(file)

    def delete(self, name: str) -> None:
        """Harmless when there is none."""
        self._release(name)
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}-{GLOBAL}"

    def _release(self, name: str) -> None:
        """Take the kernel's protection away, if there is any."""
        with contextlib.suppress(OSError), self._file(name).open("rb") as file:
            held = bytearray(8)
            fcntl.ioctl(file, _GET_FLAGS, held)
            (flags,) = struct.unpack_from("=I", held)
            if flags & _IMMUTABLE:
                fcntl.ioctl(file, _SET_FLAGS, struct.pack("=I4x", flags & ~_IMMUTABLE))


def variables(root: Path = Path("/")) -> Variables | None:
    """Those of this node; None: it has none, or they can't be reached."""
    folder = root / FOLDER
    with contextlib.suppress(OSError):
        if next(folder.iterdir(), None):
            return Variables(folder)
    return None


def _parsed(number: str, held: bytes) -> Entry:
    """A load option. Raises ``ValueError`` and ``struct.error``."""
    attributes, length = _OPTION.unpack_from(held)
    end = _OPTION.size
    while held[end : end + 2] != b"\0\0":
        if end + 2 > len(held):
            raise ValueError("its label does not end")
        end += 2
    label = held[_OPTION.size : end].decode("utf-16-le", "replace")
    kinds = tuple(_kinds(held[end + 2 : end + 2 + length]))
    return Entry(number, held, bool(attributes & _ACTIVE), label, kinds)


def _kinds(path: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(path):
        kind, below, length = _NODE.unpack_from(path, at)
        if (kind, below) == _END or length < _NODE.size:
            return
        yield kind, below
        at += length


def load_option(label: str, path: bytes) -> bytes:
    """The bytes of an entry that is active."""
    return _OPTION.pack(_ACTIVE, len(path)) + f"{label}\0".encode("utf-16-le") + path


def file_on_disk(number: int, begin: int, size: int, signature: bytes, is_gpt: bool, loader: str) -> bytes:
    """The device path of a file: partition (``begin`` and ``size`` in sectors, 10.3.5.1) and name (10.3.5.4).
    ``signature``: 16 bytes, as they are on the disk."""
    kind = 2 if is_gpt else 1
    disk = struct.pack("<IQQ16sBB", number, begin, size, signature, kind, kind)
    name = f"{loader}\0".encode("utf-16-le")
    nodes = ((_DISK, disk), (_FILE, name), (_END, b""))
    return b"".join(_NODE.pack(*what, _NODE.size + len(held)) + held for what, held in nodes)
