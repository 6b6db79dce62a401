"""What streaming a disk costs, beside the same blocks through a bare pipe: `zstd -c | ssh … zstd -dc | dd`; and reading
it back, beside `dd | sha256sum`. Both through an SSH server on this machine: no network is between them.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import ssh
from vclab.imaging import sender
from vclab.imaging.node import Node
from vclab.library import block_map
from vclab.library.block_map import BlockMap
from vclab.library.content import CHUNK, PIECE

MIB = 1 << 20
_BEGIN = 1 * MIB
_SPARE = 2
"""The image's disk is so many times as large as the files in it."""


@dataclass(frozen=True)
class Streamed:
    """The figures: medians of the rounds. Ratios are the medians of the rounds' own, for the machine's speed varies."""

    disk_mib: int
    travelled_mib: int
    stream_seconds: float
    pipe_seconds: float
    stream_ratio_to_pipe: float  #: how fast the stream is, its hashes checked: 1 is as fast as the pipe
    read_back_seconds: float
    bare_read_seconds: float
    read_back_ratio_to_bare: float
    map_seconds: float  #: once for each image


def measure(mib: int, rounds: int) -> Streamed:
    """An image with so many MiB of files of this machine, streamed to a file. It needs no root."""
    with work_folder() as folder, ssh.server(folder) as words:
        disk = image(folder, mib)
        began = time.perf_counter()
        a_map = block_map.make(disk)
        made = time.perf_counter() - began
        ours, bare = target(folder / "ours", a_map.size), target(folder / "bare", a_map.size)
        blocks, node = folder / "blocks", Node(str(ours), words, str(folder / "node"))
        _write_blocks(disk, a_map, blocks)
        sender.place(node, a_map)
        stream, pipe, read, hashed = _in_turn(
            rounds,
            lambda: sender.write(node, disk, a_map),
            lambda: _pipe(words, blocks, bare),
            lambda: sender.verify(node),
            lambda: _bare_read(words, bare, blocks.stat().st_size),
        )
        return Streamed(
            *(a_map.size // MIB, blocks.stat().st_size // MIB),
            *(round(median(stream), 2), round(median(pipe), 2), _ratio(pipe, stream)),
            *(round(median(read), 2), round(median(hashed), 2), _ratio(hashed, read), round(made, 2)),
        )


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder on a disk: ``/tmp`` may be in memory."""
    with tempfile.TemporaryDirectory(prefix="vclab-bench-", dir=Path.home()) as name:
        yield Path(name)


def image(folder: Path, mib: int) -> Path:
    """A raw disk with one ext4, with so many MiB of files."""
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


def target(path: Path, size: int) -> Path:
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


def _in_turn(rounds: int, *work: Callable[[], None]) -> list[list[float]]:
    """Seconds of each, round by round."""
    times: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for took, each in zip(times, work, strict=True):
            os.sync()
            began = time.perf_counter()
            each()
            took.append(time.perf_counter() - began)
    return times


def _ratio(bare: list[float], ours: list[float]) -> float:
    return round(median(one / other for one, other in zip(bare, ours, strict=True)), 2)


def _pipe(words: tuple[str, ...], blocks: Path, into: Path) -> None:
    dd = f"dd of='{into}' bs=4M iflag=fullblock oflag=direct conv=fsync,notrunc status=none"
    _shell(f"zstd -1 -cq '{blocks}' | {shlex.join(words)} {shlex.quote(f'zstd -dcq | {dd}')}")


def _bare_read(words: tuple[str, ...], written: Path, size: int) -> None:
    dd = f"dd if='{written}' bs=4M iflag=direct,count_bytes count={size} status=none"
    _shell(f"{shlex.join(words)} {shlex.quote(f'{dd} | sha256sum')} >/dev/null")


def _shell(line: str) -> None:
    subprocess.run(("sh", "-c", line), check=True)
