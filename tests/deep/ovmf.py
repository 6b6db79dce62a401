"""What a virtual machine's UEFI keeps, read from the file of its flash memory while it is off.

By EDK II: MdePkg/Include/Pi/PiFirmwareVolume.h, MdeModulePkg/Include/Guid/VariableFormat.h (variables with
authentication).
"""

import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

_GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c").bytes_le
_STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le
_STORE_HEADER = 28
_HEADER = struct.Struct("<HBxI8x16x4xII16s")
_BEGINS, _IS_THERE = 0x55AA, 0x3F


def variables(flash: Path) -> dict[str, bytes]:
    """The global variables."""
    return {name: data for name, vendor, data in _all(flash.read_bytes()) if vendor == _GLOBAL}


def order(kept: dict[str, bytes]) -> list[str]:
    """The names of its boot entries, the first one first."""
    return [f"Boot{number:04X}" for (number,) in struct.iter_unpack("<H", kept["BootOrder"])]


def label(option: bytes) -> str:
    """Of a boot entry."""
    return option[6:].decode("utf-16-le", "replace").partition("\0")[0]


def _all(held: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    (length,) = struct.unpack_from("<H", held, 48)
    assert held[40:44] == b"_FVH" and held[length : length + 16] == _STORE
    at = length + _STORE_HEADER
    while True:
        begins, state, _, name, data, vendor = _HEADER.unpack_from(held, at)
        if begins != _BEGINS:
            return
        at += _HEADER.size
        if state == _IS_THERE:
            yield held[at : at + name].decode("utf-16-le").rstrip("\0"), vendor, held[at + name : at + name + data]
        at += -(-(name + data) // 4) * 4
