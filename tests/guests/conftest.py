"""Machines for the tests of guests: one that is shared and loaded, and new ones on demand."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.guests.bench import ALICE, Bench, Place
from vclab.model.plans import Access

_numbers = count(2001)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The networks and DHCP."""
    if os.geteuid():
        pytest.skip("real machines need root")
    made = Bench(Path(tmp_path_factory.mktemp("bench")))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="session")
def loaded(bench: Bench) -> Place:
    """A machine that went through a whole load. Tests leave its mark, host key and root login as they were."""
    return bench.machine("shared").load()


@pytest.fixture(scope="session")
def user_key(bench: Bench) -> Path:
    """Alice's private key; the public half is beside it."""
    return bench.new_key("alice")


@pytest.fixture
def access(user_key: Path) -> Access:
    """A new user's access, from alice's address, with a key and a one-time password."""
    uid = next(_numbers)
    public = user_key.with_suffix(".pub").read_text()
    reference = f"tenure/vm01/1/login{uid}"
    return Access(f"user{uid}", uid, (public,), (ALICE,), reference, sudo=False)
