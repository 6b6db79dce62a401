"""Plans of virtual machines: which steps, by what is there already."""

import pytest

from vclab.model.plans import NodeStatus, Profile, Status, Step
from vclab.provisioning.virtual import load_plan

MAKE = (Step("x.copy", "Copy", Profile.LONG), Step("x.create", "Create"))
ADOPT, FIND = Step("x.adopt", "Adopt"), Step("x.find", "Find", Profile.LOOK)


@pytest.mark.parametrize(
    ("status", "spare", "outside", "inside"),
    [
        (Status.RELOAD, False, ["x.copy", "x.create", "x.find"], ["wait_ssh", "post_load", "read_public_address"]),
        (Status.RELOAD, True, ["x.copy", "x.create", "x.find"], ["wait_ssh", "post_load", "read_public_address"]),
        (Status.POST_LOAD, False, ["x.find"], ["wait_ssh", "post_load", "read_public_address"]),
        (Status.POST_LOAD, True, ["x.adopt", "x.find"], ["wait_ssh", "post_load", "read_public_address"]),
        (Status.READY, False, ["x.find"], ["wait_ssh", "read_public_address"]),
        (Status.READY, True, ["x.adopt"], ["post_load", "read_public_address"]),
    ],
)
def test_steps(status: Status, spare: bool, outside: list[str], inside: list[str]) -> None:
    plan = load_plan("os", NodeStatus(status), spare, MAKE, ADOPT, FIND)
    assert [step.name for step in plan.steps] == outside + [f"os.{verb}" for verb in inside]
    assert {step.name for step in plan.steps if step.in_guest} == {f"os.{verb}" for verb in inside} | {
        name for name in outside if name == "x.find"
    }
    without = load_plan("", NodeStatus(status), spare, MAKE, ADOPT, FIND)
    assert [step.name for step in without.steps] == outside
    assert not any(step.in_guest for step in without.steps)
