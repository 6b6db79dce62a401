"""The module ``fake``: the vSphere module's steps on a pretended world, with adjustable delays and failures.

For benchmarks, rehearsals and tests of clocks. It observes, acts and confirms as the real ones do: what an attempt that
was cut off has made is found and adopted, what is not ours or newer is never touched.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from vclab.fake_world import Held, Machine, World, now
from vclab.model.errors import NotOurs, StepFailed, Unreachable
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory, MachineFacts, Machines
from vclab.model.plans import Facts, StepInput, Target
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import POWER, Operation, Traits
from vclab.provisioning.fake_captures import Captures, made_from
from vclab.provisioning.kind import Kind, Surroundings
from vclab.provisioning.pretended import Pretended
from vclab.provisioning.virtual import VirtualMachines

NAME = "fake"
TRAITS = Traits(seals=True, operations=(*POWER, Operation.CAPTURE))
DATASTORE = "fake-ds"

_STEPS = VirtualMachines(NAME)


class Fake(Pretended):
    """A ``ProvisioningModule`` that makes its computers, and a ``Sealer``. Thread-safe."""

    name = NAME
    traits = TRAITS
    load_plan = staticmethod(_STEPS.load_plan)
    capture = staticmethod(_STEPS.capture)
    hand_back = staticmethod(_STEPS.hand_back)
    seal = staticmethod(_STEPS.seal)
    boot_test = staticmethod(_STEPS.boot_test)
    publish = staticmethod(_STEPS.publish)

    def __init__(self, world: World, installation: str) -> None:
        super().__init__(world, installation)
        self._captures = Captures(world)

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
            )
            for name, size in sorted(behaviour.hosts.items())
        )
        store = DatastoreFacts(DATASTORE, behaviour.disk_gb, behaviour.disk_gb)
        return Inventory(endpoint, datetime.now(UTC), tuple(hosts), (store,))

    def captures(self, endpoint: str) -> Sequence[str]:
        """The captures that have disks there."""
        return self._captures.there(endpoint)

    def forget_capture(self, endpoint: str, capture: str) -> None:
        """Delete the disks of a capture that is over. Raises ``StepFailed`` when a machine is made from one."""
        self._captures.forget(endpoint, capture)

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's steps by recorded name."""
        captures = self._captures
        return {
            _STEPS.check.name: self._learning(captures.check),
            _STEPS.begin.name: self._learning(captures.begin_sealing),
            _STEPS.off.name: self._learning(captures.await_off),
            _STEPS.raw.name: self._learning(captures.copy_raw),
            _STEPS.verify_raw.name: self._learning(captures.verify_raw),
            _STEPS.raw.undo: self._learning(captures.discard),
            _STEPS.sealed.name: self._learning(captures.copy_sealed),
            _STEPS.verify_sealed.name: self._learning(captures.verify_sealed),
            _STEPS.published.name: self._learning(captures.publish),
            _STEPS.published.undo: self._learning(captures.withdraw),
            _STEPS.discard_raw.name: self._learning(captures.discard),
            _STEPS.remove.name: self._step(self._remove_previous),
            _STEPS.copy.name: self._learning(self._copy_disk),
            _STEPS.create.name: self._learning(self._create_vm),
            _STEPS.adopt.name: self._step(self._adopt),
            _STEPS.on.name: self._step(self._power_on),
            _STEPS.find.name: self._find_address,
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

    # --- the steps ------------------------------------------------------------------------------------------------

    def _remove_previous(self, context: StepContext, target: Target) -> None:
        self._clear(context, target, target.generation - 1)

    def _copy_disk(self, context: StepContext, given: StepInput) -> Facts:
        """A disk of its own, or a child of a capture's: an unfinished machine, on no host."""
        target = given.target
        if self._world.find(target.instance_uuid) is None:
            parent = made_from(self._world, given)
            held = parent.holds if parent else Held(target.image, target.revision)
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
                    prepared=held.prepared,
                    tainted=held.tainted,
                    accounts=held.accounts,
                    made_from=parent.path if parent else "",
                )
            )
        return Facts()

    def _create_vm(self, context: StepContext, given: StepInput) -> Facts:
        target = given.target
        if not target.dedicated:
            self._copy_disk(context, given)
        machine = self._present(target, "fake.copy_disk")
        if not machine.host:
            if target.host not in self._world.behaviour.hosts:
                raise StepFailed(f"{target.endpoint} has no host {target.host}")
            machine = self._world.put(replace(machine, host=target.host))
        if machine.host != target.host:
            raise StepFailed(f"{machine.name} is on host {machine.host}, not on {target.host}")
        return Facts()

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


def build(surroundings: Surroundings) -> Fake:
    """The driver."""
    return Fake(surroundings.world, surroundings.installation)


KIND = Kind(NAME, TRAITS, build, pretended=True)
