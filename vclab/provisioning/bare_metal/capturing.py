"""The steps of captures: a node's disk is read into a repository, by the imaging environment; and becomes a revision.

What is captured lies there under the name of the capture (vclab/library/captures.py). What was taken is written to
another node of the group by the steps of a load (``disks.written``), sealed there, and read again.
"""

from collections.abc import Mapping
from pathlib import Path

from vclab.imaging import inspecting, reading
from vclab.library.captures import Captures, Held
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.errors import NotYet, StepFailed
from vclab.model.nodes import chosen
from vclab.model.plans import Facts, StepInput
from vclab.model.revisions import Content
from vclab.model.steps import BlockingStep, StepContext
from vclab.netboot.values import State
from vclab.power.base import PowerState
from vclab.provisioning.bare_metal import plans
from vclab.provisioning.bare_metal.booting import Booting
from vclab.provisioning.bare_metal.disks import becomes, everywhere, holding
from vclab.provisioning.bare_metal.nodes import Nodes
from vclab.provisioning.bare_metal.returning import environment
from vclab.provisioning.bare_metal.telling import telling

OFF_LOOK = 5.0  #: seconds between looks whether it is off
OFF_SECONDS = 300.0  #: for which a computer may shut down (VCL wait_for_power_off: 300)


class Capturing:
    """What these steps do. Each may be cut off anywhere, and run again."""

    def __init__(self, nodes: Nodes, booting: Booting) -> None:
        self._nodes = nodes
        self._booting = booting

    def steps(self) -> Mapping[str, BlockingStep]:
        """By recorded name."""
        return {
            plans.CHECK_CAPTURE.name: self._check,
            plans.AWAIT_OFF.name: self._await_off,
            plans.SET_NETWORK_TO_READ.name: self._booting.set_network,
            plans.BOOT_NETWORK_TO_READ.name: self._booting.boot_network,
            plans.AWAIT_IMAGING_TO_READ.name: self._booting.await_imaging,
            plans.FIND_DISK_TO_READ.name: self._find_disk,
            plans.READ_RAW.name: self._read_raw,
            plans.READ_SEALED.name: self._read_sealed,
            plans.SWITCH_OFF.name: self._switch_off,
            plans.RETURN.name: self._return,
            plans.BEGIN_SEALING.name: self._begin_sealing,
            plans.PUBLISH.name: self._publish,
            plans.DISCARD.name: self._discard,
            plans.READ_RAW.undo: self._discard,
            plans.PUBLISH.undo: self._withdraw,
        }

    # --- of the node ------------------------------------------------------------------------------------------------

    def _check(self, context: StepContext, given: StepInput) -> Facts:
        """Before anything is touched: a repository takes what is captured, and none has the revision yet. It is on."""
        made, node = becomes(given), self._nodes.of(given.target)
        into = self._nodes.repository(given.target)
        for repository, _ in everywhere(self._nodes):
            if repository.find(made.image, made.revision) is not None:
                raise StepFailed(f"{made} is in {repository.folder} already, although there is no such revision yet")
        node.power(lambda power, bmc: power.on(bmc, context))
        context.progress(f"it is captured into {into.folder}")
        return Facts(private_address=node.address)

    def _await_off(self, context: StepContext, given: StepInput) -> Facts:
        """Look whether it has shut down. Raises ``NotYet`` for ``OFF_SECONDS``; then it is switched off hard, if that
        is allowed, else ``StepFailed``.

        Looks are counted, not seconds: a clock that is put right must not end a wait.
        """
        node, name = self._nodes.of(given.target), given.target.computer
        seen = node.power(lambda power, bmc: power.status(bmc, context))
        if seen.state is PowerState.OFF:
            return Facts()
        looks = int(context.remembered.get("looks", "0")) + 1
        context.remember(looks=str(looks))
        if looks * OFF_LOOK <= OFF_SECONDS:
            raise NotYet(f"{name} is still shutting down", OFF_LOOK)
        if not (given.target.isolated or becomes(given).force_off):
            raise StepFailed(
                f"{name} does not shut down, after {OFF_SECONDS:.0f} s",
                "shut it down from inside, then resolve it with retry; or capture it with --force-off",
            )
        node.power(lambda power, bmc: power.off(bmc, context))
        return Facts()

    def _find_disk(self, context: StepContext, given: StepInput) -> Facts:
        """By the same rule as for a load; the environment may call it otherwise than the last time."""
        data = self._nodes.of(given.target).data
        with environment(self._nodes, context, given) as there:
            disk = chosen(data.disk, inspecting.inspect(there, telling(context, "looked at")).disks, data.keep)
        context.progress(f"{disk} is read")
        return Facts(disk=disk.path)

    def _switch_off(self, context: StepContext, given: StepInput) -> Facts:
        """The network serves it nothing any more, and the key of its imaging environment is gone."""
        node = self._nodes.of(given.target)
        context.fence()
        self._nodes.serve_nothing(node)
        node.power(lambda power, bmc: power.off(bmc, context))
        return Facts()

    def _return(self, context: StepContext, given: StepInput) -> Facts:
        """On, from its disk. One that was never shut down stays as it is: its user works on it."""
        node = self._nodes.of(given.target)
        seen = node.power(lambda power, bmc: power.status(bmc, context))
        is_served = self._nodes.netboot(lambda netboot: netboot.state(node.mac)) is not State.BOOT
        if is_served or seen.state is PowerState.OFF:
            return self._booting.boot_disk(context, given)
        return Facts(private_address=node.address)

    # --- of its disk ------------------------------------------------------------------------------------------------

    def _read_raw(self, context: StepContext, given: StepInput) -> Facts:
        """All of it, into the repository that has its image, or the one that has begun to hold this capture."""
        made = becomes(given)
        into = next((each for each, held in everywhere(self._nodes) if held.has(made.capture)), None)
        found = self._read(context, given, Held.RAW, into or self._nodes.repository(given.target), 0)
        return Facts(raw_sha256=found.sha256)

    def _read_sealed(self, context: StepContext, given: StepInput) -> Facts:
        """As much as was written of the raw disk: what lies behind it on a larger disk is not of the image."""
        repository, captures = holding(self._nodes, becomes(given).capture)
        raw = captures.find(becomes(given).capture, Held.RAW)
        if raw is None:
            raise StepFailed(f"there is no raw disk of {becomes(given)} in {repository.folder}")
        found = self._read(context, given, Held.SEALED, repository, raw.size)
        return Facts(disk_sha256=found.sha256, disk_size=found.size)

    def _read(self, context: StepContext, given: StepInput, held: Held, into: Repository, size: int) -> Content:
        """Each chunk is checked when it comes, and all of it when it is read back from the repository."""
        context.fence()
        with environment(self._nodes, context, given) as there:
            source = reading.look(there, telling(context, "looked at"), size)

            def write(disk: Path, told: Told) -> Content:
                return reading.read(there, source, disk, telling(context, "read"))

            captures = Captures(into, self._nodes.installation)
            back = telling(context, "read back")
            return captures.keep(becomes(given).capture, held, source.needed, write, back).content

    def _begin_sealing(self, context: StepContext, given: StepInput) -> Facts:
        """Delete what an earlier try has made, published too: what is sealed now is another one."""
        made = becomes(given)
        self._withdraw(context, given)
        repository, captures = holding(self._nodes, made.capture)
        if captures.find(made.capture, Held.RAW) is None:
            raise StepFailed(f"there is no raw disk of {made} in {repository.folder}")
        captures.discard(made.capture, Held.SEALED)
        return Facts()

    def _publish(self, context: StepContext, given: StepInput) -> Facts:
        """The sealed disk is its revision's from now on."""
        made = becomes(given)
        repository, captures = holding(self._nodes, made.capture)
        record = self._nodes.metal.captured(made)
        context.fence()
        captures.publish(made.capture, record)
        return Facts(copy=str(repository.folder))

    def _withdraw(self, context: StepContext, given: StepInput) -> Facts:
        """Delete the revision that ``publish`` has made; harmless when there is none."""
        made = becomes(given)
        context.fence()
        for _, captures in everywhere(self._nodes):
            captures.withdraw(made.capture, made.image, made.revision)
        return Facts()

    def _discard(self, context: StepContext, given: StepInput) -> Facts:
        """Delete all that is not published; harmless when it is gone."""
        context.fence()
        self.forget(becomes(given).capture)
        return Facts()

    def there(self) -> list[str]:
        """The captures that have disks at the site which are not published."""
        return sorted({each for _, captures in everywhere(self._nodes) for each in captures.there()})

    def forget(self, capture: str) -> None:
        """Delete these disks; harmless when they are gone."""
        for _, captures in everywhere(self._nodes):
            captures.discard(capture)
