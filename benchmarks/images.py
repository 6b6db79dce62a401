"""What linked disks save, on the embedded lab with real machines; and what a copy with its hash costs, beside `cp` and
`sha256sum`. Not measured: real storage, with its own caches, locks and offloads.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import vsphere
from vclab.cli.output import JsonValue
from vclab.lab import lab, rootfs
from vclab.lab.control import Vcsim
from vclab.lab.demo import VCLAB
from vclab.lab.disks import data_of, make_master
from vclab.lab.layout import Layout
from vclab.library import content

IMAGE = "measured"
DISK_GB = 2
PATIENCE = 900.0
"""Seconds for all loads."""


@dataclass(frozen=True)
class Images:
    """The figures. Bytes are what files take."""

    loads: int
    hosts: int
    master_copies_for_loads: int
    image_bytes: int
    bytes_per_load: int  #: of its own disk, when it is ready
    blocks_allocated_per_load: float  #: the same, of the image's
    ready_seconds: float  #: from the first request to the last one that is ready
    copy_ratio_to_bare: float  #: how fast a copy with its hash is: `cp` + `sha256sum` need that many times as long
    copy_seconds: float
    bare_seconds: float
    calls_per_load: int

    def document(self) -> dict[str, JsonValue]:
        """For programs: the number of copies is named after what they were made for."""
        said = dict(vars(self))
        name = f"master_copies_for_{self.loads}_loads_on_{self.hosts}_hosts"
        return {name: said.pop("master_copies_for_loads"), **said}


def measure(loads: int, rounds: int) -> Images:
    """Everything, in a lab of its own. It needs root."""
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder:
        layout = Layout.of(Path(folder) / "lab")
        lab.up(layout, "", _silent)
        try:
            shared = _shared(layout, loads)
            copied, bare = _copying(Path(folder), data_of(_disk(layout), child=False), rounds)
        finally:
            lab.down(layout, False, _silent)
    calls = vsphere.measure((1,), 6).calls_per_load
    return Images(*shared, round(bare / copied, 2), round(copied, 2), round(bare, 2), calls)


def _silent(text: str) -> None:
    """Nobody is told."""


def _disk(layout: Layout) -> Path:
    return layout.folder / "bench" / "disk.vmdk"


def _shared(layout: Layout, loads: int) -> tuple[int, int, int, int, int, float, float]:
    """So many reservations of an image that is only in the library, at once."""
    disk = _disk(layout)
    make_master(disk, rootfs.tree(_silent), layout.layers / "debian-12", DISK_GB)
    given = data_of(disk, child=False)
    sizes = ("--cpus", "1", "--memory", "1024")  # 30 of them fill both hosts
    _vclab(layout, "image", "import", str(given), "--as", IMAGE, *sizes)
    before, began = _copies(layout), time.monotonic()
    _vclab(layout, "--as", "olga", "reserve", IMAGE, "--for", "2h", "--count", str(loads))
    machines = _ready(layout, loads)
    ready = time.monotonic() - began
    os.sync()  # what machines have written is in the kernel's memory for a while
    own = [content.allocated(data_of(Path(machine["disks"][0]), child=True)) for machine in machines]
    whole, each = content.allocated(given), round(statistics.mean(own))
    hosts = len({machine["host"] for machine in machines})
    return loads, hosts, _copies(layout) - before, whole, each, round(each / whole, 4), round(ready, 1)


def _ready(layout: Layout, loads: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE
    while True:
        listed = _vclab(layout, "--as", "olga", "list", "--json")
        ready = [one for one in listed if one["state"] == "reserved" and one["image"] == IMAGE]
        failed = [one for one in listed if one["state"] == "failed" or one["needs_help"]]
        if failed:
            raise RuntimeError(f"a load failed: {failed[0]}")
        if len(ready) == loads:
            return [m for m in Vcsim(layout.control_socket).machines() if any(r["id"] in m["name"] for r in ready)]
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(ready)} of {loads} are ready after {PATIENCE:.0f} s")
        time.sleep(1)


def _copies(layout: Layout) -> int:
    """Whole disks that lie on datastores, but for what the lab began with: those of machines are children."""
    return len([path for path in (layout.folder / "datastores").rglob("*-flat.vmdk") if "images.of_" in str(path)])


def _copying(folder: Path, disk: Path, rounds: int) -> tuple[float, float]:
    """Seconds of a copy into a repository, hash and holes included, and of ``cp`` + ``sha256sum``; medians, in turn."""
    mine, bare = list[float](), list[float]()
    for number in range(rounds):
        target = folder / f"copy-{number}"
        for times, work in ((mine, _ours), (bare, _bare)):
            os.sync()
            began = time.perf_counter()
            work(disk, target)
            times.append(time.perf_counter() - began)
            target.unlink()
    return statistics.median(mine), statistics.median(bare)


def _ours(disk: Path, target: Path) -> None:
    content.copy(disk, target)


def _bare(disk: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", str(disk), str(target)], check=True)
    subprocess.run(["sync", str(target)], check=True)
    subprocess.run(["sha256sum", str(target)], check=True, stdout=subprocess.DEVNULL)


def _vclab(layout: Layout, *words: str) -> Any:
    environment = {**os.environ, "VCLAB_CONFIG": str(layout.settings_file)}
    ran = subprocess.run([VCLAB, *words], env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"vclab {' '.join(words)}: {ran.stderr.strip()}")
    return json.loads(ran.stdout) if "--json" in words else None
