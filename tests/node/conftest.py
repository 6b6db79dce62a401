"""Nodes for the tests, ended after each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node.harness import Node
from tests.store import postgresql

MakeNode = Callable[..., Node]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeNode]:
    """Makes a node on a disk, or two, with another database, with further settings."""
    made: list[Node] = []

    def make(disk: Path | None = None, **more: Any) -> Node:
        made.append(Node(tmp_path, disk or tmp_path, **more))
        return made[-1]

    yield make
    for node in made:
        node.stop()


@pytest.fixture
def database() -> Iterator[postgresql.Server]:
    """A PostgreSQL server that a test may stop."""
    with postgresql.running() as server:
        yield server
