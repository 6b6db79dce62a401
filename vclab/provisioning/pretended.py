"""What the pretended modules have in common: machines of the pretended world, looked at, switched and adopted."""

import time
from collections.abc import Callable

from vclab.fake_world import Machine, World, now
from vclab.model.errors import Interrupted, NotOurs, NotYet, StepFailed
from vclab.model.plans import Evidence, Facts, NodeStatus, Status, StepInput, Target, Whereabouts
from vclab.model.steps import BlockingStep, StepContext

_SLICE_SECONDS = 0.05  # so soon does delayed work see that it is asked to stop
_LONGEST_PAUSE = 1.0  # seconds between two looks


class Pretended:
    """What a ``ProvisioningModule`` on the pretended world needs, whatever its computers are. Thread-safe."""

    def __init__(self, world: World, installation: str) -> None:
        self._world = world
        self._installation = installation

    def close(self) -> None:
        """Nothing is open."""

    def node_status(self, target: Target) -> NodeStatus:
        """What the computer is now; also inside, for the pretended world hides nothing."""
        self._must_be_ours(target)
        machine = self._world.find(target.instance_uuid)
        if machine is None:
            return NodeStatus(Status.RELOAD, "off", None, "", f"{target.machine_name} is not on {target.endpoint}")
        power, image = "on" if machine.on else "off", f"{machine.image}/{machine.revision}"
        if image != f"{target.image}/{target.revision}":
            return NodeStatus(Status.RELOAD, power, machine.on, image, f"it was made from {image}")
        if not machine.on:
            return NodeStatus(Status.RELOAD, power, False, image, "it is off")
        if machine.tainted:
            return NodeStatus(Status.RELOAD, power, True, image, f"tainted: {machine.tainted}")
        if not machine.prepared:
            return NodeStatus(Status.POST_LOAD, power, True, image, "it was never prepared")
        return NodeStatus(Status.READY, power, True, image)

    def whereabouts(self, target: Target) -> Whereabouts:
        """Where it is, if it is on."""
        machine = self._world.find(target.instance_uuid)
        if machine is None or not machine.on:
            state, gone = "off" if machine else "gone", machine is None
            return Whereabouts(trouble=f"{target.computer} is {state}", gone=gone, off=not gone)
        return Whereabouts(private_address(target))

    def evidence(self, target: Target) -> Evidence:
        """What there is of the pretended machine."""
        machine = self._world.find(target.instance_uuid)
        if machine is None:
            return Evidence("unknown", (f"{target.machine_name} is not on {target.endpoint}",))
        where = f"on {machine.host}" if machine.host else "a disk only"
        return Evidence("on" if machine.on else "off", (f"{machine.name}: {where}, booted {machine.boots} times",))

    def power_status(self, target: Target) -> str:
        """ "on", "off" or "unknown" (there is no such machine)."""
        machine = self._world.find(target.instance_uuid)
        return "unknown" if machine is None else "on" if machine.on else "off"

    def power_on(self, context: StepContext, target: Target) -> None:
        """Power the computer on; harmless when it is on. Raises ``StepFailed``."""
        self._must_be_ours(target)
        self._delay(context, "power_on", target)
        machine = self._switchable(target)
        if not machine.on:
            context.fence()
            self._world.change(machine.uuid, powered_on_at=now(), boots=machine.boots + 1)

    def power_off(self, context: StepContext, target: Target) -> None:
        """Power the computer off; harmless when it is off or gone."""
        self._must_be_ours(target)
        self._delay(context, "power_off", target)
        machine = self._of_ours(target)
        if machine is not None and machine.on:
            context.fence()
            self._world.change(machine.uuid, powered_on_at=0.0)

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Reset the computer; one that is off is powered on. Raises ``StepFailed``."""
        self._must_be_ours(target)
        self._delay(context, "power_reset", target)
        machine = self._switchable(target)
        context.fence()
        self._world.change(machine.uuid, powered_on_at=now(), boots=machine.boots + 1)

    def _switchable(self, target: Target) -> Machine:
        """The machine. Raises ``StepFailed`` when there is none, ``NotOurs`` when a newer tenure has it."""
        self._of_ours(target)
        return self._present(target)

    # --- for their steps --------------------------------------------------------------------------------------------

    def _step(self, work: Callable[[StepContext, Target], None]) -> BlockingStep:
        def run(context: StepContext, given: StepInput) -> Facts:
            work(context, given.target)
            return Facts()

        return self._learning(run)

    def _learning(self, work: BlockingStep) -> BlockingStep:
        """A step that is given more than its target, and may learn something."""

        def run(context: StepContext, given: StepInput) -> Facts:
            self._must_be_ours(given.target)
            self._delay(context, given.step, given.target)
            return work(context, given)

        return run

    def _adopt(self, context: StepContext, target: Target) -> None:
        machine = self._present(target)
        if machine.generation != target.generation:
            context.fence()
            ours = {"name": target.machine_name, "reservation": target.reservation, "generation": target.generation}
            self._world.change(machine.uuid, **ours)

    def _find_address(self, context: StepContext, given: StepInput) -> Facts:
        target = given.target
        self._must_be_ours(target)
        problem = self._world.misfortune(given.step, target)
        if problem:
            raise problem
        machine = self._present(target)
        if not machine.on:
            raise StepFailed(f"{machine.name} is off")
        left = machine.powered_on_at + self._world.behaviour.seconds(given.step) - now()
        if left > 0:
            raise NotYet(f"{machine.name} has no private address yet", min(left, _LONGEST_PAUSE))
        return Facts(private_address=private_address(target))

    def _must_be_ours(self, target: Target) -> None:
        if target.installation != self._installation:
            raise NotOurs(f"{target.machine_name} is of the installation {target.installation}")

    def _delay(self, context: StepContext, name: str, target: Target) -> None:
        """Take as long as the settings say, then fail if they say so. Raises ``Interrupted`` when asked to stop."""
        seconds = self._world.behaviour.seconds(name)
        begun = time.monotonic()
        while (left := begun + seconds - time.monotonic()) > 0:
            if context.cancelled:
                raise Interrupted(f"{name} was stopped")
            context.progress(f"{100 * (1 - left / seconds):.0f} %")
            time.sleep(min(left, _SLICE_SECONDS))
        problem = self._world.misfortune(name, target)
        if problem:
            raise problem

    def _present(self, target: Target, made_by: str = "") -> Machine:
        machine = self._world.find(target.instance_uuid)
        if machine is None:
            hint = f": the step {made_by} makes it" if made_by else ""
            raise StepFailed(f"{target.machine_name} is not on {target.endpoint}{hint}")
        return machine

    def _of_ours(self, target: Target) -> Machine | None:
        """The machine, if there is one. Raises ``NotOurs`` when a newer tenure has it."""
        machine = self._world.find(target.instance_uuid)
        if machine is not None and machine.generation > target.generation:
            raise NotOurs(f"{machine.name} is of generation {machine.generation}, newer than {target.generation}")
        return machine


def private_address(target: Target) -> str:
    """In the imaging network, a computer with another one's MACs has an address of its own."""
    return address(target, "10.253" if target.isolated else "10.254")


def address(target: Target, prefix: str) -> str:
    """An address that belongs to the computer: the last two bytes of its MAC behind ``prefix``."""
    high, low = (target.private_mac or "0:0:0:0:0:0").split(":")[-2:]
    return f"{prefix}.{int(high, 16)}.{int(low, 16)}"
