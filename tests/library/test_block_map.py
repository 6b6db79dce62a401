"""Block maps: what they hold, and how they are kept; what is no map is refused."""

import gzip
import json
import os
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from vclab.library import block_map, content
from vclab.library.allocation import Allocation, Use
from vclab.library.block_map import BadMap, BlockMap, Run
from vclab.library.content import CHUNK, PIECE
from vclab.library.free_space.window import Range, between

MIB = 1 << 20
SECTOR = 512
USE = Use(1, MIB, 9 * MIB, "ext4")


@settings(deadline=None, max_examples=40)
@given(
    size=some.integers(1, 24 * MIB // SECTOR).map(lambda n: n * SECTOR),
    written=some.lists(some.tuples(some.integers(0, 24 * MIB), some.binary(min_size=1, max_size=200_000)), max_size=5),
    cuts=some.lists(some.integers(0, 24 * MIB // SECTOR).map(lambda n: n * SECTOR), max_size=8, unique=True).map(
        sorted
    ),
)
def test_a_map_has_every_byte_that_is_not_free_and_its_hash(
    tmp_path_factory: pytest.TempPathFactory, size: int, written: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    disk = tmp_path_factory.mktemp("disks") / "disk.raw"
    with disk.open("wb") as file:
        for at, data in written:
            file.seek(at)
            file.write(data)
    os.truncate(disk, size)
    free = [(begin, min(end, size)) for begin, end in zip(cuts[::2], cuts[1::2], strict=False) if begin < size]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "vclab.library.allocation.find", lambda raw: Allocation(SECTOR, (Use(1, 0, SECTOR, "ext4"),), tuple(free))
        )
        made = block_map.make(disk)
    assert made.content == content.read(disk)
    rebuilt, whole = bytearray(b"?") * size, disk.read_bytes()
    for number, run in _numbered(made):
        for mask, held in ((run.data, whole), (run.zero, bytes(size))):
            for first, last in block_map.ranges(mask):
                at, to = number * CHUNK + first * PIECE, min(number * CHUNK + last * PIECE, size)
                rebuilt[at:to] = held[at:to]
    for begin, end in between(free, 0, size):
        assert rebuilt[begin:end] == whole[begin:end]
    for begin, end in free:  # pieces that are free as a whole are left out
        assert rebuilt.count(b"?", begin, end) >= end - begin - 2 * PIECE
    assert block_map.unpacked(made.packed()) == made


def _numbered(made: BlockMap) -> list[tuple[int, Run]]:
    runs = [run for run in made.runs for _ in range(run.count)]
    return list(enumerate(runs))


@given(some.integers(0, 2**64 - 1))
def test_ranges_are_the_bits_of_a_mask(mask: int) -> None:
    found: list[Range] = list(block_map.ranges(mask))
    assert sum(((1 << b - a) - 1) << a for a, b in found) == mask
    assert all(first[1] < second[0] for first, second in pairwise(found))


def a_map() -> dict[str, Any]:
    """One of 9 MiB, as JSON."""
    runs = (Run(1, 0b101, 0b10, "a" * 64), Run(1, 0, 2**64 - 1), Run(1, 0, 0))
    said: dict[str, Any] = json.loads(BlockMap("b" * 64, 9 * MIB, 512, (USE,), runs).json())
    return said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "another version"),
        ({"chunk": 1}, "another version"),
        ({"sha256": "b"}, "content"),
        ({"size": -1}, "content"),
        ({"size": 1 << 60}, "content"),
        ({"size": True}, "content"),
        ({"sector": 520}, "content"),
        ({"size": 5 * MIB}, "partition"),
        ({"size": 4 * MIB, "partitions": []}, "chunks"),
        ({"size": 13 * MIB}, "whole disk"),
        ({"runs": None}, "missing"),
        ({"runs": [[1, "5", "2"]]}, "missing"),
        ({"runs": [[3, "5", "2", "a" * 64]]}, "hashes"),
        ({"runs": [[1, "5", "2", "A" * 64], [2, "0", "0", ""]]}, "hashes"),
        ({"runs": [[1, "0", "2", "a" * 64], [2, "0", "0", ""]]}, "hashes"),
        ({"runs": [[1, "5", "4", "a" * 64], [2, "0", "0", ""]]}, "pieces"),
        ({"runs": [[2, "0", "0", ""], [1, "0", "10000", ""]]}, "pieces"),  # the last chunk has 16 of them
        ({"runs": [[2, "0", "0", ""], [1, "0", "-1", ""]]}, "chunks"),
        ({"runs": [[0, "0", "0", ""], [3, "0", "0", ""]]}, "chunks"),
        ({"runs": [[4, "0", "0", ""]]}, "chunks"),
        ({"partitions": [{"number": 1}]}, "missing"),
        ({"partitions": [{"number": 1, "begin": 0, "end": 99 * MIB, "holds": "", "whole": ""}]}, "partition"),
        ({"partitions": [{}] * 2000}, "too many"),
    ],
)
def test_what_is_no_map_is_refused(change: dict[str, Any], why: str) -> None:
    assert block_map.parsed(json.dumps(a_map()).encode()).chunks == 3
    with pytest.raises(BadMap, match=why):
        block_map.parsed(json.dumps(a_map() | change).encode())


@given(some.recursive(some.none() | some.integers() | some.text(max_size=3), some.lists, max_leaves=8), some.data())
def test_whatever_stands_in_a_map_it_is_one_or_it_is_refused(value: object, draw: some.DataObject) -> None:
    said = a_map()
    said[draw.draw(some.sampled_from(sorted(said)))] = value
    with suppress(BadMap):
        block_map.parsed(json.dumps(said).encode())


@pytest.mark.parametrize(
    "held",
    [b"", b"{}", gzip.compress(b"{}"), gzip.compress(json.dumps(a_map()).encode())[:-9]],
    ids=["empty", "not packed", "no map", "cut off"],  # gzip writes the time
)
def test_what_can_not_be_unpacked_is_refused(held: bytes) -> None:
    with pytest.raises(BadMap):
        block_map.unpacked(held)


def test_a_map_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_map, "LONGEST", MIB)
    with pytest.raises(BadMap, match="too long"):
        block_map.unpacked(gzip.compress(bytes(8 * MIB)))
