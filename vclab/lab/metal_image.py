"""The image of the lab's bare metal, in a repository. It is made once on a machine, and is the same in all its labs:
they share the files, which nobody ever changes, and the management node's key, which the image lets in.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from vclab.debian import Say, cache, locked
from vclab.lab import disks, rootfs
from vclab.lab.errors import LabError
from vclab.lab.layout import Layout
from vclab.lab.stock import METAL_IMAGE
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.revisions import Origin, RevisionRecord

_MADE_BY = "vclab up"
_OTHERS_KEPT = 1


def management_key(key: Path) -> None:
    """Have the management node's key: all labs of this machine have the same one. Raises ``LabError``."""
    if key.exists():
        return
    folder = cache() / "metal"
    folder.mkdir(exist_ok=True)
    with locked(folder):
        if not (folder / key.name).exists():
            make_key(folder / key.name, "lab@vclab")
    shutil.copy(folder / f"{key.name}.pub", key.with_suffix(".pub"))
    key.touch(mode=0o600)
    key.write_text((folder / key.name).read_text())


def make_key(path: Path, comment: str) -> None:
    """An SSH key. Raises ``LabError``."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ran.returncode:
        raise LabError(f"no SSH key can be made in {path.parent}: {ran.stderr.strip() or 'ssh-keygen failed'}")


def keep(layout: Layout, tree: Path, say: Say) -> None:
    """Have it in the lab's repository. Raises ``LabError``."""
    place = Path("images") / METAL_IMAGE.name / str(METAL_IMAGE.revision)
    if (layout.repository / place).exists():
        return
    made = _made(layout, tree, say)
    work = layout.repository / "incoming" / METAL_IMAGE.name
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(made / place, work, copy_function=_link)
    (layout.repository / place).parent.mkdir(exist_ok=True)
    work.rename(layout.repository / place)


def record(layout: Layout) -> RevisionRecord:
    """What the repository says of it. Raises ``LabError``."""
    found = Repository(layout.repository).find(METAL_IMAGE.name, METAL_IMAGE.revision)
    if found is None:
        raise LabError(f"{METAL_IMAGE.name} is not in {layout.repository}")
    return found


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        disks.run("cp", "--sparse=always", "--preserve=mode", source, target)


def _made(layout: Layout, tree: Path, say: Say) -> Path:
    """The repository that has it; made first if there is none."""
    authorized = layout.ssh_key.with_suffix(".pub").read_text()
    parts = (tree.name, repr(METAL_IMAGE), disks.BOOT_CODE.hex(), authorized)
    folder = cache() / "metal"
    folder.mkdir(exist_ok=True)
    place = folder / f"repository-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:12]}"
    with locked(folder):
        if not place.is_dir():
            say("making the image of the lab's bare metal (once, usually 5 to 10 s)")
            with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as work:
                _make(Path(work), tree, authorized)
                (Path(work) / "repository").rename(place)
            _forget_old(folder, place)
    return place


def _make(work: Path, tree: Path, authorized: str) -> None:
    rootfs.make_layer(work / "layer", authorized)
    disks.make_master(work / "disk.vmdk", tree, work / "layer", METAL_IMAGE.disk_gb)
    disk = disks.data_of(work / "disk.vmdk", child=False)
    record = METAL_IMAGE.record(Origin(made_at=datetime.now(UTC), made_by=_MADE_BY))
    size = disk.stat().st_size

    def write(target: Path, told: Told) -> None:
        disk.rename(target)

    Repository.make(work / "repository").keep(record, size, write)


def _forget_old(folder: Path, kept: Path) -> None:
    """Labs have their own links."""
    others = [one for one in folder.glob("repository-*") if one != kept]
    for old in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[_OTHERS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
