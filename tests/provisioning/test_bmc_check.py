"""The first step of a load: what a BMC that can't be asked costs."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.provisioning.bench import FakeContext
from tests.targets import target_of
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.plans import Facts, StepInput
from vclab.power.base import LoginRefused
from vclab.provisioning.bare_metal import plans
from vclab.provisioning.bare_metal.booting import TRIES, Booting
from vclab.provisioning.bare_metal.nodes import Nodes

GIVEN = StepInput(plans.CHECK_BMC.name, "", target_of(module="bare-metal", image=""), Facts())


def step(error: Exception) -> Any:
    """The step on a node whose BMC says that."""

    def power(work: object) -> None:
        raise error

    nodes = SimpleNamespace(of=lambda target: SimpleNamespace(power=power))
    return Booting(cast(Nodes, nodes)).steps()[plans.CHECK_BMC.name]


def test_a_refused_password_is_tried_once() -> None:
    with pytest.raises(StepFailed) as failed:
        step(LoginRefused("its BMC refuses the password kept for vclab"))(FakeContext(), GIVEN)
    assert str(failed.value) == "its BMC refuses the password kept for vclab"


def test_a_dead_one_is_tried_a_few_times() -> None:
    asked, context = step(Unreachable("its BMC does not answer")), FakeContext()
    for _ in range(TRIES - 1):
        with pytest.raises(Unreachable):
            asked(context, GIVEN)
        context = FakeContext(remembered=context.kept)
    with pytest.raises(StepFailed, match=f"does not answer, {TRIES} times"):
        asked(context, GIVEN)
