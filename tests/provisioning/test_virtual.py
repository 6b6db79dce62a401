"""Plans of virtual machines: which steps, by what is there already."""

from dataclasses import replace

import pytest

from tests.fake.node import TARGET
from vclab.model.plans import NodeStatus, Status
from vclab.provisioning.virtual import VirtualMachines

MAKE = ["x.remove_previous", "x.create_vm", "x.power_on", "x.find_address"]


@pytest.mark.parametrize(
    ("status", "spare", "outside", "inside"),
    [
        (Status.RELOAD, False, MAKE, ["wait_ssh", "post_load", "read_public_address"]),
        (Status.RELOAD, True, MAKE, ["wait_ssh", "post_load", "read_public_address"]),
        (Status.POST_LOAD, False, ["x.find_address"], ["wait_ssh", "post_load", "read_public_address"]),
        (Status.POST_LOAD, True, ["x.adopt", "x.find_address"], ["wait_ssh", "post_load", "read_public_address"]),
        (Status.READY, False, ["x.find_address"], ["wait_ssh", "read_public_address"]),
        (Status.READY, True, ["x.adopt"], ["post_load", "read_public_address"]),
    ],
)
def test_steps(status: Status, spare: bool, outside: list[str], inside: list[str]) -> None:
    machines = VirtualMachines("x")
    target = replace(TARGET, guest="os", spare=TARGET.computer if spare else "")
    plan = machines.load_plan(target, NodeStatus(status))
    assert [step.name for step in plan.steps] == outside + [f"os.{verb}" for verb in inside]
    assert {step.name for step in plan.steps if step.in_guest} == {f"os.{verb}" for verb in inside} | {
        name for name in outside if name == "x.find_address"
    }
    without = machines.load_plan(replace(target, guest=""), NodeStatus(status))
    assert [step.name for step in without.steps] == outside
    assert not any(step.in_guest for step in without.steps)
