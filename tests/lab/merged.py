"""The files of a disk as a machine sees them: a function is run in the root of a child that is laid over its parents.

It runs in a process of its own, whose mounts nobody else sees.
"""

import ctypes
import hashlib
import multiprocessing
import os
import random
import shutil
import socket
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from vclab.lab import disks

T = TypeVar("T")
_CLONE_NEWNS = 0x00020000
_BLOCK = 4096
SPARSE = 1 << 30


def inside(work: Callable[[], T], base: Path, *children: Path) -> T:
    """What ``work`` returns, run in the root of the merged files; it may write. ``children``: nearest first."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_mounted, work, base, children).result()


def _mounted(work: Callable[[], T], base: Path, children: tuple[Path, ...]) -> T:
    """As files/machine.sh mounts them; without "discard", so that what is deleted stays in the free blocks."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    disks.run("mount", "--make-rprivate", "/")
    where = disks.partition(base)
    assert where is not None
    top = Path(tempfile.mkdtemp())
    disks.run("mount", "-t", "tmpfs", "tmpfs", str(top))
    os.umask(0)
    for name in ("base", "root", *(f"child{n}" for n, _ in enumerate(children))):
        (top / name).mkdir()
    at = f"loop,offset={where.offset},sizelimit={where.size}"
    if not children:
        disks.run("mount", "-t", "ext4", "-o", at, str(base), str(top / "root"))
    else:
        disks.format_child(children[0])
        disks.run("mount", "-t", "ext4", "-o", f"ro,noload,{at}", str(base), str(top / "base"))
        for number, child in enumerate(children):
            options = "ro,noload,loop" if number else "loop"
            disks.run("mount", "-t", "ext4", "-o", options, str(child), str(top / f"child{number}"))
        lower = ":".join([*(f"{top}/child{n}/upper" for n in range(1, len(children))), f"{top}/base"])
        upper = f"upperdir={top}/child0/upper,workdir={top}/child0/work"
        disks.run("mount", "-t", "overlay", "-o", f"lowerdir={lower},{upper}", "overlay", str(top / "root"))
    os.chdir(top / "root")
    try:
        return work()
    finally:
        os.sync()
        os.chdir("/")
        disks.run("umount", "--recursive", str(top))
        top.rmdir()


# What a machine may do to its files.


def write(files: dict[str, bytes]) -> None:
    """Write these files; they are on the disk then."""
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    os.sync()


def fill(mib: int) -> None:
    """Write so much that can't be compressed, in files of at most 32 MiB."""
    for number, begin in enumerate(range(0, mib, 32)):
        Path(f"filling{number}").write_bytes(os.urandom(min(32, mib - begin) << 20))
    os.sync()


def delete(*names: str) -> None:
    """Delete these files."""
    for name in names:
        Path(name).unlink()


def furnish() -> None:
    """One of each kind of file, and some trees."""
    for number in range(4):
        for name in ("deep/one", "wide", "other"):
            folder = Path(f"tree{number}/{name}")
            folder.mkdir(parents=True)
            for n in range(3):
                (folder / f"file{n}").write_bytes(bytes([n]) * (n * 3000))
    os.link("tree0/wide/file1", "tree0/wide/again")
    os.link("tree0/wide/file1", "tree1/other-name")
    os.link("tree2/wide/file2", "tree2/wide/twice")
    for odd in (b"new\nline", "ümläut-\N{SNOWMAN}".encode(), b"\xff\xfe", b" ", b"-rf", b"a'\"$`\\b", b"n" * 255):
        Path(os.fsdecode(odd)).write_bytes(odd)
    Path("short").symlink_to("nowhere")
    Path("long").symlink_to("x" * 300)
    os.mknod("character", stat.S_IFCHR | 0o620, os.makedev(4, 70))
    os.mknod("block", stat.S_IFBLK | 0o660, os.makedev(259, 70000))
    os.mkfifo("fifo")
    socket.socket(socket.AF_UNIX).bind("socket")
    os.chown("short", 1000, 1001, follow_symlinks=False)
    os.chown("tree3/wide", 70000, 80001)
    Path("tree3/other/file1").chmod(0o6755)
    Path("tree3/other").chmod(0o1777)
    os.setxattr("tree3/other/file1", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
    for name, value in (("user.empty", b""), ("user.long", b"v" * 900), ("trusted.own", b"\0\1")):
        os.setxattr("tree3/wide", name, value)
    entries = ((1, 6, -1), (2, 6, 1000), (4, 4, -1), (0x10, 6, -1), (0x20, 4, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, id & 0xFFFFFFFF) for tag, bits, id in entries)
    os.setxattr("tree2/other/file1", "system.posix_acl_access", acl)
    with Path("sparse").open("wb") as file:
        file.truncate(SPARSE)
        file.seek(SPARSE // 2)
        file.write(b"in the middle")


def change(seed: int) -> None:
    """Do something to many of the files: the same for each seed."""
    chance = random.Random(seed)
    for path in sorted(_walk(".")):
        if os.path.lexists(path) and path != "." and os.path.basename(path) != "lost+found":  # noqa: PTH119
            chance.choice(_CHANGES)(Path(path), chance)
    os.chown(".", seed, 0)
    Path().chmod(0o750)


def _keep(path: Path, chance: random.Random) -> None:
    pass


def _remove(path: Path, chance: random.Random) -> None:
    if not path.is_symlink() and path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _replace_by_directory(path: Path, chance: random.Random) -> None:
    """What was below it must not shine through."""
    _remove(path, chance)
    path.mkdir()
    (path / "file1").write_text("of the new one")


def _replace_by_file(path: Path, chance: random.Random) -> None:
    _remove(path, chance)
    path.write_bytes(chance.randbytes(chance.randrange(9000)))


def _own(path: Path, chance: random.Random) -> None:
    os.chown(path, chance.randrange(100_000), chance.randrange(100_000), follow_symlinks=False)


def _touch(path: Path, chance: random.Random) -> None:
    os.utime(path, (10**9, chance.randrange(10**9)), follow_symlinks=False)


def _name(path: Path, chance: random.Random) -> None:
    with suppress(OSError):  # a directory of the parent can't be renamed, a name may be too long
        path.rename(path.with_name(f"{path.name[:200]}-{chance.randrange(99)}"))


def _link(path: Path, chance: random.Random) -> None:
    if not path.is_symlink() and path.is_file():
        os.link(path, f"link-{chance.randrange(10**9)}")


def _write(path: Path, chance: random.Random) -> None:
    if not path.is_symlink() and path.is_file():
        with path.open("r+b") as file:
            file.seek(chance.randrange(5000))
            file.write(b"changed")


def _set(path: Path, chance: random.Random) -> None:
    os.setxattr(path, "trusted.mark", chance.randbytes(9), follow_symlinks=False)


_CHANGES = (_keep, _keep, _remove, _replace_by_directory, _replace_by_file, _own, _touch, _name, _link, _write, _set)


# What is there.


def manifest() -> dict[str, Any]:
    """All that counts of each file, by path, and which paths are one file."""
    found: dict[str, Any] = {}
    links: dict[tuple[int, int], list[str]] = {}
    for path in sorted(_walk(".")):
        about = os.lstat(path)
        kind, extra = stat.S_IFMT(about.st_mode), ""
        if stat.S_ISREG(kind):
            extra = f"{about.st_size} {digest(path)}"
            links.setdefault((about.st_dev, about.st_ino), []).append(path)
        elif stat.S_ISLNK(kind):
            extra = os.readlink(path)  # noqa: PTH115
        elif stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            extra = str(about.st_rdev)
        names = sorted(os.listxattr(path, follow_symlinks=False))
        attributes = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]
        time = 0 if path == "./lost+found" else int(about.st_mtime)
        found[path] = (oct(about.st_mode), about.st_uid, about.st_gid, time, extra, attributes)
    found["hard links"] = sorted(group for group in links.values() if len(group) > 1)
    return found


def _walk(top: str) -> Iterator[str]:
    yield top
    for folder, directories, files in os.walk(top):
        yield from (f"{folder}/{name}" for name in (*directories, *files))


def digest(path: str | Path) -> str:
    """Of the blocks that are not zeros, and where they are: a hole is as good as zeros."""
    found = hashlib.sha256(b"%d" % Path(path).stat().st_size)
    for begin, content in extents(path):
        for at in range(0, len(content), _BLOCK):
            block = content[at : at + _BLOCK]
            if block.strip(b"\0"):
                found.update(b"%d:%b" % (begin + at, block))
    return found.hexdigest()


def extents(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """What is no hole in a file, and where it begins."""
    with Path(path).open("rb") as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        while at < size:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole follows
                return
            at = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            yield begin, os.pread(file.fileno(), at - begin, begin)
