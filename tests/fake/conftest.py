"""A pretended node for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake.node import Node
from vclab.fake_world import Behaviour, World


@pytest.fixture(params=["memory", "files"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """One world in memory, one in files."""
    yield Node(World(Behaviour(world=None if request.param == "memory" else tmp_path / "world")))
