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
from vclab.model.plans import Facts, NodeStatus, Plan, Profile, Status, Step, StepInput, Target
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import POWER, Operation, Traits
from vclab.provisioning.fake_captures import Captures, made_from
from vclab.provisioning.kind import Kind, Surroundings
from vclab.provisioning.pretended import Pretended
from vclab.provisioning.virtual import CHECK_CAPTURE, SEAL, SHUT_DOWN, TRY_LOGIN, WAIT_SSH, capturing_steps, load_plan

NAME = "fake"
TRAITS = Traits(seals=True, operations=(*POWER, Operation.CAPTURE))
DATASTORE = "fake-ds"

_REMOVE = Step("fake.remove_previous", "Remove what was there before")
_COPY = Step("fake.copy_disk", "Copy the image's disk", Profile.LONG)
_CREATE = Step("fake.create_vm", "Create the virtual machine")
_ON = Step("fake.power_on", "Power it on")
_ADOPT = Step("fake.adopt", "Take over a machine that is ready")
_FIND = Step("fake.find_address", "Find its private address", Profile.LOOK)
_CHECK = Step("fake.check_machine", "See whether it can be captured")  # the guest of that name has a check_capture
_BEGIN = Step("fake.begin_sealing", "Remove what an earlier try has sealed")
_OFF = Step("fake.await_off", "Wait until it is off", Profile.LOOK)
_RAW = Step("fake.copy_raw", "Copy its disk", Profile.LONG, undo="fake.discard_capture")
_VERIFY_RAW = Step("fake.verify_raw", "Read the copy back", Profile.LONG)
_SEALED = Step("fake.copy_sealed", "Make a disk of what was sealed", Profile.LONG)
_VERIFY_SEALED = Step("fake.verify_sealed", "Read that disk back", Profile.LONG)
_PUBLISH = Step("fake.publish_copy", "Make it the copy of its revision", undo="fake.withdraw_copy")
_DISCARD_RAW = Step("fake.discard_raw", "Delete the raw copy")


class Fake(Pretended):
    """A ``ProvisioningModule`` that makes its computers, and a ``Sealer``. Thread-safe."""

    name = NAME
    traits = TRAITS

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

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The steps from ``status`` on, those of the guest included. A machine without a guest has none of these."""
        make = (_REMOVE, _COPY, _CREATE, _ON) if target.dedicated else (_REMOVE, _CREATE, _ON)
        return load_plan(target.guest, status, bool(target.spare), make, _ADOPT, _FIND)

    def capture(self, target: Target) -> Plan:
        """Shut the machine down, and take a raw copy of its disk. Raises ``StepFailed`` for one without a guest."""
        before = (_CHECK, _FIND, *capturing_steps(target.guest, WAIT_SSH, CHECK_CAPTURE, SHUT_DOWN), _OFF)
        return Plan((*before, _RAW, _VERIFY_RAW), NodeStatus(Status.POST_LOAD))

    def hand_back(self, target: Target) -> Plan:
        """Power it on again."""
        return Plan((_ON, _FIND, *capturing_steps(target.guest, WAIT_SSH)), NodeStatus(Status.POST_LOAD))

    def seal(self, target: Target) -> Plan:
        """Seal a child of the raw copy on a machine of its own, and make a disk of that."""
        make = (_REMOVE, _BEGIN, _CREATE, _ON, _FIND, *capturing_steps(target.guest, WAIT_SSH, SEAL))
        return Plan((*make, _OFF, _SEALED, _VERIFY_SEALED), NodeStatus())

    def boot_test(self, target: Target) -> Plan:
        """Load the sealed copy as for a user."""
        plan = self.load_plan(target, NodeStatus())
        return replace(plan, steps=(*plan.steps, *capturing_steps(target.guest, TRY_LOGIN)))

    def publish(self, target: Target) -> Plan:
        """The sealed copy gets its revision's place; the raw one goes."""
        return Plan((_PUBLISH, _DISCARD_RAW), NodeStatus())

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
            _CHECK.name: self._learning(captures.check),
            _BEGIN.name: self._learning(captures.begin_sealing),
            _OFF.name: self._learning(captures.await_off),
            _RAW.name: self._learning(captures.copy_raw),
            _VERIFY_RAW.name: self._learning(captures.verify_raw),
            _RAW.undo: self._learning(captures.discard),
            _SEALED.name: self._learning(captures.copy_sealed),
            _VERIFY_SEALED.name: self._learning(captures.verify_sealed),
            _PUBLISH.name: self._learning(captures.publish),
            _PUBLISH.undo: self._learning(captures.withdraw),
            _DISCARD_RAW.name: self._learning(captures.discard),
            "fake.remove_previous": self._step(self._remove_previous),
            "fake.copy_disk": self._learning(self._copy_disk),
            "fake.create_vm": self._learning(self._create_vm),
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
