"""What a disk's partition table says: its partitions, and how it boots."""

import json
import re
import struct
import subprocess
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vclab.model.errors import Unreachable

PATIENCE = 30.0
"""Seconds for a look at a partition table."""
MOST = 1024
"""Partitions: a table that names more is not believed."""
_ESP, _BIOS_BOOT = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "21686148-6449-6E6F-744E-656564454649"
"""GPT types: an EFI system partition, and GRUB's second stage on a BIOS."""
_EXTENDED = {"5", "f", "85"}
"""MBR types of a partition that only holds others."""
_CODE = 440
"""Bytes of an MBR for boot code."""
_LARGE_SECTOR = 4096
_GPT = struct.Struct("<8s4s3I4Q16sQ3I")
"""UEFI 2.10, 5.3.2."""
_ENTRY = struct.Struct("<16s16sQQQ")


@dataclass(frozen=True)
class Partition:
    """A partition. ``begin`` and ``end`` in bytes; ``kind`` as the table has it: a GUID, or two hexadecimal digits."""

    number: int
    begin: int
    end: int
    kind: str


@dataclass(frozen=True)
class Table:
    """A partition table. Empty: there is none that can be read."""

    label: str = ""  #: "gpt" or "dos"
    sector: int = 0  #: bytes; 0: not known
    partitions: tuple[Partition, ...] = ()


@dataclass(frozen=True)
class Boots:
    """What a disk has for firmware to boot it."""

    label: str = ""  #: of its table: "gpt" or "dos"; empty: none
    esp: bool = False  #: an EFI system partition
    bios_boot: bool = False  #: a place for GRUB's second stage
    code: bool = False  #: something in its first sector, for a BIOS


def boots(raw: Path) -> Boots:
    """Of a raw disk. Raises ``OSError``, and ``Unreachable`` when ``sfdisk`` (Debian: fdisk) is not there."""
    found = read(raw)
    kinds = {partition.kind for partition in found.partitions}
    with raw.open("rb", buffering=0) as file:
        code = any(file.read(_CODE))
    esp = (_ESP if found.label == "gpt" else "EF") in kinds
    return Boots(found.label, esp, _BIOS_BOOT in kinds, code)


def firmware(raw: Path) -> str:
    """ "efi" or "bios", as a raw disk's partition table tells; empty: it does not. What boots on both is "bios".

    Raises as ``boots``.
    """
    found = boots(raw)
    if not found.label:
        return ""
    return "efi" if found.esp and (found.label == "dos" or not found.bios_boot) else "bios"


def read(raw: Path) -> Table:
    """A raw disk's partitions, without those that only hold others. Raises ``OSError``, and as ``boots``."""
    if found := _with_large_sectors(raw):
        return found
    try:
        words = ("sfdisk", "--json", str(raw.resolve()))
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        table = json.loads(ran.stdout)["partitiontable"] if ran.returncode == 0 else {}
        sector = int(table["sectorsize"])
        return Table(str(table["label"]), sector, _partitions(table.get("partitions", []), sector))
    except FileNotFoundError:
        raise Unreachable("sfdisk is missing", "install it: apt-get install fdisk") from None
    except (subprocess.TimeoutExpired, ValueError, KeyError, AttributeError, TypeError):
        return Table()


def _partitions(said: list[dict[str, Any]], sector: int) -> tuple[Partition, ...]:
    """Raises ``ValueError`` and what else follows from an answer that is not as it should be."""
    found = []
    for part in said:
        number, kind = re.search(r"([0-9]{1,4})$", part["node"]), str(part.get("type", ""))
        if number is None:
            raise ValueError(part["node"])
        begin = int(part["start"]) * sector
        if kind.lower() not in _EXTENDED:
            found.append(Partition(int(number[1]), begin, begin + int(part["size"]) * sector, kind.upper()))
    if len(found) > MOST:
        raise ValueError(f"{len(found)} partitions")
    return tuple(found)


def _with_large_sectors(raw: Path) -> Table | None:
    """A GPT of a disk with sectors of 4096 bytes, which ``sfdisk`` of Debian 12 does not see in a file; None: it is
    none. Both checksums must be right."""
    with raw.open("rb", buffering=0) as file:
        file.seek(_LARGE_SECTOR)
        header = file.read(_LARGE_SECTOR)
        if len(header) < _LARGE_SECTOR or not header.startswith(b"EFI PART"):
            return None
        _, _, length, summed, *_, at, count, size, entries_summed = _GPT.unpack_from(header)
        if not 92 <= length <= 512 or not 0 < count <= MOST or size != 128 or not 1 < at < 1 << 40:
            return None
        file.seek(at * _LARGE_SECTOR)
        entries = file.read(count * size)
    if zlib.crc32(header[:16] + bytes(4) + header[20:length]) != summed or zlib.crc32(entries) != entries_summed:
        return None
    found = []
    for number in range(1, count + 1):
        kind, _, first, last, _ = _ENTRY.unpack_from(entries, (number - 1) * size)
        if any(kind):
            begin, end = first * _LARGE_SECTOR, (last + 1) * _LARGE_SECTOR
            found.append(Partition(number, begin, end, str(uuid.UUID(bytes_le=kind)).upper()))
    return Table("gpt", _LARGE_SECTOR, tuple(found))
