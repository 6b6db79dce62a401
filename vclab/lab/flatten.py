"""Makes one disk of a child and its parents: the same partition table, and a new file system with the merged files.

It needs mounts, and to leave nothing however it ends. So it is a program, for a mount and a pid namespace of its own
and an empty current directory, in which it mounts::

    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=SIGKILL \\
        python -m vclab.lab.flatten TARGET BASE CHILD…

``TARGET`` is the new raw file, ``BASE`` the raw file of the last parent, ``CHILD…`` are the data of the children,
nearest first. It prints the progress in percents, a line each; exit code 1 and a line on stderr tell why it failed.
The new file has no name before it is whole and on the disk.

All is read from mounts that can't be written to. Nothing is copied of the old file system but its files, so the new one
holds nothing that was deleted. Its UUID, label, features and sizes are the old one's. The same disks make the same
bytes. Times have whole seconds, "lost+found" is always there, and attributes of chattr(1) are lost: mke2fs(8) does no
better.
"""

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vclab.lab.disks import Partition, partition, run
from vclab.lab.errors import LabError

_CHUNK = 4 << 20
_LOOK_SECONDS = 0.2
_STATES = {"needs_recovery", "orphan_present"}
"""Features that say in which state a file system is, not how it is made."""


def main(arguments: Sequence[str]) -> int:
    """The program; its exit code."""
    target, base, *children = (Path(argument).resolve() for argument in arguments)
    try:
        flatten(target, base, children)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def flatten(target: Path, base: Path, children: Sequence[Path]) -> None:
    """Make the raw file ``target``. Raises ``LabError`` and ``OSError``, and then there is none.

    For a mount namespace of its own, which keeps the mounts, and an empty current directory.
    """
    where = partition(base)
    if where is None:
        raise LabError(f"{base.name} has no partition with a file system for Linux")
    root = _mount(base, where, children)
    with _unnamed(target) as raw:
        _copy_around(base, where, raw)
        with _telling(raw, sum(file.stat().st_blocks for file in (base, *children))):
            _make_file_system(raw, where, root)
        os.fsync(raw)
        target.unlink(missing_ok=True)  # what lies there is no disk, or is to be replaced
        # Only with a folder's descriptor does Python follow the link, so that linkat(2) names the file itself.
        with _opened_folder(Path("/proc/self/fd")) as folder:
            os.link(str(raw), target, src_dir_fd=folder)


def _mount(base: Path, where: Partition, children: Sequence[Path]) -> Path:
    """Where the merged files are, read only: as machine.sh lays them over each other, but nothing is written."""
    run("mount", "-t", "tmpfs", "-o", "mode=700,size=1m", "tmpfs", ".")
    os.chdir(Path.cwd())
    layers = []
    for number, child in enumerate(children):
        _mount_layer(child, f"child{number}")
        layers.append(f"child{number}/upper")
    _mount_layer(base, "base", f",offset={where.offset},sizelimit={where.size}")
    root = Path("root")
    root.mkdir()
    run("mount", "-t", "overlay", "-o", f"ro,lowerdir={':'.join([*layers, 'base'])}", "overlay", str(root))
    return root


def _mount_layer(file: Path, name: str, options: str = "") -> None:
    Path(name).mkdir()
    run("mount", "-t", "ext4", "-o", f"ro,noload,loop{options}", str(file), name)


@contextmanager
def _opened_folder(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def _unnamed(target: Path) -> Iterator[int]:
    """An open file without a name, on the target's file system: it is gone when nobody has it open."""
    raw = os.open(target.parent, os.O_TMPFILE | os.O_RDWR, 0o600)
    try:
        yield raw
    finally:
        os.close(raw)


def _copy_around(base: Path, where: Partition, raw: int) -> None:
    """Copy all that is not in the partition, holes as holes: partition tables, boot loaders, other partitions."""
    with base.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        os.ftruncate(raw, size)
        for begin, end in ((0, where.offset), (where.offset + where.size, size)):
            for first, last in _data(source.fileno(), begin, end):
                os.pwrite(raw, os.pread(source.fileno(), last - first, first), first)


def _data(file: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """What is no hole between two places of a file, in pieces of at most 4 MiB."""
    while begin < end:
        try:
            begin = os.lseek(file, begin, os.SEEK_DATA)
        except OSError:  # nothing but a hole follows
            return
        until = min(os.lseek(file, begin, os.SEEK_HOLE), end)
        while begin < until:
            yield begin, min(begin + _CHUNK, until)
            begin += _CHUNK
        begin = until


def _make_file_system(raw: int, where: Partition, root: Path) -> None:
    """Make a file system like the base's with the files below ``root``."""
    facts, top = _facts("base"), root.stat()
    file, own = f"/proc/self/fd/{raw}", f"offset={where.offset},root_owner={top.st_uid}:{top.st_gid}"
    size = f"{int(facts['Block count']) * int(facts['Block size']) // 1024}k"
    # What mke2fs makes by itself has one time: that of the root directory, which it makes by itself too.
    clock = str(max(1, int(top.st_mtime)))
    words = (*_like(facts, own), "-d", str(root), file, size)
    run("mke2fs", "-q", "-F", "-t", "ext4", *words, files=(raw,), E2FSPROGS_FAKE_TIME=clock)
    mode = f"set_inode_field <2> mode 0{top.st_mode:o}"  # mke2fs makes it with 755
    run("debugfs", "-w", "-R", mode, f"{file}?offset={where.offset}", files=(raw,), E2FSPROGS_FAKE_TIME=clock)


def _facts(mounted: str) -> Mapping[str, str]:
    """What dumpe2fs(8) tells of a mounted ext4."""
    place = Path(mounted).resolve()
    device = run("findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", str(place)).strip()
    lines = (line.partition(":") for line in run("dumpe2fs", "-h", device).splitlines())
    return {name: value.strip() for name, _, value in lines}


def _like(facts: Mapping[str, str], more: str) -> list[str]:
    """Arguments of mke2fs(8) for a file system like that of ``facts``; ``more``: other extended options."""
    uuid, label = facts["Filesystem UUID"], facts["Filesystem volume name"]
    features = [each for each in facts["Filesystem features"].split() if each not in _STATES]
    reserved = 100 * int(facts["Reserved block count"]) / int(facts["Block count"])
    seed = facts.get("Directory Hash Seed", uuid)
    words = [
        *("-U", uuid, "-L", "" if label == "<none>" else label, "-O", ",".join(["none", *features])),
        *("-b", facts["Block size"], "-I", facts["Inode size"], "-m", f"{reserved:.6f}"),
        *("-N", str(max(int(facts["Inode count"]), _inodes_used() * 5 // 4))),
        *("-E", f"{more},hash_seed={seed},lazy_itable_init=1,nodiscard"),
    ]
    if journal := facts.get("Total journal size"):
        words += ["-J", f"size={int(journal.rstrip('k')) >> 10}"]
    return words


def _inodes_used() -> int:
    """By all layers: the merged files are no more."""
    counts = [os.statvfs(each) for each in Path().iterdir() if each.name != "root"]
    return sum(count.f_files - count.f_ffree for count in counts)


@contextmanager
def _telling(raw: int, expected: int) -> Iterator[None]:
    """Prints how far the file is while the block runs. ``expected``: its size at the end, in blocks of 512 bytes."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(_LOOK_SECONDS):
            print(min(99, 100 * os.fstat(raw).st_blocks // max(expected, 1)), flush=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
