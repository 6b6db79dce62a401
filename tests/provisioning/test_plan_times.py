"""How long the steps of bare metal may take: what works on whole disks, as long as these need."""

from dataclasses import replace

import pytest

from tests.targets import target_of
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.inspections import document
from vclab.model.nodes import DiskReport, NodeReport
from vclab.model.plans import NodeStatus, Plan, Profile
from vclab.model.states import ComputerState
from vclab.provisioning.bare_metal import plans
from vclab.provisioning.bare_metal.module import BareMetal
from workflows.profiles import step_ceiling

SETTING = 600.0
"""``waits.step_ceiling``."""
USUAL_RATE = 100e6
"""Bytes a second of a spinning disk, on the whole."""
TARGET = target_of(module="bare-metal", computer="metal01", host="metal01", endpoint="rack", disk_gb=20)


def module(*disks: float) -> BareMetal:
    report = NodeReport(disks=tuple(DiskReport(f"/dev/sd{at}", int(size)) for at, size in enumerate(disks)))
    computer = Computer("metal01", ComputerKind.LAB, ComputerState.AVAILABLE, "rack")
    return BareMetal("vclab", lambda endpoint: [replace(computer, hardware=document(report) if disks else "")])


def ceilings(plan: Plan) -> dict[str, float]:
    return {step.name: step_ceiling(step, SETTING) for step in plan.steps}


@pytest.mark.parametrize("size", [2e12, 16e12])
def test_a_large_disk_can_be_cleaned(size: float) -> None:
    found = ceilings(module(500e9, size).load_plan(TARGET, NodeStatus()))
    assert found[plans.CLEAN.name] > size / USUAL_RATE
    assert found[plans.WRITE.name] == found[plans.READ_BACK.name] == 12 * SETTING, "the image is small"


def test_one_whose_hardware_is_not_recorded_is_taken_for_a_large_one() -> None:
    assert ceilings(module().load_plan(TARGET, NodeStatus()))[plans.CLEAN.name] > 2e12 / USUAL_RATE
    assert ceilings(module(120e9).load_plan(TARGET, NodeStatus()))[plans.CLEAN.name] == 12 * SETTING


def test_a_large_image_can_be_written_read_back_and_captured() -> None:
    rack, target = module(4e12), replace(TARGET, disk_gb=3000)
    found = ceilings(rack.load_plan(target, NodeStatus())) | ceilings(rack.capture(target))
    for step in (plans.FIND_DISK, plans.WRITE, plans.READ_BACK):
        assert found[step.name] > 3e12 / USUAL_RATE
    assert found[plans.READ_RAW.name] > 2 * 4e12 / USUAL_RATE, "it is read, and the copy is read back"


def test_what_may_read_a_whole_image_or_grow_a_file_system_is_long_work() -> None:
    assert {plans.FIND_DISK.profile, plans.FIT.profile} == {Profile.LONG}
