"""The hardware of a node with a real BMC: read in the imaging environment, and compared with its record by a load."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.provisioning.bench import FakeContext
from tests.provisioning.metal import DISK_BYTES, IS_ROOT, MAC, NAME, SERIAL, Bootable, MetalBench, metal_bench
from vclab.lab.bmcs import Runs
from vclab.model.bmc_facts import BmcFacts, facts_of
from vclab.model.errors import StepFailed
from vclab.model.inspections import document
from vclab.model.nodes import NodeReport, report_of
from vclab.model.plans import Plan
from vclab.netboot.values import State

pytestmark = [
    pytest.mark.skipif(not IS_ROOT, reason="namespaces and loop devices need root"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def bench(tmp_path: Path, made: Bootable) -> Iterator[MetalBench]:
    with metal_bench(tmp_path, made) as found:
        yield found


def inspect(bench: MetalBench) -> NodeReport:
    """All steps of an inspection, and those that put back what they did; what was found. The next ones are a load's."""
    loaded, bench.target = bench.target, replace(bench.target, image="", revision=0, guest="")
    with bench.inside():
        plan: Plan = bench.module.inspect(bench.target, bench.module.node_status(bench.target))
    for step in plan.steps:
        bench.step(step.name.partition(".")[2])
    assert bench.node.runs is Runs.IMAGING
    for undo in [step.undo for step in reversed(plan.steps) if step.undo]:
        bench.step(undo.partition(".")[2])
    bench.target = loaded
    return report_of(json.loads(bench.facts.hardware))


def recorded(bench: MetalBench, report: NodeReport, bmc: BmcFacts | None = None) -> None:
    """That is its record from now on, with what its BMC said."""
    said = facts_of(json.loads(bench.facts.hardware)["bmc"])
    bench.computer = replace(bench.computer, hardware=document(report, bmc or said))


def test_one_that_is_off_is_read_and_off_again(bench: MetalBench) -> None:
    found = inspect(bench)
    assert [(disk.serial, disk.size) for disk in found.disks] == [(SERIAL, DISK_BYTES)]
    assert MAC in [card.mac for card in found.cards]
    assert found.cpus > 0 and found.memory_mib > 0
    bench.runs(Runs.OFF)
    assert bench.wires.nodes.state(MAC) is State.BOOT


@pytest.mark.long
def test_one_that_was_on_with_its_image_runs_that_again(bench: MetalBench) -> None:
    bench.load()
    bench.computer = replace(bench.computer, image=bench.target.image, revision=bench.target.revision)
    inspect(bench)
    bench.runs(Runs.DISK)
    assert bench.wires.nodes.state(MAC) is State.BOOT


@pytest.mark.long
def test_a_load_of_one_that_has_less_than_is_recorded_fails_before_anything_is_written(bench: MetalBench) -> None:
    found = inspect(bench)
    other = replace(found.disks[0], serial="VC0002", path="/dev/sdb")
    recorded(bench, replace(found, disks=(*found.disks, other)))
    bench.load("find_disk")
    with pytest.raises(StepFailed, match=rf"{NAME} is not as it is recorded: the disk .*VC0002.* is not there"):
        bench.step("find_disk")
    assert not bench.chassis.disk.read_bytes().strip(b"\0")


@pytest.mark.long
def test_a_load_of_one_whose_bmc_has_another_account_fails(bench: MetalBench) -> None:
    """Who had it before may have made one."""
    found = inspect(bench)
    recorded(bench, found)
    bench.load("find_disk")
    bench.step("find_disk")
    recorded(bench, found, BmcFacts(()))
    with pytest.raises(
        StepFailed, match=rf"{NAME} is not as it is recorded: its BMC has the account .*{bench.node.user}"
    ):
        bench.step("find_disk")


@pytest.mark.long
def test_a_load_tells_what_else_differs(bench: MetalBench) -> None:
    found = inspect(bench)
    recorded(bench, replace(found, cpus=found.cpus - 1))
    bench.load("find_disk")
    context = FakeContext()
    bench.step("find_disk", context)
    assert f"it differs from its record: it has {found.cpus} CPUs, recorded are {found.cpus - 1}" in context.told
    assert bench.facts.disk == found.disks[0].path
