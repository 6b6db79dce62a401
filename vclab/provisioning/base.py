"""The interface of a provisioning module: what all modules have, and what some add, as their traits declare."""

from collections.abc import Mapping
from typing import Protocol, cast

from vclab.model.errors import StepFailed, Unreachable
from vclab.model.inventory import Inventory, Machines
from vclab.model.plans import Evidence, NodeStatus, Plan, Target, Whereabouts
from vclab.model.revisions import Content, Copied, CopyJob
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import Operation, Traits


class ProvisioningModule(Protocol):
    """What brings a computer to an image and takes it away again. All methods block; they run in threads.

    Methods raise ``Unreachable`` when the endpoint does not answer, ``StepFailed`` when trying again is useless and
    ``NotOurs`` for what carries another mark than ours. Every method observes first, acts only if needed, and verifies.
    """

    name: str
    traits: Traits

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
        """What the endpoint knows of a computer whose load has failed; touches nothing. What is inside (``console``)
        the guest is asked for. Raises ``Unreachable``."""

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's own steps, by their recorded name."""

    def remove(self, context: StepContext, target: Target) -> None:
        """Take the computer back, and verify it: what it is on this endpoint, of this generation and older, is removed;
        one that is lent is sanitized, and is clean."""

    def close(self) -> None:
        """Leave the endpoints: log out. Harmless when nothing was opened."""


class Maker(Protocol):
    """What a module adds that makes its computers: those that are not ``lent``."""

    def machines(self, endpoint: str) -> Machines:
        """All machines on the endpoint that carry our mark. Raises ``Unreachable``."""

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Remove one machine of ours (an orphan). Raises ``NotOurs``."""


class Power(Protocol):
    """What a module adds that can switch its computers; each method only if its traits name the operation.

    The methods raise as those of ``ProvisioningModule`` do."""

    def power_status(self, target: Target) -> str:
        """ "on", "off" or "unknown"."""

    def power_on(self, context: StepContext, target: Target) -> None:
        """Power the computer on, and verify it; harmless when it is on."""

    def power_off(self, context: StepContext, target: Target) -> None:
        """Power the computer off, hard; harmless when it is off or gone."""

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Reset the computer, hard; one that is off is powered on."""


class Copier(Protocol):
    """What a module adds whose machines' disks are made from copies of the image: its traits say ``copies``."""

    def make_copy(self, context: StepContext, job: CopyJob) -> Copied:
        """Have a copy of a revision on a storage, whole: it has its name only then. One that is there is adopted.

        Raises ``Interrupted`` when stopped, and then nothing is left of it; ``StepFailed``, ``Unreachable``.
        """

    def remove_copy(self, context: StepContext, job: CopyJob) -> None:
        """Delete a copy that vclab has made, and verify it; harmless when it is gone.

        Raises ``StepFailed``, which says why, when anything on the endpoint needs it; ``Unreachable``.
        """

    def fetch_copy(self, context: StepContext, job: CopyJob) -> Content:
        """Have the copy at ``job.source``, on a storage of the endpoint ``job.source.at.endpoint``, in the repository
        in the folder ``job.repository``, with ``job.record`` beside it: whole and read back, or not at all. One that
        is there, whole, is adopted; one that has other bytes there than its record says is replaced. At most
        ``job.rate`` bytes a second come.

        Returns what its disk holds: also when nobody knew it before, and ``job.record`` has no hash.

        Raises ``CopyLost`` when it is not there, or not what ``job.record`` says (hash, size); ``StepFailed`` when it
        is larger than ``job.disk_gb``, or no disk; ``Refused`` when the repository has no room; ``Interrupted`` when
        stopped, within 2 s; ``Unreachable``. Nothing is left of it then.
        """

    def verify_copy(self, context: StepContext, job: CopyJob) -> Content:
        """Read all bytes of a copy back, at most ``job.rate`` bytes a second, and change nothing. Nothing of it is
        kept. ``job.source.size``, if it is known, says how many bytes the disk should have: a storage may round that
        up. Whether what is returned is right the caller says.

        Raises ``CopyLost`` when it is not there, ``Interrupted`` when stopped, within 2 s; ``StepFailed``,
        ``Unreachable``.
        """


class Capturer(Protocol):
    """What a module adds whose computers can be captured: its traits name the operation."""

    def capture(self, target: Target) -> Plan:
        """The steps that take what the computer holds; facts bring along what was made.

        The module decides what they are. Each names the step that puts back what it has done (``Step.undo``). Nothing
        irrevocable is done to the computer. Unless the module ``seals``, what was taken is the revision.
        """


class Sealer(Protocol):
    """What a module adds to ``Capturer`` whose traits say ``seals``: ``capture`` takes a raw copy, and leaves the
    computer off; what belongs to one computer or person is removed from a child of that, on a throw-away computer.

    What is made lies where nothing finds it by a name; all of it is named after the capture (``StepInput.becomes``).
    """

    def hand_back(self, target: Target) -> Plan:
        """The steps that give the computer back to its user, after its raw copy was taken or given up: on, with the
        same host key; facts bring along its private address."""

    def seal(self, target: Target) -> Plan:
        """The steps that make the sealed copy, on the throw-away computer ``target``, which is ``isolated`` and has the
        MACs of the source: its machine, whose disk is a child of the raw copy, the guest's ``pre_capture``, a disk of
        its own made of that child, and read back. Facts bring along its hash and size. The machine may stay."""

    def boot_test(self, target: Target) -> Plan:
        """The steps that load the sealed copy on the throw-away computer ``target`` as for a user, up to a login."""

    def publish(self, target: Target) -> Plan:
        """The steps that make the sealed copy the revision's own, and delete the raw one."""


def capturer(module: ProvisioningModule) -> Capturer:
    """The module as what can be captured. Raises ``StepFailed`` when it can't."""
    if not module.traits.can(Operation.CAPTURE):
        raise StepFailed(f"the provisioning module {module.name} captures nothing yet")
    return cast(Capturer, module)


def sealer(module: ProvisioningModule) -> Sealer:
    """The module as what seals. Raises ``StepFailed`` when it does not."""
    if not module.traits.seals:
        raise StepFailed(f"the provisioning module {module.name} seals nothing")
    return cast(Sealer, module)


def copier(module: ProvisioningModule) -> Copier:
    """The module as what makes copies. Raises ``StepFailed`` when it does not."""
    if not module.traits.copies:
        raise StepFailed(f"the provisioning module {module.name} makes no copies of images")
    return cast(Copier, module)


def power(module: ProvisioningModule, operation: Operation, target: Target) -> Power:
    """The module as what can switch a computer. Raises ``StepFailed`` when it does not offer the operation."""
    if not target.traits.can(operation):
        raise StepFailed(
            f"{target.computer} can't be switched from here: the provisioning module {module.name} has no {operation}",
            "switch it by hand",
        )
    return cast(Power, module)


def maker(module: ProvisioningModule) -> Maker | None:
    """The module as what makes computers; None when its computers are lent."""
    return None if module.traits.lent else cast(Maker, module)


def known_module(modules: Mapping[str, ProvisioningModule], name: str) -> ProvisioningModule:
    """The module of that name. Raises ``Unreachable`` when this worker has none: another, or the same with other
    settings, may have it."""
    module = modules.get(name)
    if module is None:
        raise Unreachable(
            f"this worker has no provisioning module {name}", "switch it on in its settings, and restart it"
        )
    return module
