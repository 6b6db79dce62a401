"""What a capture costs, on the embedded lab with a real machine. Not measured: real storage, with its own copies."""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vclab.cli.output import JsonValue
from vclab.lab import lab
from vclab.lab.control import Vcsim
from vclab.lab.demo import VCLAB
from vclab.lab.disks import data_of
from vclab.lab.layout import Layout
from vclab.lab.seed import read_settings
from vclab.library import content
from vclab.store import load_log
from vclab.store.engine import open_store

IMAGE, BECOMES = "debian-12", "measured"
PATIENCE = 1800.0
"""Seconds for the capture."""
LOOK = 0.2
"""Seconds between two looks at the datastores."""


@dataclass(frozen=True)
class Step:
    """A step, with all its attempts and the waits between them."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Captured:
    """The figures. Bytes are what files take."""

    mib_written: int  #: by the user, in the machine
    steps: tuple[Step, ...]
    seconds_until_back: float  #: from the request until its user's computer is in use again
    seconds: float  #: from the request until the revision is there
    disk_bytes: int  #: of the source's disk: its parent's and its own
    bytes_copied: int  #: written to datastores for it: each file counts with the most that it took
    bytes_at_once: int  #: the most that all these files took at one time
    bytes_copied_to_disk: float  #: the first by the disk's
    bytes_read_back: int  #: of the two copies; as much is read of what they were made from, to compare

    def document(self) -> JsonValue:
        """For programs."""
        return asdict(self)


def measure(mib: int) -> Captured:
    """A capture in a lab of its own, of a machine in which so many MiB were written. It needs root."""
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder:
        layout = Layout.of(Path(folder) / "lab")
        lab.up(layout, "", _silent)
        try:
            return _measured(layout, mib)
        finally:
            lab.down(layout, False, _silent)


def _silent(text: str) -> None:
    """Nobody is told."""


def _measured(layout: Layout, mib: int) -> Captured:
    name = _in_use(layout, mib)
    os.sync()  # what the machine has written is in the kernel's memory for a while
    disk = _disk_bytes(layout, name)
    before = _steps(layout, name)
    with _Watch(layout.folder / "datastores") as written:
        began = time.monotonic()
        _vclab(layout, "capture", name, "--as", BECOMES)
        _wait(layout, name, _is_back)
        back = time.monotonic() - began
        _wait(layout, name, lambda seen: not seen["becomes"])
        whole = time.monotonic() - began
    sizes = [written.most_of("raw-flat.vmdk"), written.most_of("sealed-flat.vmdk")]
    steps = tuple(step for step in _steps(layout, name) if step not in before)
    return Captured(
        mib,
        steps,
        round(back, 1),
        round(whole, 1),
        disk,
        written.total,
        written.at_once,
        round(written.total / disk, 2),
        sum(sizes),
    )


def _in_use(layout: Layout, mib: int) -> str:
    """A reservation in use, with so many MiB of random bytes in its machine."""
    _vclab(layout, "--as", "olga", "user", "edit", "alice", "--imaging")
    name = str(_vclab(layout, "reserve", IMAGE, "--imaging", "--for", "2h", "--wait", "--json")["id"])
    writes = f"sudo dd if=/dev/urandom of=/opt/measured bs=1M count={mib} conv=fsync status=none"
    _vclab(layout, "connect", name, "--", writes)
    _wait(layout, name, lambda seen: seen["state"] == "inuse")
    return name


def _disk_bytes(layout: Layout, name: str) -> int:
    (machine,) = (one for one in Vcsim(layout.control_socket).machines() if name in str(one["name"]))
    own = content.allocated(data_of(Path(machine["disks"][0]), child=True))
    return own + sum(content.allocated(data_of(Path(parent), child=False)) for parent in machine["parents"])


def _steps(layout: Layout, name: str) -> list[Step]:
    """Those of its load log, in order, from the first attempt's begin to the last one's end. A step of handing back or
    of a throw-away machine's load that the log has already, of the first load, is not there again: it is in the sum."""
    store = open_store(read_settings(layout).database)
    try:
        attempts = store.run(lambda session: load_log.attempts(session, name))
    finally:
        store.close()
    found = dict[tuple[int, str, int], tuple[Any, Any]]()
    for one in attempts:
        key = (one.generation, one.name, one.count)
        found[key] = (found.get(key, (one.started_at,))[0], one.ended_at or one.started_at)
    return [Step(name, round((to - since).total_seconds(), 2)) for (_, name, _), (since, to) in found.items()]


def _is_back(seen: Any) -> bool:
    """What the computer held is taken, and its workflow says that it is in use again."""
    taken = any((one["step"], one["outcome"]) == ("vsphere.verify_raw", "done") for one in seen["load"])
    return taken and "Saving" not in (seen["now"]["word"] or seen["word"])


def _wait(layout: Layout, name: str, is_so: Callable[[Any], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so(seen := _vclab(layout, "--as", "olga", "show", name, "--json")):
        if seen["needs_help"] or seen["ended_at"] or time.monotonic() > deadline:
            raise RuntimeError(f"{name} stands: {seen['reason'] or seen['capture'] or seen['word']}")
        time.sleep(LOOK)


class _Watch:
    """Looks how much the files take that are made meanwhile, until it is left. A file that is moved stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._over = folder, threading.Event()
        self._most = dict[int, int]()  #: by inode
        self._names = dict[int, set[str]]()  #: that it had
        self.at_once = 0
        self._known = {inode for inode, _, _ in self._files()}
        self._thread = threading.Thread(target=self._look, daemon=True)

    @property
    def total(self) -> int:
        """All of them, each with the most that it took."""
        return sum(self._most.values())

    def most_of(self, name: str) -> int:
        """The most that files took that had this name."""
        return sum(self._most[inode] for inode, names in self._names.items() if name in names)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            new = [(inode, name, size) for inode, name, size in self._files() if inode not in self._known]
            for inode, name, size in new:
                self._most[inode] = max(size, self._most.get(inode, 0))
                self._names.setdefault(inode, set()).add(name)
            self.at_once = max(self.at_once, sum(size for _, _, size in new))

    def _files(self) -> list[tuple[int, str, int]]:
        found = list[tuple[int, str, int]]()
        for path in self._folder.rglob("*.vmdk"):
            try:
                seen = path.stat()
            except FileNotFoundError:
                continue  # it went while we looked
            found.append((seen.st_ino, path.name, seen.st_blocks * 512))
        return found


def _vclab(layout: Layout, *words: str) -> Any:
    own = {"VCLAB_CONFIG": str(layout.settings_file), "VCLAB_LAB": str(layout.folder)}
    ran = subprocess.run([VCLAB, *words], env={**os.environ, **own}, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"vclab {' '.join(words)}: {ran.stderr.strip()}")
    return json.loads(ran.stdout) if "--json" in words else None
