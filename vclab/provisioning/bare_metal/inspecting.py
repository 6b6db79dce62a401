"""The step that reads what hardware a node has; and whether a node is as it is recorded."""

from collections.abc import Mapping

from vclab.imaging import inspecting
from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import Interrupted, StepFailed
from vclab.model.inspections import differences, document
from vclab.model.nodes import NodeReport
from vclab.model.plans import Facts, StepInput
from vclab.model.steps import BlockingStep, StepContext
from vclab.provisioning.bare_metal import plans
from vclab.provisioning.bare_metal.nodes import Node, Nodes
from vclab.provisioning.bare_metal.returning import environment


class Inspecting:
    """What the step does. It changes nothing."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def steps(self) -> Mapping[str, BlockingStep]:
        """By recorded name."""
        return {plans.INSPECT.name: self._inspect}

    def _inspect(self, context: StepContext, given: StepInput) -> Facts:
        def told(done: int, of: int) -> None:
            if context.cancelled:
                raise Interrupted("the inspection was stopped")

        node = self._nodes.of(given.target)
        with environment(self._nodes, context, given) as there:
            found = inspecting.inspect(there, told)
        return Facts(hardware=document(found, _of_bmc(node, context)))


def must_be_as_recorded(node: Node, found: NodeReport, context: StepContext) -> None:
    """What differs from the record is told. Raises ``StepFailed`` when the node has less than is recorded, or somebody
    may have changed its firmware or its BMC: it goes out of service then, as after any failed load."""
    if not (recorded := node.computer.hardware):
        return
    differing = differences(recorded, document(found, _of_bmc(node, context)))
    if grave := [each.text for each in differing if each.grave]:
        raise StepFailed(
            f"{node.computer.name} is not as it is recorded: {'; '.join(grave)}",
            f"if that is right: vclab computer inspect {node.computer.name} --accept",
        )
    if differing:
        context.progress(f"it differs from its record: {'; '.join(each.text for each in differing)}")


def _of_bmc(node: Node, context: StepContext) -> BmcFacts:
    """Nothing is known where what it says can't be used. What is recorded and not told any more is a difference."""
    try:
        return node.power(lambda power, bmc: power.facts(bmc, context))
    except StepFailed as error:
        context.progress(error.message)
        return BmcFacts()
