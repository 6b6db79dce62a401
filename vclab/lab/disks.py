"""The lab's disks: real bytes, in files that hold only what was written.

A master is a raw disk with a partition table and an ext4 file system of the shared Debian tree. A child is an ext4 file
system of its own, which overlays its parent: what differs (``upper``) and what overlayfs needs (``work``). The kernel
mounts both; nothing here reads a file system. One that a storage migration has made whole holds a base and what was
written over it: it is its own parent. ``vclab.lab.flatten`` makes one disk of a child and its parents. Each disk has a
descriptor ("x.vmdk") as vSphere has them, which names the file with its data, and the parent of a child.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vclab.debian import locked
from vclab.lab.errors import LabError

FIRST = 2048
"""The sector at which a master's partition begins."""
SECTOR = 512
_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_SAYS = b"This disk has no kernel: it boots in a lab of vclab only.\r\n\0"
BOOT_CODE = bytes.fromhex("31c0 8ed8 be187c ac 08c0 7409 b40e bb0700 cd10 ebf2 f4 ebfd") + _SAYS
"""What a master has in its first sector: a BIOS that starts it says this text, and halts."""
_EXT4_MAGIC = (1080, b"\x53\xef")
# A child's own file system is small where nothing is written: no journal, few inodes, tables that are made when needed.
_CHILD = ("-O", "^has_journal,^resize_inode", "-m", "0", "-N", "65536", "-E", "lazy_itable_init=1,nodiscard")


@dataclass(frozen=True)
class Partition:
    """Where the root file system of a disk is, in bytes."""

    offset: int
    size: int


def data_of(disk: Path, child: bool) -> Path:
    """The file with a disk's own data, by its descriptor."""
    return disk.with_name(f"{disk.stem}-{'delta' if child else 'flat'}.vmdk")


def descriptor(disk: Path, disk_gb: int, parent: str = "") -> str:
    """The text of a disk's descriptor. ``parent``: the datastore path of its parent."""
    kind, extent = ("vmfsSparse", "VMFSSPARSE") if parent else ("vmfs", "VMFS")
    hint = f'parentFileNameHint="{parent}"\n' if parent else ""
    return f"""# Disk DescriptorFile
version=1
CID=fffffffe
parentCID={"fffffffe" if parent else "ffffffff"}
createType="{kind}"
{hint}
# Extent description
RW {disk_gb * 2**21} {extent} "{data_of(disk, bool(parent)).name}"

# The Disk Data Base
#DDB
ddb.adapterType = "lsilogic"
ddb.virtualHWVersion = "13"
ddb.thinProvisioned = "1"
"""


def make_master(disk: Path, tree: Path, layer: Path, disk_gb: int) -> None:
    """A disk from which the tree boots, with the files of ``layer`` laid over it; nothing boots if there is no layer.

    One that is there stays as it is. Raises ``LabError``.
    """
    if disk.exists():
        return
    disk.parent.mkdir(parents=True, exist_ok=True)
    flat = data_of(disk, child=False)
    flat.unlink(missing_ok=True)
    if layer.is_dir():
        run("cp", "--sparse=always", "--reflink=auto", str(_base(tree, disk_gb)), str(flat))
        with flat.open("r+b") as file:
            file.write(BOOT_CODE)
        _lay(flat, layer)
    else:
        with flat.open("xb") as empty:
            empty.truncate(disk_gb << 30)
    disk.write_text(descriptor(disk, disk_gb))


def make_child(disk: Path, parent: Path, disk_gb: int, layer: Path | None = None) -> None:
    """A child of a disk, with files of its own. One that is there stays as it is. Raises ``LabError``."""
    if disk.exists():
        return
    disk.parent.mkdir(parents=True, exist_ok=True)
    delta = data_of(disk, child=True)
    with delta.open("wb") as empty:
        empty.truncate(disk_gb << 30)
    with tempfile.TemporaryDirectory() as folder:
        upper = Path(folder) / "upper"
        if layer is not None:
            shutil.copytree(layer, upper, symlinks=True)
        format_child(delta, Path(folder))
    disk.write_text(descriptor(disk, disk_gb, f"[lab] {parent}"))


def format_child(delta: Path, content: Path | None = None) -> None:
    """Make a child's file system, if it has none. Raises ``LabError``."""
    with delta.open("rb") as file:
        if os.pread(file.fileno(), 2, _EXT4_MAGIC[0]) == _EXT4_MAGIC[1]:
            return
    with tempfile.TemporaryDirectory() as folder:
        inside = content or Path(folder)
        for name in ("upper", "work"):
            (inside / name).mkdir(exist_ok=True, mode=0o755)
        inside.chmod(0o755)
        run("mke2fs", "-q", "-F", "-t", "ext4", *_CHILD, "-d", str(inside), str(delta))


def partition(disk: Path) -> Partition | None:
    """The largest Linux partition of a raw disk, a file or a device; None when there is none."""
    try:
        said = json.loads(run("sfdisk", "--json", str(disk)))["partitiontable"]
        found = [p for p in said["partitions"] if p.get("type") in (_LINUX, "83")]
        best, sector = max(found, key=lambda p: int(p["size"])), int(said.get("sectorsize", SECTOR))
        return Partition(int(best["start"]) * sector, int(best["size"]) * sector)
    except (LabError, ValueError, KeyError):
        return None


def run(*words: str, given: str = "", files: Sequence[int] = (), **environment: str) -> str:
    """What a program says on stdout. ``given``: its stdin; ``files``: open files that it has too.

    Raises ``LabError``.
    """
    own = os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"} | environment
    try:
        ran = subprocess.run(words, input=given, capture_output=True, text=True, env=own, pass_fds=files)
    except FileNotFoundError:
        raise LabError(f"{words[0]} is missing; `make setup` installs it") from None
    if ran.returncode:
        said: Sequence[str] = ran.stderr.strip().splitlines() or ["no reason given"]
        raise LabError(f"{words[0]} failed: {said[-1]}")
    return ran.stdout


# Inside.


def _base(tree: Path, disk_gb: int) -> Path:
    """A disk with the tree and nothing else: made once a size, then only copied."""
    place = tree.with_name(f"{tree.name}-{disk_gb}g.raw")
    if place.exists():
        return place
    with locked(place.parent):
        if not place.exists():
            new = place.with_name(f".new-{place.name}")
            new.unlink(missing_ok=True)
            with new.open("xb") as empty:
                empty.truncate(disk_gb << 30)
            sectors = (disk_gb << 30) // SECTOR - 2 * FIRST
            run("sfdisk", "--quiet", str(new), given=f"label: gpt\nstart={FIRST}, size={sectors}, type={_LINUX}\n")
            where = f"offset={FIRST * SECTOR},lazy_itable_init=1,nodiscard"
            words = ("-m", "0", "-J", "size=4", "-L", "root", "-E", where, "-d", str(tree))
            run("mke2fs", "-q", "-F", "-t", "ext4", *words, str(new), f"{sectors * SECTOR // 1024}k")
            new.rename(place)
    return place


def _lay(flat: Path, layer: Path) -> None:
    """Write the layer's files into the disk's file system."""
    found = partition(flat)
    if found is None:
        raise LabError(f"{flat} has no file system for Linux")
    script = 'mount -o "loop,offset=$1,sizelimit=$2" "$3" "$4"; cp -a "$5/." "$4/"; umount "$4"'
    with tempfile.TemporaryDirectory() as root:
        given = (str(found.offset), str(found.size), str(flat), root, str(layer))
        run("unshare", "--mount", "sh", "-ec", script, "sh", *given)
