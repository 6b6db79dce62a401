"""What only bare metal knows of a node."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from vclab.provisioning.data import Line, ModuleData

SIZE_TOLERANCE = 0.05
"""A disk that is sold as one of 480 GB has up to so much more or less."""
LONGEST_SERIAL = 64
"""Characters. ATA has 20, NVMe 20; SCSI's unit serial number is longer."""
MOST_KEPT = 100
"""Disks of one node that are never touched."""

_USAGE = "write serial=…, wwn=…, size=480GB, or path=/dev/disk/by-path/…"
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([GT])B", re.IGNORECASE | re.ASCII)
_UNITS = {"G": 10**9, "T": 10**12}  # as disks are sold
_SERIAL = re.compile(rf"[!-~](?:[ -~]{{0,{LONGEST_SERIAL - 2}}}[!-~])?")
_WWN = re.compile(r"[0-9a-z][0-9a-z._:-]{7,127}")
_WWN_KIND = re.compile(r"(?:wwn-)?(?:0x|naa\.|eui\.)?")
_PATH = re.compile(r"/dev/disk/by-path/[A-Za-z0-9][A-Za-z0-9._:+@-]{0,199}")


class DiskBy(StrEnum):
    """What a disk is known by."""

    SERIAL = "serial"
    WWN = "wwn"
    SIZE = "size"
    PATH = "path"


@dataclass(frozen=True)
class DiskRule:
    """Which disk of a node takes the image; made by ``parse`` only."""

    by: DiskBy
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rule. Raises ``ValueError``, which says how one is written."""
        by, equals, value = (part.strip() for part in text.partition("="))
        if not equals or by.lower() not in tuple(DiskBy):
            raise ValueError(f"{text!r} does not say which disk is meant: {_USAGE}")
        kind = DiskBy(by.lower())
        return cls(kind, _CANONICAL[kind](value))

    @property
    def size_bytes(self) -> int:
        """Of a rule by size; 0: it is another one."""
        found = _SIZE.fullmatch(self.value) if self.by is DiskBy.SIZE else None
        return round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0

    def takes_size(self, size_bytes: int) -> bool:
        """Whether a disk of that many bytes has the size that the rule names."""
        return abs(size_bytes - self.size_bytes) <= SIZE_TOLERANCE * self.size_bytes

    def __str__(self) -> str:
        """As ``parse`` takes it."""
        return f"{self.by}={self.value}"


def plain_wwn(text: str) -> str:
    """A world-wide name without what Linux puts before it: ``0x5000c5…``, ``naa.5000c5…`` and ``wwn-0x5000c5…`` are
    the same one."""
    lower = text.strip().lower()
    return lower[len(found[0]) :] if (found := _WWN_KIND.match(lower)) else lower


def _serial(text: str) -> str:
    if not _SERIAL.fullmatch(text):
        raise ValueError(f"{text!r} is not a disk's serial number: it has 1 to {LONGEST_SERIAL} printable characters")
    return text


def _wwn(text: str) -> str:
    if not _WWN.fullmatch(text.lower()):
        raise ValueError(f"{text!r} is not a disk's world-wide name, like 0x5000c500a1b2c3d4 or eui.0025385b11d0c5d8")
    return text.lower()


def _size(text: str) -> str:
    found = _SIZE.fullmatch(text)
    if not found or not float(found[1]):
        raise ValueError(f"{text!r} is not a disk's size, like 480GB or 1.92TB")
    return f"{found[1]}{found[2].upper()}B"


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(
            f"{text!r} is not /dev/disk/by-path/…, and only these paths name the same disk after each boot"
        )
    return text


_CANONICAL = {DiskBy.SERIAL: _serial, DiskBy.WWN: _wwn, DiskBy.SIZE: _size, DiskBy.PATH: _path}


def _listed(given: Any) -> Any:
    """``A1,B2`` as it is typed, or a list."""
    return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else given


Serials = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(max_length=MOST_KEPT)]
"""Serial numbers; typed with commas between them."""


class NodeData(ModuleData):
    """A node: which disk takes the image, which are never touched, and how it boots."""

    disk: Line = ""  #: a ``DiskRule``; empty: its only disk
    keep: Serials = ()  #: serial numbers of disks that are neither written nor cleaned
    firmware: Literal["", "bios", "efi"] = ""  #: that it must boot by; empty: as it is found

    @field_validator("disk")
    @classmethod
    def _disk(cls, text: str) -> str:
        return str(DiskRule.parse(text)) if text else ""

    @field_validator("keep")
    @classmethod
    def _keep(cls, serials: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_serial(each) for each in serials))

    @model_validator(mode="after")
    def _apart(self) -> Self:
        rule = self.rule
        if rule is not None and rule.by is DiskBy.SERIAL and rule.value in self.keep:
            raise ValueError(f"the disk {rule.value} can't both take the image and be kept")
        return self

    @property
    def rule(self) -> DiskRule | None:
        """Which disk takes the image; None: its only one."""
        return DiskRule.parse(self.disk) if self.disk else None
