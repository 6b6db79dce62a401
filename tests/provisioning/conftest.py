"""A real vCenter API (vcsim as a child process) and a module that talks to it; and what nodes of bare metal boot."""

from collections.abc import Iterator

import pytest

from tests.provisioning.bench import Bench
from tests.provisioning.metal import Bootable, bootable
from tests.provisioning.wire import Wire
from vclab.model.plans import Target


@pytest.fixture(scope="session")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One vCenter for all tests here; each test works with reservations of its own."""
    bench = Bench(tmp_path_factory.mktemp("vcenter"))
    yield bench
    bench.close()


@pytest.fixture
def bench(vcenter: Bench) -> Iterator[Bench]:
    """The vCenter without faults."""
    yield vcenter
    vcenter.simulator.control("DELETE", "/fault")


@pytest.fixture
def own_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A vCenter for one test that restarts it or counts what is on it."""
    bench = Bench(tmp_path_factory.mktemp("own"))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Bootable:
    """What the nodes of bare metal of a file of tests are loaded with."""
    return bootable(tmp_path_factory.mktemp("bootable"))


@pytest.fixture
def target(bench: Bench) -> Target:
    """A tenure of a computer of its own."""
    return bench.target()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A wire that can be cut."""
    return Wire(monkeypatch)
