"""Loop devices that go with whoever has them open: the kernel detaches them when the last one has closed them.

By the kernel's own calls (linux/loop.h), because losetup(8) attaches first and can only then be told to let go: whoever
is killed between leaves a device for ever.
"""

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vclab.lab.errors import LabError

_CONFIGURE, _GET_FREE, _CLEAR, _STATUS = 0x4C0A, 0x4C82, 0x4C01, 0x4C05
_READ_ONLY, _AUTOCLEAR = 1, 4
_INFO = struct.Struct("=5Q4I64s64s32s2Q")
_CONFIG = struct.Struct("=2I")
_RESERVED = bytes(64)
_TRIES = 20
_MAJOR = 7


@dataclass(frozen=True)
class Loop:
    """A loop device, and the open file that holds it."""

    device: str
    handle: int


def attach(file: str, sector: int = 512, offset: int = 0, size: int = 0, read_only: bool = False) -> Loop:
    """Attach a file, or a part of it (``size`` 0: to its end). Raises ``LabError`` and ``OSError``."""
    flags = _AUTOCLEAR | (_READ_ONLY if read_only else 0)
    info = _INFO.pack(0, 0, 0, offset, size, 0, 0, 0, flags, file.encode()[-63:], b"", b"", 0, 0)
    mode = os.O_RDONLY if read_only else os.O_RDWR
    backing = os.open(file, mode)
    try:
        config = _CONFIG.pack(backing, sector) + info + _RESERVED
        for _ in range(_TRIES):
            device = f"/dev/loop{_free()}"
            handle = os.open(device, mode)
            try:
                fcntl.ioctl(handle, _CONFIGURE, config)
                return Loop(device, handle)
            except OSError as error:
                os.close(handle)
                if error.errno != errno.EBUSY:  # somebody else was faster
                    raise
    finally:
        os.close(backing)
    raise LabError(f"no loop device is free for {file}")


def _free() -> int:
    control = os.open("/dev/loop-control", os.O_RDWR)
    try:
        return fcntl.ioctl(control, _GET_FREE)
    finally:
        os.close(control)


def release(disk: Path) -> None:
    """Detach what a machine that is gone has attached to its disk's device, and did not detach: as when it restarts."""
    of_disk = {number for number, file in _attached() if file == str(disk.resolve())}
    for number, _ in list(_attached()):
        with contextlib.suppress(OSError):
            handle = os.open(f"/dev/loop{number}", os.O_RDONLY)
            try:
                said = fcntl.ioctl(handle, _STATUS, bytes(_INFO.size))
                backing = _INFO.unpack(said)[2]
                if os.major(backing) == _MAJOR and os.minor(backing) in of_disk:
                    fcntl.ioctl(handle, _CLEAR)
            finally:
                os.close(handle)


def _attached() -> Iterator[tuple[int, str]]:
    """The numbers of loop devices, and their files."""
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            yield int(backing.parts[-3].removeprefix("loop")), backing.read_text().strip()
