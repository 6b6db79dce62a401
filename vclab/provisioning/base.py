"""The interface of a provisioning module: what all modules have, and what some add, as their traits declare.

The docstrings of these protocols, and of ``Guest``, are the pages of ``docs/interface.md``: a sentence, then what an
operation begins with, ends with, who calls it, what it answers and raises. ``tests/provisioning/test_interface.py`` is
the suite that every module passes.
"""

from collections.abc import Mapping, Sequence
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
        """Ask an endpoint what it can hold now.

        Ends: nothing is changed.
        Called by: placement, before each reservation is placed; the rounds.
        Answers: its hosts and storages; a host that can't be used, and why not.
        Raises: ``Unreachable``.
        """

    def node_status(self, target: Target) -> NodeStatus:
        """Observe what the computer needs before it can be handed over.

        Begins: with anything, or nothing, in the computer's place.
        Ends: nothing is changed.
        Called by: ``make_plan``, before each load; the guest is asked for the inside.
        Answers: READY, POST_LOAD or RELOAD, and why; power "on", "off" or "unknown"; ssh yes, no or unknown (None),
            which is never taken for no. What is not there, or holds another image, is never READY; a module that loads
            answers RELOAD. A computer that stays and is off may be POST_LOAD: then its load switches it on. Of one
            that stays, whatever is answered is a RELOAD unless its record says what it holds (``target.kept``).
        Raises: ``Unreachable``, ``NotOurs``.
        """

    def whereabouts(self, target: Target) -> Whereabouts:
        """Find a computer that does not answer where it was: it may have another address by now, or be off, or gone.

        Ends: nothing is changed.
        Called by: looks and guest's steps that find nobody.
        Answers: its address; ``off`` and ``gone`` only when that is certain, else neither. ``trouble`` says why it
            can't answer; empty: the endpoint sees nothing wrong.
        Raises: ``Unreachable``.
        """

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """Plan the load: the steps that bring the computer from ``status`` to handed-over-able, guest steps included.

        Ends: nothing is changed; the plan is recorded, and resumed from.
        Called by: ``make_plan``, before each load.
        Answers: steps of this module and of the target's guest, each once; none of a guest when there is none.
        Raises: ``StepFailed`` when there is no way.
        """

    def evidence(self, target: Target) -> Evidence:
        """Tell what the endpoint knows of a computer whose load has failed. The inside (``console``) the guest tells.

        Begins: with anything, or nothing, in the computer's place.
        Ends: nothing is changed.
        Called by: ``gather_evidence``, when a step has failed for good.
        Answers: power "on", "off" or "unknown", and lines. What is not there is an answer too.
        Raises: ``Unreachable``.
        """

    def steps(self) -> Mapping[str, BlockingStep]:
        """Name the module's own steps, also those that only put back (``Step.undo``).

        Called by: the worker, when it starts: each becomes an activity.
        Answers: each step by its recorded name, ``<module>.<verb>``, which is forever. No guest's step has that name.
        """

    def remove(self, context: StepContext, target: Target) -> None:
        """Take the computer back, and verify it.

        Begins: with anything, or nothing, of the computer: loaded, half made, on or off.
        Ends: what it is on this endpoint, of this generation and older, is removed, and ``whereabouts`` says gone; one
            that is lent is sanitized, and is clean. What is newer is untouched. Twice is harmless.
        Called by: ``clear_computer``, when a tenure ends.
        Raises: ``StepFailed``, which says what is left; ``Unreachable``, ``NotOurs``, ``Fenced``.
        """

    def close(self) -> None:
        """Leave the endpoints: log out.

        Ends: twice is harmless, and so is it when nothing was opened.
        Called by: the worker, when it ends.
        """


class Maker(Protocol):
    """What a module adds that makes its computers: those that are not ``lent``."""

    def machines(self, endpoint: str) -> Machines:
        """List all machines on the endpoint that carry our mark.

        Ends: nothing is changed.
        Called by: the rounds, which look for machines that nobody holds.
        Answers: each with its instance UUID, reservation, computer and generation, and whether it is on.
        Raises: ``Unreachable``.
        """

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Remove one machine of ours that nobody holds.

        Ends: it is gone. Twice is harmless.
        Called by: the rounds, after two looks.
        Raises: ``NotOurs`` without our mark; ``StepFailed``, ``Unreachable``.
        """


class Power(Protocol):
    """What a module adds that can switch its computers; each method only if its traits name the operation.

    The methods raise as those of ``ProvisioningModule`` do."""

    def power_status(self, target: Target) -> str:
        """Tell whether the computer is on.

        Ends: nothing is changed.
        Called by: nobody yet.
        Answers: "on", "off" or "unknown": suspended, or there is no such computer.
        """

    def power_on(self, context: StepContext, target: Target) -> None:
        """Power the computer on, and verify it.

        Begins: on, or off.
        Ends: it is on, and starts. Harmless when it was on.
        Called by: nobody yet.
        Raises: ``StepFailed`` when it is not there.
        """

    def power_off(self, context: StepContext, target: Target) -> None:
        """Power the computer off, hard.

        Begins: on, off, or gone.
        Ends: it is off, or gone. Harmless when it was.
        Called by: nobody yet.
        """

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Reset the computer, hard.

        Begins: on, or off.
        Ends: it starts anew; one that was off is powered on.
        Called by: ``vclab reboot --hard``, and a restart that the guest can't be asked for.
        Raises: ``StepFailed`` when it is not there.
        """


class Inspector(Protocol):
    """What a module adds that can read what hardware its computers have: its traits name the operation."""

    def inspect(self, target: Target, status: NodeStatus) -> Plan:
        """Plan how the hardware is read. Nothing on its disks is changed; it may be restarted meanwhile.

        Begins: nobody uses the computer. The target has no image.
        Ends: nothing is changed by planning. A step that changes its power names the step that puts that back as
            ``status`` has it (``Step.undo``); these run at the end, however it ends.
        Called by: ``plan_inspection``, in the workflow of an inspection, under a tenure of its own.
        Answers: the steps, which blame nobody. Their facts bring along ``hardware``.
        Raises: ``StepFailed`` when there is no way.
        """


class Copier(Protocol):
    """What a module adds whose machines' disks are made from copies of the image: its traits say ``copies``."""

    def make_copy(self, context: StepContext, job: CopyJob) -> Copied:
        """Have a copy of a revision on a storage, whole.

        Begins: with nothing there, with what an attempt that was cut off has left, or with the copy, which is adopted.
        Ends: the copy has its name, which it has only when it is whole.
        Called by: the workflow of copies, when a load waits for one.
        Answers: where it is; its size and hash if its bytes were read.
        Raises: ``Interrupted`` when stopped, and then nothing is left of it; ``StepFailed``, ``Unreachable``.
        """

    def remove_copy(self, context: StepContext, job: CopyJob) -> None:
        """Delete a copy that vclab has made, and verify it.

        Ends: it is gone. Twice is harmless.
        Called by: the workflow of a copy's removal.
        Raises: ``StepFailed``, which says why, when anything on the endpoint needs it; ``Unreachable``.
        """

    def fetch_copy(self, context: StepContext, job: CopyJob) -> Content:
        """Have the copy at ``job.source``, on a storage of ``job.source.at.endpoint``, in the repository, in the folder
        ``job.repository``, with ``job.record`` beside it. At most ``job.rate`` bytes a second come.

        Begins: with nothing there, or with the copy: one that is whole is adopted, one that has other bytes than its
            record says is replaced.
        Ends: it is there whole and read back, or not at all.
        Called by: the workflow of copies.
        Answers: what its disk holds: also when nobody knew it before, and ``job.record`` has no hash.
        Raises: ``CopyLost`` when it is not there, or not what ``job.record`` says (hash, size); ``StepFailed`` when it
            is larger than ``job.disk_gb``, or no disk; ``Refused`` when the repository has no room; ``Interrupted``
            when stopped, within 2 s; ``Unreachable``. Nothing is left of it then.
        """

    def verify_copy(self, context: StepContext, job: CopyJob) -> Content:
        """Read all bytes of a copy back, at most ``job.rate`` bytes a second.

        Ends: nothing is changed, and nothing of it is kept.
        Called by: the workflow that reads copies.
        Answers: what the disk holds. ``job.source.size``, if it is known, says how many bytes it should have: a storage
            may round that up. Whether what is returned is right the caller says.
        Raises: ``CopyLost`` when it is not there, ``Interrupted`` when stopped, within 2 s; ``StepFailed``,
            ``Unreachable``.
        """


class Capturer(Protocol):
    """What a module adds whose computers can be captured: its traits name the operation."""

    def capture(self, target: Target) -> Plan:
        """Plan how what the computer holds is taken. The module decides what the steps are.

        Begins: the computer is in use.
        Ends: nothing is changed by planning. The steps do nothing irrevocable to the computer; each names the step that
            puts back what it has done (``Step.undo``). Unless the module ``seals``, what they took is the revision.
        Called by: ``plan_stage``, in the workflow of a capture, under the reservation's tenure.
        Answers: the steps. Their facts bring along what was made: ``image_data``; of one that seals, ``raw_sha256``.
        Raises: ``StepFailed`` when it can't be captured.
        """


class Sealer(Protocol):
    """What a module adds to ``Capturer`` whose traits say ``seals``: ``capture`` takes a raw copy, and leaves the
    computer off; what belongs to one computer or person is removed from a child of that, on a throw-away computer.

    Stages are planned: nothing is changed before the steps run. What they make lies where nothing finds it by a name;
    all of it is named after the capture (``StepInput.becomes``). Plans are called for by ``plan_stage``, and raise
    ``StepFailed`` for a computer without a guest.
    """

    def hand_back(self, target: Target) -> Plan:
        """Plan how the computer is given back to its user.

        Begins: it is off, or on: its raw copy was taken or given up.
        Ends: it is on, with the same host key.
        Answers: the steps. Their facts bring along its private address.
        """

    def seal(self, target: Target) -> Plan:
        """Plan how the sealed copy is made, on the throw-away computer ``target``, which is ``isolated``; one that is
        made has the MACs of the source.

        Begins: there is a raw copy. What an earlier try has left on the throw-away computer is removed.
        Ends: its disk, a child of the raw copy or written with it, was sealed by the guest, and it is off; a copy was
            made of that disk, and read back. The machine may stay.
        Answers: the steps. Their facts bring along ``disk_sha256`` and ``disk_size``.
        """

    def boot_test(self, target: Target) -> Plan:
        """Plan how the sealed copy is tried, on the throw-away computer ``target``, which has MACs of its own.

        Begins: there is a sealed copy.
        Ends: it was loaded as for a user, up to a login. The machine may stay.
        Answers: the steps.
        """

    def publish(self, target: Target) -> Plan:
        """Plan how the sealed copy becomes the revision's own, and the raw one is deleted.

        Begins: there is a sealed copy, and no machine is made from it or the raw one.
        Ends: the revision has its copy; nothing else of the capture is left.
        Answers: the steps. Their facts bring along ``copy``.
        """

    def captures(self, endpoint: str) -> Sequence[str]:
        """Look which captures have disks there that are not published.

        Called by: ``reconcile_site``.
        Answers: their ids.
        Raises: ``Unreachable``.
        """

    def forget_capture(self, endpoint: str, capture: str) -> None:
        """Delete these disks: the capture is over, and nobody has put back what it made.

        Begins: it does not run any more.
        Ends: they are gone; harmless when they were.
        Called by: ``reconcile_site``.
        Raises: ``StepFailed`` when something is made from one of them; ``Unreachable``.
        """


def capturer(module: ProvisioningModule) -> Capturer:
    """The module as what can be captured. Raises ``StepFailed`` when it can't."""
    if not module.traits.can(Operation.CAPTURE):
        raise StepFailed(f"the provisioning module {module.name} captures nothing yet")
    return cast(Capturer, module)


def inspector(module: ProvisioningModule) -> Inspector:
    """The module as what reads hardware. Raises ``StepFailed`` when it does not."""
    if not module.traits.can(Operation.INSPECT):
        raise StepFailed(f"the provisioning module {module.name} reads no hardware")
    return cast(Inspector, module)


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
