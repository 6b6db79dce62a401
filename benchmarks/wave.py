"""Bytes that are read from a repository's disk when several nodes want one image at one time, as a class does.

Nothing of the image is in memory when the first begins. Each is a thread with a stream of its own, as a worker's steps
are, and waits for its turn at the repository; the nodes are this machine, by SSH. The kernel tells what this process,
and so the senders, had read from disks; the nodes' programs are other processes. The image fits into memory here: where
it does not, those who read at one time share what is read, and the next ones read it again.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import ssh, stream
from vclab.imaging import sender
from vclab.imaging.node import Node
from vclab.library import content
from vclab.library.repository import Repository
from vclab.model.revisions import RevisionRecord

COLD = 0.99
"""Of the image that must come from the disk once, else it was in memory before."""
_IMAGE, _REVISION = "measured", 1


@dataclass(frozen=True)
class Wave:
    """The figures. Bytes are those that no cache had."""

    wave_nodes: int
    wave_at_once: int  #: so many read from the repository at one time
    wave_image_bytes: int  #: of the image on the repository's disk, that each node needs
    wave_read_bytes: int  #: from the repository's disk, for all of them
    wave_read_ratio: float  #: the second by the first
    wave_seconds: float  #: until the last node has all


def measure(mib: int, nodes: int, at_once: int) -> Wave:
    """Raises ``RuntimeError`` when the kernel kept the image in memory: then nothing is measured. It needs no root."""
    with stream.work_folder() as folder, ssh.server(folder) as words:
        repository = _kept(folder, mib)
        a_map = repository.block_map(_IMAGE, _REVISION)
        there = [
            Node(str(stream.target(folder / f"disk-{number}", a_map.size)), words, str(folder / f"node-{number}"))
            for number in range(nodes)
        ]
        for node in there:
            sender.place(node, a_map)
        os.sync()
        _forget(repository.disk(_IMAGE, _REVISION))
        began, before = time.perf_counter(), _read_from_disks()
        _at_once(repository, there, at_once)
        took, read = time.perf_counter() - began, _read_from_disks() - before
        needed = min(a_map.travels, repository.size(_IMAGE, _REVISION))  # zeros among the data are holes on the disk
    if read < COLD * needed:
        raise RuntimeError(f"{needed} bytes are needed, and {read} were read: the kernel had them in memory")
    return Wave(nodes, at_once, needed, read, round(read / needed, 3), round(took, 2))


def _kept(folder: Path, mib: int) -> Repository:
    """A repository that has such an image."""
    disk, repository = stream.image(folder, mib), Repository.make(folder / "repository")
    record = RevisionRecord(_IMAGE, _REVISION, "", "", 0, "", "", 1, 1024, datetime.now(UTC), "bench")
    repository.keep(record, disk.stat().st_size, lambda into, told: _copied(disk, into))
    disk.unlink()
    return repository


def _copied(disk: Path, into: Path) -> None:
    content.copy(disk, into)


def _forget(path: Path) -> None:
    """The kernel drops what it has of a file in memory; what is not on the disk yet it would keep."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _at_once(repository: Repository, nodes: list[Node], at_once: int) -> None:
    """All begin at one moment."""
    start = threading.Barrier(len(nodes))

    def one(node: Node) -> None:
        start.wait()
        with repository.reading(at_once, lambda: None):
            sender.write(node, repository.disk(_IMAGE, _REVISION), repository.block_map(_IMAGE, _REVISION))

    with ThreadPoolExecutor(len(nodes)) as threads:
        for work in [threads.submit(one, node) for node in nodes]:
            work.result()


def _read_from_disks() -> int:
    """Bytes that this process has had read, from proc(5): ``read_bytes``."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))
