"""The module ``fake``: the vSphere module's steps on a pretended world, with adjustable delays and failures.

For benchmarks, rehearsals and tests of clocks. It observes, acts and confirms as the real ones do: what an attempt that
was cut off has made is found and adopted, what is not ours or newer is never touched.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from vclab.fake_world import Machine, World, now
from vclab.model.errors import Interrupted, NotOurs, NotYet, StepFailed, Unreachable
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory, MachineFacts, Machines
from vclab.model.plans import Evidence, Facts, NodeStatus, Plan, Profile, Status, Step, StepInput, Target, Whereabouts
from vclab.model.steps import BlockingStep, StepContext

DATASTORE = "fake-ds"
NETWORKS = ("private", "public")

_MAKE = (
    Step("fake.remove_previous", "Remove what was there before"),
    Step("fake.copy_disk", "Copy the image's disk", Profile.LONG),
    Step("fake.create_vm", "Create the virtual machine"),
    Step("fake.power_on", "Power it on"),
)
_ADOPT = Step("fake.adopt", "Take over a machine that is ready")
_FIND = Step("fake.find_address", "Find its private address", Profile.LOOK)
_GUEST = (
    ("wait_ssh", "Wait until it answers SSH", Profile.LOOK),
    ("post_load", "Set up firewall, password and host name", Profile.SHORT),
    ("read_public_address", "Read its public address", Profile.SHORT),
)
_SLICE_SECONDS = 0.05  # so soon does delayed work see that it is asked to stop
_LONGEST_PAUSE = 1.0  # seconds between two looks


class Fake:
    """A ``ProvisioningModule``. Thread-safe."""

    name = "fake"
    stays = False

    def __init__(self, world: World, installation: str) -> None:
        self._world = world
        self._installation = installation

    def close(self) -> None:
        """Nothing is open."""

    def survey(self, endpoint: str) -> Inventory:
        """The hosts of the settings; one datastore that all of them see."""
        behaviour = self._world.behaviour
        time.sleep(behaviour.seconds("survey"))
        hosts = (
            HostFacts(
                name=name,
                cpus=size.cpus,
                memory_mb=size.memory_mb,
                usable=not size.maintenance,
                why_not="in maintenance" if size.maintenance else "",
                datastores=(DATASTORE,),
                networks=NETWORKS,
            )
            for name, size in sorted(behaviour.hosts.items())
        )
        store = DatastoreFacts(DATASTORE, behaviour.disk_gb, behaviour.disk_gb)
        return Inventory(endpoint, datetime.now(UTC), tuple(hosts), (store,))

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
        return Whereabouts(address(target, "10.254"))

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The steps from ``status`` on, those of the guest included. A machine without a guest has none of these."""
        guest = tuple(Step(f"{target.guest}.{n}", title, profile) for n, title, profile in _GUEST if target.guest)
        if status.status is Status.RELOAD:
            return Plan((*_MAKE, _FIND, *guest), status)
        if status.status is Status.READY and target.spare:
            return Plan((_ADOPT, *(step for step in guest if step.profile is not Profile.LOOK)), status)
        if status.status is Status.READY:
            guest = tuple(step for step in guest if not step.name.endswith(".post_load"))
        adopt = (_ADOPT,) if target.spare else ()
        return Plan((*adopt, _FIND, *guest), status)

    def evidence(self, target: Target) -> Evidence:
        """What there is of the pretended machine."""
        machine = self._world.find(target.instance_uuid)
        if machine is None:
            return Evidence("unknown", (f"{target.machine_name} is not on {target.endpoint}",))
        where = f"on {machine.host}" if machine.host else "a disk only"
        return Evidence("on" if machine.on else "off", (f"{machine.name}: {where}, booted {machine.boots} times",))

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's steps by recorded name."""
        return {
            "fake.remove_previous": self._step(self._remove_previous),
            "fake.copy_disk": self._step(self._copy_disk),
            "fake.create_vm": self._step(self._create_vm),
            "fake.adopt": self._step(self._adopt),
            "fake.power_on": self._step(self._power_on),
            "fake.find_address": self._find_address,
        }

    def remove(self, context: StepContext, target: Target) -> None:
        """Remove the computer's machines of this generation and older; verify it."""
        self._must_be_ours(target)
        self._delay(context, "remove", target)
        self._clear(context, target, target.generation)

    def machines(self, endpoint: str) -> Machines:
        """All machines with our installation's mark."""
        ours = (m for m in self._world.all(endpoint) if m.installation == self._installation)
        return Machines(
            endpoint,
            tuple(MachineFacts(endpoint, m.name, m.uuid, m.reservation, m.computer, m.generation, m.on) for m in ours),
        )

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Remove one machine of ours, an orphan. Raises ``NotOurs`` without our mark; harmless when it is gone."""
        machine = self._world.find(instance_uuid)
        if machine is None:
            return
        if machine.installation != self._installation:
            raise NotOurs(f"{machine.name} is of the installation {machine.installation}")
        self._world.remove(instance_uuid)

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Reset the computer; one that is off is powered on. Raises ``StepFailed``."""
        self._must_be_ours(target)
        self._delay(context, "power_reset", target)
        machine = self._present(target)
        context.fence()
        self._world.change(machine.uuid, powered_on_at=now(), boots=machine.boots + 1)

    # --- the steps ------------------------------------------------------------------------------------------------

    def _step(self, work: Callable[[StepContext, Target], None]) -> BlockingStep:
        def run(context: StepContext, given: StepInput) -> Facts:
            self._must_be_ours(given.target)
            self._delay(context, given.step, given.target)
            work(context, given.target)
            return Facts()

        return run

    def _remove_previous(self, context: StepContext, target: Target) -> None:
        self._clear(context, target, target.generation - 1)

    def _copy_disk(self, context: StepContext, target: Target) -> None:
        if self._world.find(target.instance_uuid) is None:
            context.fence()
            self._world.put(
                Machine(
                    uuid=target.instance_uuid,
                    name=target.machine_name,
                    endpoint=target.endpoint,
                    installation=target.installation,
                    reservation=target.reservation,
                    computer=target.computer,
                    generation=target.generation,
                    image=target.image,
                    revision=target.revision,
                )
            )

    def _create_vm(self, context: StepContext, target: Target) -> None:
        machine = self._present(target, "fake.copy_disk")
        if not machine.host:
            if target.host not in self._world.behaviour.hosts:
                raise StepFailed(f"{target.endpoint} has no host {target.host}")
            machine = self._world.put(replace(machine, host=target.host))
        if machine.host != target.host:
            raise StepFailed(f"{machine.name} is on host {machine.host}, not on {target.host}")

    def _adopt(self, context: StepContext, target: Target) -> None:
        machine = self._present(target)
        if machine.generation != target.generation:
            context.fence()
            ours = {"name": target.machine_name, "reservation": target.reservation, "generation": target.generation}
            self._world.change(machine.uuid, **ours)

    def _power_on(self, context: StepContext, target: Target) -> None:
        machine = self._present(target, "fake.create_vm")
        if not machine.host:
            raise StepFailed(f"{machine.name} is a disk only: the step fake.create_vm defines it")
        if machine.on:
            return
        size = self._world.behaviour.hosts.get(machine.host)
        if size is None or size.maintenance:
            raise StepFailed(f"host {machine.host} refuses to power on {machine.name}: it is in maintenance or gone")
        context.fence()
        self._world.put(replace(machine, powered_on_at=now(), boots=machine.boots + 1))

    def _find_address(self, context: StepContext, given: StepInput) -> Facts:
        target = given.target
        self._must_be_ours(target)
        problem = self._world.misfortune(given.step, target)
        if problem:
            raise problem
        machine = self._present(target, "fake.power_on")
        if not machine.on:
            raise StepFailed(f"{machine.name} is off")
        left = machine.powered_on_at + self._world.behaviour.seconds(given.step) - now()
        if left > 0:
            raise NotYet(f"{machine.name} has no private address yet", min(left, _LONGEST_PAUSE))
        return Facts(private_address=address(target, "10.254"))

    # --- what they have in common ---------------------------------------------------------------------------------

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

    def _clear(self, context: StepContext, target: Target, newest: int) -> None:
        """Remove the computer's machines up to a generation. Raises ``NotOurs`` for a newer one."""
        for machine in self._of_computer(target):
            if machine.generation > target.generation:
                raise NotOurs(f"{machine.name} is of generation {machine.generation}, newer than {target.generation}")
            if machine.generation <= newest:
                context.fence()
                self._world.remove(machine.uuid)
        left = [m.name for m in self._of_computer(target) if m.generation <= newest]
        if left:
            raise Unreachable(f"{', '.join(left)} is still there; it will be tried again")

    def _of_computer(self, target: Target) -> list[Machine]:
        return [
            machine
            for machine in self._world.all(target.endpoint)
            if machine.computer == target.computer and machine.installation == self._installation
        ]


def address(target: Target, prefix: str) -> str:
    """An address that belongs to the computer: the last two bytes of its MAC behind ``prefix``."""
    high, low = (target.private_mac or "0:0:0:0:0:0").split(":")[-2:]
    return f"{prefix}.{int(high, 16)}.{int(low, 16)}"
