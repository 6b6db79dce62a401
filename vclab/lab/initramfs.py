"""Unpacks what a boot loader hands to a kernel as its first file system: archives of ``vclab.netboot.cpio``'s form.

What many nodes boot is unpacked once, into the cache, by its hash.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vclab.debian import locked

_ZSTD = b"\x28\xb5\x2f\xfd"
_KEPT = 3
_END = "TRAILER!!!"


class Damaged(Exception):
    """It is no archive, or half of one."""


def members(archive: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Path, mode and data of each member. Raises ``Damaged``."""
    view, at = memoryview(archive), 0
    while True:
        if bytes(view[at : at + 6]) != b"070701":
            raise Damaged(f"no member begins at byte {at}")
        mode, size, length = (int(bytes(view[at + 6 + 8 * n : at + 14 + 8 * n]), 16) for n in (1, 6, 11))
        name = bytes(view[at + 110 : at + 110 + length - 1]).decode()
        start = (at + 110 + length + 3) // 4 * 4
        if name == _END:
            return
        yield name, mode, bytes(view[start : start + size])
        at = (start + size + 3) // 4 * 4


def unpack(archive: bytes, root: Path) -> None:
    """Put its files, directories and links below a directory, as a kernel does. Raises ``Damaged``."""
    if archive.startswith(_ZSTD):
        archive = subprocess.run(["zstd", "-dcq"], input=archive, capture_output=True).stdout
    for path, mode, data in members(archive):
        place = root / path
        if stat.S_ISDIR(mode):
            place.mkdir(exist_ok=True)
        elif stat.S_ISLNK(mode):
            place.symlink_to(os.fsdecode(data))
        elif stat.S_ISREG(mode):
            place.write_bytes(data)
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            place.chmod(stat.S_IMODE(mode))


def unpacked(archive: bytes, cache: Path) -> Path:
    """The directory of an archive that many boot: only to be read. Raises ``Damaged``."""
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / hashlib.sha256(archive).hexdigest()[:16]
    with locked(cache):
        if not place.is_dir():
            with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as work:
                (Path(work) / "root").mkdir(mode=0o755)
                unpack(archive, Path(work) / "root")
                (Path(work) / "root").rename(place)
        os.utime(place)
        trees = sorted((one for one in cache.iterdir() if one.name[0] != "."), key=lambda one: one.stat().st_mtime)
        for old in trees[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return place
