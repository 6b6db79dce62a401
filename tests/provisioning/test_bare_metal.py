"""The module bare-metal on a node with a real BMC, booting by what its boot device and disk really say."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.provisioning.bench import FakeContext
from tests.provisioning.metal import ADDRESS, IS_ROOT, Bootable, MetalBench, metal_bench
from vclab.lab.bmcs import Runs
from vclab.model.plans import NodeStatus, Status
from vclab.netboot.values import State

pytestmark = [
    pytest.mark.skipif(not IS_ROOT, reason="namespaces and loop devices need root"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def bench(tmp_path: Path, made: Bootable) -> Iterator[MetalBench]:
    with metal_bench(tmp_path, made) as found:
        yield found


def test_a_load_from_an_empty_disk_to_its_own_system(bench: MetalBench) -> None:
    bench.load()
    assert bench.node.runs is Runs.DISK
    assert bench.facts.private_address == ADDRESS
    assert bench.host_key() not in ("", bench.facts.imaging_key)
    assert int(bench.ssh(bench.host_key(), "df --output=size -B1M / | tail -1")) > 2500
    assert bench.wires.nodes.state(bench.computer.private_mac) is State.BOOT
    switched_off_and_on(bench)


def test_a_status_has_what_the_seeds_list(bench: MetalBench) -> None:
    """Seed 002: status, ping, ssh, rpower, nodeset, nodetype, currentimage. The last the guest is asked."""

    def status() -> NodeStatus:
        with bench.inside():
            return bench.module.node_status(bench.target)

    nothing = status()
    assert (nothing.power, nothing.ping, nothing.ssh, nothing.boots, nothing.boots_image) == (
        "off",
        False,
        False,
        "",
        "",
    )
    bench.load(upto="find_disk")
    imaging = status()
    assert (imaging.power, imaging.ping, imaging.ssh) == ("on", True, True)
    assert (imaging.boots, imaging.boots_image) == ("image", "debian-12/1")


def switched_off_and_on(bench: MetalBench) -> None:
    """Off since nobody needs it: by its record it holds the image, so it is switched on and not loaded."""
    key = bench.host_key()
    with bench.inside():
        bench.module.power_off(FakeContext(), bench.target)
        by_record = bench.module.node_status(replace(bench.target, kept=True))
        assert bench.module.node_status(bench.target).status is Status.RELOAD
    assert (by_record.status, by_record.power) == (Status.POST_LOAD, "off")
    for step in bench.module.load_plan(bench.target, by_record).steps[:2]:
        bench.step(step.name.partition(".")[2])
    assert bench.node.runs is Runs.DISK
    assert bench.host_key() == key


@pytest.mark.long
def test_each_step_twice_is_as_once(bench: MetalBench) -> None:
    for step in bench.plan():
        for _ in range(2):
            bench.step(step.name.partition(".")[2])
    assert bench.node.runs is Runs.DISK
