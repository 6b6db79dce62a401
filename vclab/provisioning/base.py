"""The interface of a provisioning module."""

from collections.abc import Mapping
from typing import Protocol

from vclab.model.errors import Unreachable
from vclab.model.inventory import Inventory, Machines
from vclab.model.plans import Evidence, NodeStatus, Plan, Target, Whereabouts
from vclab.model.steps import BlockingStep, StepContext


class ProvisioningModule(Protocol):
    """What brings a computer to an image and takes it away again. All methods block; they run in threads.

    Methods raise ``Unreachable`` when the endpoint does not answer, ``StepFailed`` when trying again is useless and
    ``NotOurs`` for what carries another mark than ours. Every method observes first, acts only if needed, and verifies.
    """

    name: str

    @property
    def stays(self) -> bool:
        """The computers are there without us: none is made or removed. One that can't be taken back clean is put into
        maintenance for its owner to mend; what stands in the way of a removal is tried again instead."""

    def survey(self, endpoint: str) -> Inventory:
        """Ask an endpoint what it can hold now. Raises ``Unreachable``."""

    def node_status(self, target: Target) -> NodeStatus:
        """Observe whether the computer is READY, needs POST_LOAD, or RELOAD."""

    def whereabouts(self, target: Target) -> Whereabouts:
        """What the endpoint knows of a computer that does not answer where it was: it may have another address by now,
        or be off, or gone. Touches nothing."""

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The steps that bring the computer from ``status`` to handed-over-able, guest steps included."""

    def evidence(self, target: Target) -> Evidence:
        """What the endpoint can tell of a computer whose load has failed; touches nothing. What is inside (``console``)
        the guest is asked for. Raises ``Unreachable``."""

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's own steps, by their recorded name."""

    def remove(self, context: StepContext, target: Target) -> None:
        """Take the computer back, and verify it: what it is on this endpoint, of this generation and older, is removed;
        one that stays is sanitized, and is clean."""

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Reset the computer, hard; one that is off is powered on."""

    def machines(self, endpoint: str) -> Machines:
        """All machines on the endpoint that carry our mark. Raises ``Unreachable``."""

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Remove one machine of ours (an orphan). Raises ``NotOurs``."""

    def close(self) -> None:
        """Leave the endpoints: log out. Harmless when nothing was opened."""


def known_module(modules: Mapping[str, ProvisioningModule], name: str) -> ProvisioningModule:
    """The module of that name. Raises ``Unreachable`` when this worker has none: another, or the same with other
    settings, may have it."""
    module = modules.get(name)
    if module is None:
        raise Unreachable(
            f"this worker has no provisioning module {name}: switch it on in its settings, and restart it; "
            "`vclab doctor` names endpoints of modules that are off"
        )
    return module
