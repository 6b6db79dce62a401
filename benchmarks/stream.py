"""What streaming a disk costs, beside the same blocks through a bare pipe: `zstd -c | zstd -dc | dd`; and reading it
back, beside `dd | sha256sum`. Both on this machine, without a network: there the network is what takes time.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vclab.imaging import sender
from vclab.imaging.sender import Node
from vclab.library import block_map
from vclab.library.block_map import BlockMap
from vclab.library.content import CHUNK, PIECE

MIB = 1 << 20
_BEGIN = 1 * MIB
_SPARE = 2
"""The image's disk is so many times as large as the files in it."""


@dataclass(frozen=True)
class Streamed:
    """The figures: medians."""

    disk_mib: int
    travelled_mib: int
    stream_seconds: float
    pipe_seconds: float
    stream_ratio_to_pipe: float  #: how fast the stream is: 1 is as fast as the pipe
    read_back_seconds: float
    bare_read_seconds: float
    read_back_ratio_to_bare: float
    map_seconds: float  #: once for each image


def measure(mib: int, rounds: int) -> Streamed:
    """An image with so many MiB of files of this machine, streamed to a file. It needs no root."""
    with tempfile.TemporaryDirectory(prefix="vclab-bench-", dir=Path.home()) as name:
        folder = Path(name)
        disk = _image(folder, mib)
        began = time.perf_counter()
        a_map = block_map.make(disk)
        made = time.perf_counter() - began
        ours, bare = _target(folder / "ours", a_map.size), _target(folder / "bare", a_map.size)
        blocks, node = folder / "blocks", Node(str(ours), folder=str(folder / "node"))
        _write_blocks(disk, a_map, blocks)
        sender.place(node, a_map)
        stream, pipe, read, hashed = _in_turn(
            rounds,
            lambda: sender.write(node, disk, a_map),
            lambda: _pipe(blocks, bare),
            lambda: sender.verify(node),
            lambda: _bare_read(bare, blocks.stat().st_size),
        )
        return Streamed(
            *(a_map.size // MIB, blocks.stat().st_size // MIB),
            *(round(stream, 2), round(pipe, 2), round(pipe / stream, 2)),
            *(round(read, 2), round(hashed, 2), round(hashed / read, 2), round(made, 2)),
        )


def _image(folder: Path, mib: int) -> Path:
    """A raw disk with one ext4."""
    files, disk, size = folder / "files", folder / "image.raw", mib * _SPARE * MIB
    files.mkdir()
    left = mib * MIB
    for number, path in enumerate(_files()):
        if (left := left - path.stat().st_size) < 0:
            break
        shutil.copyfile(path, files / str(number))
    disk.touch()
    os.truncate(disk, size + 2 * _BEGIN)
    table = f"label: gpt\nstart={_BEGIN // 512}, size={size // 512}\n"
    subprocess.run(("sfdisk", "--quiet", str(disk)), input=table.encode(), check=True)
    words = ("mke2fs", "-q", "-t", "ext4", "-d", str(files), "-E", f"offset={_BEGIN}", str(disk), f"{size // 1024}k")
    subprocess.run(words, check=True)
    shutil.rmtree(files)
    return disk


def _files() -> Iterator[Path]:
    """What a machine has: programs, libraries and texts, in an order that is always the same."""
    for root in ("/usr/lib", "/usr/bin", "/usr/share", sys.prefix):
        for path in sorted(Path(root).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path


def _target(path: Path, size: int) -> Path:
    """A file with room of its own, as a disk has."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return path


def _write_blocks(disk: Path, a_map: BlockMap, blocks: Path) -> None:
    """All that is written, zeros too, one after the other."""
    number = 0
    with disk.open("rb") as source, blocks.open("wb") as target:
        for run in a_map.runs:
            for one in range(number, number + run.count):
                for first, last in block_map.ranges(run.data | run.zero):
                    source.seek(one * CHUNK + first * PIECE)
                    target.write(source.read(min((last - first) * PIECE, a_map.size - source.tell())))
            number += run.count


def _in_turn(rounds: int, *work: Callable[[], None]) -> list[float]:
    """Seconds of each: medians."""
    times: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for took, each in zip(times, work, strict=True):
            os.sync()
            began = time.perf_counter()
            each()
            took.append(time.perf_counter() - began)
    return [statistics.median(took) for took in times]


def _pipe(blocks: Path, target: Path) -> None:
    dd = f"dd of='{target}' bs=4M iflag=fullblock oflag=direct conv=fsync,notrunc status=none"
    _shell(f"zstd -1 -cq '{blocks}' | zstd -dcq | {dd}")


def _bare_read(target: Path, size: int) -> None:
    _shell(f"dd if='{target}' bs=4M iflag=direct,count_bytes count={size} status=none | sha256sum >/dev/null")


def _shell(line: str) -> None:
    subprocess.run(("sh", "-c", line), check=True)
