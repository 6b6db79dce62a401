"""Disk images of other systems: recognised by what they hold, refused when they refer to other files, and converted.

A file that somebody brings is a claim. It is looked at here before ``qemu-img`` opens it: a header can name any file of
this machine as its backing file, and whoever converts it would be given that file (CVE-2024-32498 in OpenStack).
"""

import json
import os
import re
import select
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from vclab.library.content import Told, allocated
from vclab.model.errors import Refused, StepFailed

LARGEST = 64 << 40
"""Bytes of a disk."""
PATIENCE = 30.0
"""Seconds for a look at an image's header."""
MEMORY = 2 << 30
"""Bytes of address space that ``qemu-img`` may use: a header can ask for tables of any size."""
_QEMU_IMG = ("prlimit", f"--as={MEMORY}", "--core=0", "--", "qemu-img")
_SAID = 500
_PROGRESS = re.compile(rb"\(([0-9.]{1,6})/100%\)")


class Format(StrEnum):
    """Formats of disk images, as ``qemu-img`` calls them."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VMDK = "vmdk"


@dataclass(frozen=True)
class Found:
    """What a file holds: a disk of ``size`` bytes."""

    format: Format
    size: int


def inspect(path: Path) -> Found:
    """What disk image this is. Raises ``Refused`` when it is none, or one that can't be taken."""
    with _opened(path) as file:
        head, length = os.pread(file.fileno(), 4096, 0), os.fstat(file.fileno()).st_size
    found = _format(path, head, length)
    if found is Format.RAW:
        return Found(found, length)
    said = _info(path, found)
    _refuse_references(path, said)
    size = said.get("virtual-size")
    if not isinstance(size, int) or not 0 < size <= LARGEST:
        raise Refused(f"{path.name}: it says that its disk has {size} bytes", f"a disk has 1 to {LARGEST} bytes")
    return Found(found, size)


def needs(path: Path, found: Found) -> int:
    """The bytes that its content takes as a sparse raw file, at most. Raises ``Refused``."""
    if found.format is Format.RAW:
        return min(allocated(path), found.size)
    words = (*_QEMU_IMG, "measure", "--output=json", "-f", found.format, "-O", "qcow2", str(path.resolve()))
    try:
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        said = json.loads(ran.stdout) if ran.returncode == 0 else {}
        return min(int(said["required"]), found.size)
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        raise Refused(f"{path.name} can't be read as {found.format}") from None


def to_raw(source: Path, found: Found, target: Path, told: Told) -> None:
    """Write the disk as a sparse raw file. Raises ``StepFailed`` with what ``qemu-img`` says, and as ``told`` does."""
    _convert(source, found.format, target, Format.RAW, found.size, told)


def from_raw(source: Path, target: Path, wanted: Format, told: Told) -> None:
    """Write a raw file as an image of this format; a VMDK as one file for other systems to import (streamOptimized)."""
    _convert(source, Format.RAW, target, wanted, source.stat().st_size, told)


# --- what a file is -------------------------------------------------------------------------------------------------


def _opened(path: Path) -> Any:
    if not path.exists():
        raise Refused(f"there is no file {path}")
    if not path.is_file():
        raise Refused(f"{path} is not a file")
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise Refused(f"{path} can't be read: {error.strerror}") from None


def _format(path: Path, head: bytes, length: int) -> Format:
    if head.startswith(b"QFI\xfb"):
        _check_qcow2(path, head)
        return Format.QCOW2
    described = head.lstrip().startswith(b"# Disk DescriptorFile")
    if head.startswith(b"KDMV") and int.from_bytes(head[12:20], "little"):
        return Format.VMDK
    if described or head.startswith(b"KDMV"):  # without a size of its own, a VMDK is what its descriptor says
        one = "make one file of it: vmware-vdiskmanager -r DISK.vmdk -t 0 ONE.vmdk, or qemu-img convert -O qcow2"
        raise Refused(f"{path.name} only names the files in which its disk lies", one)
    if head[510:512] == b"\x55\xaa" and length % 512 == 0 and length <= LARGEST:
        return Format.RAW
    raise Refused(
        f"{path.name} is not a disk image: it is neither QCOW2 nor VMDK, and not a raw disk with a partition table",
        "give the disk's file itself, unpacked",
    )


def _check_qcow2(path: Path, head: bytes) -> None:
    """By its own header (docs/interop/qcow2.txt of QEMU): what ``qemu-img info`` would already open."""
    version = int.from_bytes(head[4:8])
    if version not in (2, 3) or len(head) < 104:
        raise Refused(f"{path.name} is a QCOW image of a version that is not known, or is cut off")
    if int.from_bytes(head[8:16]):
        raise Refused(f"{path.name} has a backing file", "flatten it: qemu-img convert -O qcow2 FILE FLAT")
    if int.from_bytes(head[32:36]):
        raise Refused(f"{path.name} is encrypted", "decrypt it: qemu-img convert, with its secret")
    if version == 3 and int.from_bytes(head[72:80]) & 0b100:
        raise Refused(f"{path.name} keeps its data in another file", "make one file of it: qemu-img convert -O qcow2")


def _info(path: Path, found: Format) -> dict[str, Any]:
    words = (*_QEMU_IMG, "info", "--output=json", "-f", found, str(path.resolve()))
    try:
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        said = json.loads(ran.stdout) if ran.returncode == 0 else {}
    except (subprocess.TimeoutExpired, ValueError):
        raise Refused(f"{path.name} can't be read as {found}") from None
    if ran.returncode or not isinstance(said, dict):
        raise Refused(f"{path.name} can't be read as {found}: {_last_line(ran.stderr, path)}")
    return said


def _refuse_references(path: Path, said: dict[str, Any]) -> None:
    """Again by what ``qemu-img`` says: a VMDK names its parts in its own descriptor."""
    specific = said.get("format-specific", {}).get("data", {})
    extents = specific.get("extents", [])
    others = [part.get("filename") for part in extents if part.get("filename") not in (None, str(path.resolve()))]
    if said.get("backing-filename") or specific.get("data-file") or others or len(extents) > 1:
        raise Refused(f"{path.name} refers to another file", "make one file of it: qemu-img convert -O qcow2")
    if said.get("encrypted"):
        raise Refused(f"{path.name} is encrypted")


# --- converting -----------------------------------------------------------------------------------------------------


def _convert(source: Path, given: Format, target: Path, wanted: Format, size: int, told: Told) -> None:
    options = ("-o", "subformat=streamOptimized") if wanted is Format.VMDK else ()
    names = str(source.resolve()), str(target.resolve())
    words = (*_QEMU_IMG, "convert", "-p", "-f", given, "-O", wanted, *options, "-S", "4k", *names)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            _follow(running, size, told)
        except BaseException:
            running.kill()
            raise
        assert running.stderr is not None
        said = running.stderr.read()
    if running.returncode:
        raise StepFailed(f"{source.name} could not be written as {wanted}: {_last_line(said, source)}")


def _follow(running: "subprocess.Popen[bytes]", size: int, told: Told) -> None:
    """Tell the progress that it prints, each value after a carriage return; every second also when it prints
    nothing."""
    assert running.stdout is not None
    left, done, output = b"", 0, select.poll()
    output.register(running.stdout)
    while True:
        if output.poll(1000):
            if not (said := os.read(running.stdout.fileno(), 4096)):
                return
            left = (left + said)[-64:]
            if found := _PROGRESS.findall(left):
                done = int(float(found[-1]) / 100 * size)
        told(done, size)


def _last_line(said: bytes, path: Path) -> str:
    lines: Sequence[str] = said.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    shown = "".join(c if c.isprintable() else "?" for c in lines[-1])
    return shown.removeprefix("qemu-img: ").replace(str(path.resolve()), path.name)[:_SAID]
