"""What a computer's disk held when it was captured, and how the published one differs from that."""

import fnmatch
import hashlib
import shutil
from pathlib import Path
from typing import Any

from tests.guests.manifest import MAY_DIFFER
from tests.lab.flattening import flattened
from tests.lab.merged import inside, manifest
from tests.stack.conftest import Stack
from vclab.lab import disks


class SourceDisk:
    """The disk of a machine that is off, kept as it is at this moment. ``sha256``: of all its bytes, made one."""

    def __init__(self, stack: Stack, machine: Any, folder: Path) -> None:
        assert machine.runtime.powerState == "poweredOff"
        (disk,) = [device for device in machine.config.hardware.device if hasattr(device, "capacityInKB")]
        child = disks.data_of(_file(stack, disk.backing.fileName), child=True)
        parent = disks.data_of(_file(stack, disk.backing.parent.fileName), child=False)
        folder.mkdir()
        kept = folder / child.name
        shutil.copyfile(child, kept)
        self._whole = flattened(folder, folder / "whole.raw", parent, kept)
        with self._whole.open("rb") as whole:
            self.sha256 = hashlib.file_digest(whole, "sha256").hexdigest()

    def differences(self, published: Path) -> list[str]:
        """Paths that are another file on the published disk, or only on one of them, and should not be."""
        before, after = inside(manifest, self._whole), inside(manifest, published)
        differ = {path for path in before.keys() | after.keys() if _facts(before, path) != _facts(after, path)}
        allowed = [pattern for patterns in MAY_DIFFER.values() for pattern in patterns]
        return sorted(p for p in differ if not any(fnmatch.fnmatch(p.removeprefix("."), each) for each in allowed))


def _facts(found: dict[str, Any], path: str) -> Any:
    """Mode, owner, content and attributes of a file; not its times. Which names are one file is another file's."""
    if path == "hard links" or path not in found:
        return None
    mode, owner, group, _, content, attributes = found[path]
    return mode, owner, group, content, attributes


def _file(stack: Stack, path: str) -> Path:
    """Where the lab has what a vCenter calls "[datastore] path"."""
    datastore, _, name = path.removeprefix("[").partition("] ")
    return stack.layout.folder / "datastores" / datastore / name
