"""What only bare metal knows of a node."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from vclab.model import nodes
from vclab.model.errors import Refused
from vclab.provisioning.data import Line, ModuleData

LONGEST_SERIAL = 64
"""Characters. ATA has 20, NVMe 20; SCSI's unit serial number is longer."""
MOST_KEPT = 100
"""Disks of one node that are never touched."""

_SERIAL = re.compile(rf"[!-~](?:[ -~]{{0,{LONGEST_SERIAL - 2}}}[!-~])?")
_LASTING = re.compile(r"/dev/disk/by-(?:path|id)/[A-Za-z0-9][A-Za-z0-9._:+@-]{0,150}")


def _listed(given: Any) -> Any:
    """``A1,B2`` as it is typed, or a list."""
    return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else given


Serials = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(max_length=MOST_KEPT)]
"""Serial numbers of disks; typed with commas between them."""


class NodeData(ModuleData):
    """A node: which disk takes the image, which are never touched, and how it boots."""

    disk: Line = ""  #: a rule (``vclab.model.nodes``); empty: its only disk
    keep: Serials = ()  #: serial numbers of disks that are neither written nor cleaned
    firmware: Literal["", "bios", "efi"] = ""  #: that it must boot by; empty: as it is found

    @field_validator("disk")
    @classmethod
    def _disk(cls, rule: str) -> str:
        try:
            nodes.check_rule(rule)
        except Refused as error:
            raise ValueError(str(error)) from None
        what, _, value = rule.partition("=")
        if what == "serial":
            _serial(value)
        if what == "path" and not _LASTING.fullmatch(value):
            raise ValueError(f"{value!r} is not /dev/disk/by-path/…; names like /dev/sda change from boot to boot")
        return rule

    @field_validator("keep")
    @classmethod
    def _keep(cls, serials: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(_serial, serials)))

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for serial in self.keep:
            if self.disk == f"serial={serial}":
                raise ValueError(f"the disk {serial} can't both take the image and be kept")
        return self


def _serial(text: str) -> str:
    if not _SERIAL.fullmatch(text):
        raise ValueError(f"{text!r} is not a disk's serial number: it has 1 to {LONGEST_SERIAL} printable characters")
    return text
