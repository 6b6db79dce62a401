"""An image with its map, and a node that is this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.imaging import wire
from vclab.imaging.sender import Node
from vclab.library import block_map
from vclab.library.block_map import BlockMap

MIB = 1 << 20


@dataclass(frozen=True)
class Image:
    """A raw disk and its map."""

    disk: Path
    map: BlockMap


def image(folder: Path, size: int = 40 * MIB, seed: int = 1) -> Image:
    """Bytes that can't be compressed, with zeros from 8 to 20 MiB, and a hole from 20 to 24."""
    import random

    disk, bits = folder / "image.raw", random.Random(seed)
    with disk.open("wb") as file:
        file.write(bits.randbytes(8 * MIB) + bytes(12 * MIB))
        file.seek(24 * MIB)
        file.write(bits.randbytes(size - 24 * MIB))
    return Image(disk, block_map.make(disk))


@pytest.fixture
def an_image(tmp_path: Path) -> Image:
    """40 MiB of it."""
    return image(tmp_path)


MakeNode = Callable[..., Node]


@pytest.fixture
def make_node(tmp_path: Path) -> MakeNode:
    """``make_node(disk)``: this machine. ``make_node(disk, "flip", 1000)``: by a wire that changes a byte."""

    def make(disk: Path, what: str = "", after: int = 0, blank: bool = False) -> Node:
        words = ("env", "-C", str(tmp_path), "python3", wire.__file__, what, str(after)) if what else ()
        return Node(str(disk), words, str(tmp_path / "node"), blank)

    return make
