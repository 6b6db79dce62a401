"""The module ``fake-metal``: pretended bare metal. Its computers exist without vclab and can be reloaded.

An endpoint of it is a group of computers, as with standalone lab machines; but a load writes the image to their disk.
What they hold stays when nobody has them, so one that is clean is handed out by a short plan. It acts on the same
pretended world as the module ``fake``, with adjustable delays and failures. What is captured is written to another
computer of the group, which is sealed there, and then tried.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from vclab.fake_world import Held, Machine, World, now
from vclab.model.catalog import Computer
from vclab.model.errors import StepFailed
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.nodes import CardReport, DiskReport, NodeReport
from vclab.model.plans import Facts, NodeStatus, Plan, Profile, Status, Step, StepInput, Target
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import POWER, Operation, Traits
from vclab.provisioning.fake_captures import Captures, made_from
from vclab.provisioning.kind import Kind, Need, Surroundings
from vclab.provisioning.pretended import Pretended
from vclab.provisioning.virtual import CHECK_CAPTURE, SEAL, SHUT_DOWN, TRY_LOGIN, WAIT_SSH, sealing

NAME = "fake-metal"
TRAITS = Traits(
    lent=True,
    reloadable=True,
    identity=False,
    seals=True,
    operations=(*POWER, Operation.CAPTURE, Operation.INSPECT),
)

_DEPLOY = Step("fake-metal.deploy", "Write the image to its disk", Profile.LONG)
_BOOT = Step("fake-metal.power_on", "Power it on")
_ADOPT = Step("fake-metal.adopt", "Take over a computer that is ready")
_FIND = Step("fake-metal.find_address", "Find its private address", Profile.LOOK)
_CHECK = Step("fake-metal.check_machine", "See whether it can be captured")
_OFF = Step("fake-metal.await_off", "Wait until it is off", Profile.LOOK)
_RAW = Step("fake-metal.read_raw", "Read its disk", Profile.LONG, undo="fake-metal.discard_capture")
_VERIFY_RAW = Step("fake-metal.verify_raw", "Read the copy back", Profile.LONG)
_BEGIN = Step("fake-metal.begin_sealing", "Remove what an earlier try has sealed")
_SEALED = Step("fake-metal.read_sealed", "Read the sealed disk", Profile.LONG)
_VERIFY_SEALED = Step("fake-metal.verify_sealed", "Read that copy back", Profile.LONG)
_PUBLISHED = Step("fake-metal.publish_copy", "Make it the copy of its revision", undo="fake-metal.withdraw_copy")
_DISCARD = Step("fake-metal.discard_raw", "Delete the raw copy")
_BOOT_IMAGING = Step("fake-metal.boot_imaging", "Start the imaging environment", blames_nobody=True)
_INSPECT = Step("fake-metal.inspect", "Read its hardware", blames_nobody=True)
_ON_AGAIN, _OFF_AGAIN = "fake-metal.on_again", "fake-metal.off_again"
_WAIT = ("wait_ssh", "Wait until it answers SSH", Profile.LOOK)
_PREPARE = ("post_load", "Set up firewall, password and host name", Profile.SHORT)
_READ = ("read_public_address", "Read its public address", Profile.SHORT)


class FakeMetal(Pretended):
    """A ``ProvisioningModule`` whose computers stay, and a ``Sealer``. Thread-safe. ``group`` gives those of an
    endpoint."""

    name = NAME
    traits = TRAITS

    def __init__(self, world: World, installation: str, group: Callable[[str], Sequence[Computer]]) -> None:
        super().__init__(world, installation)
        self._group = group
        self._captures = Captures(world)

    def survey(self, endpoint: str) -> Inventory:
        """The computers of the group. They have no capacity: one is claimed as a whole."""
        time.sleep(self._world.behaviour.seconds("survey"))
        return Inventory(endpoint, datetime.now(UTC), tuple(HostFacts(c.name, 0, 0) for c in self._group(endpoint)))

    def node_status(self, target: Target) -> NodeStatus:
        """What the computer holds now. One that was taken back unclean holds nothing that anybody knows."""
        status, machine = super().node_status(target), self._world.find(target.instance_uuid)
        if machine is None:
            return replace(status, why=f"nothing was ever loaded on {target.computer}")
        if not machine.on and not machine.tainted and _holds(machine, target):
            return replace(status, status=Status.POST_LOAD, why="it is off, and holds the image")
        return status

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """READY: take it over; POST_LOAD: prepare it too, and switch it on if it is off; RELOAD: everything."""

        def guest(*steps: tuple[str, str, Profile]) -> tuple[Step, ...]:
            return tuple(
                Step(f"{target.guest}.{name}", title, profile, in_guest=True)
                for name, title, profile in steps
                if target.guest
            )

        if status.status is Status.RELOAD:
            return Plan(
                (_DEPLOY, _BOOT, replace(_FIND, in_guest=bool(target.guest)), *guest(_WAIT, _PREPARE, _READ)), status
            )
        if status.power == "off":
            return Plan(
                (_ADOPT, _BOOT, replace(_FIND, in_guest=bool(target.guest)), *guest(_WAIT, _PREPARE, _READ)), status
            )
        # The password of root is of this tenure, so it is prepared again.
        return Plan((_ADOPT, *guest(_PREPARE, _READ)), status)

    def capture(self, target: Target) -> Plan:
        """Shut it down, and read its disk."""
        inside = sealing(target, WAIT_SSH, CHECK_CAPTURE, SHUT_DOWN)
        return Plan((_CHECK, _FIND, *inside, _OFF, _RAW, _VERIFY_RAW), NodeStatus(Status.POST_LOAD))

    def hand_back(self, target: Target) -> Plan:
        """Power it on again."""
        return Plan((_BOOT, _FIND, *sealing(target, WAIT_SSH)), NodeStatus(Status.POST_LOAD))

    def seal(self, target: Target) -> Plan:
        """Write the raw copy to another computer, seal that, and read its disk."""
        make = _BEGIN, _DEPLOY, _BOOT, _FIND, *sealing(target, WAIT_SSH, SEAL)
        return Plan((*make, _OFF, _SEALED, _VERIFY_SEALED), NodeStatus())

    def boot_test(self, target: Target) -> Plan:
        """Load the sealed copy as for a user."""
        plan = self.load_plan(target, NodeStatus())
        return replace(plan, steps=(*plan.steps, *sealing(target, TRY_LOGIN)))

    def publish(self, target: Target) -> Plan:
        """The sealed copy becomes its revision's; the raw one goes."""
        return Plan((_PUBLISHED, _DISCARD), NodeStatus())

    def captures(self, endpoint: str) -> Sequence[str]:
        """The captures that have disks there."""
        return self._captures.there(endpoint)

    def forget_capture(self, endpoint: str, capture: str) -> None:
        """Delete the disks of a capture that is over."""
        self._captures.forget(endpoint, capture)

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's steps by recorded name."""
        captures = self._captures
        return {
            _CHECK.name: self._learning(captures.check),
            _OFF.name: self._learning(captures.await_off),
            _RAW.name: self._learning(captures.copy_raw),
            _VERIFY_RAW.name: self._learning(captures.verify_raw),
            _RAW.undo: self._learning(captures.discard),
            _BEGIN.name: self._learning(self._begin_sealing),
            _SEALED.name: self._learning(captures.copy_sealed),
            _VERIFY_SEALED.name: self._learning(captures.verify_sealed),
            _PUBLISHED.name: self._learning(captures.publish),
            _PUBLISHED.undo: self._learning(captures.withdraw),
            _DISCARD.name: self._learning(captures.discard),
            _DEPLOY.name: self._deploy,
            _BOOT.name: self._step(self._boot),
            _ADOPT.name: self._step(self._adopt),
            _FIND.name: self._find_address,
            _BOOT_IMAGING.name: self._step(self._restart),
            _INSPECT.name: self._learning(self._read_hardware),
            _ON_AGAIN: self._step(self._restart),
            _OFF_AGAIN: self._step(self._off),
        }

    def inspect(self, target: Target, status: NodeStatus) -> Plan:
        """From an imaging environment; then it is on or off again, as it was."""
        undo = _ON_AGAIN if status.power == "on" else _OFF_AGAIN
        return Plan((replace(_BOOT_IMAGING, undo=undo), _INSPECT), status)

    def remove(self, context: StepContext, target: Target) -> None:
        """Take it back: off, closed to everybody, its content unknown. Only a load makes it usable again."""
        self._must_be_ours(target)
        self._delay(context, "remove", target)
        machine = self._of_ours(target)
        if machine is not None and (machine.on or machine.image):
            context.fence()
            self._world.put(_emptied(machine))

    # --- the steps ------------------------------------------------------------------------------------------------

    def _begin_sealing(self, context: StepContext, given: StepInput) -> Facts:
        """Delete what an earlier try has made; what it has left on this computer's disk is written anew."""
        self._captures.begin_sealing(context, given)
        machine = self._of_ours(given.target)
        if machine is not None and (machine.on or machine.image):
            context.fence()
            self._world.put(_emptied(machine))
        return Facts()

    def _deploy(self, context: StepContext, given: StepInput) -> Facts:
        """Write the image, or a capture's disk. What an attempt of this tenure has written already is not written
        again; while it is written, the disk holds nothing."""
        target = given.target
        self._must_be_ours(target)
        machine, source = self._of_ours(target), made_from(self._world, given)
        held = source.holds if source else Held(target.image, target.revision)
        written = machine is not None and machine.generation == target.generation and _holds(machine, target)
        if machine is not None and written and (not machine.tainted or held.tainted):
            return Facts()
        context.fence()
        fresh = self._world.put(
            Machine(
                uuid=target.instance_uuid,
                name=target.computer,
                endpoint=target.endpoint,
                installation=target.installation,
                reservation=target.reservation,
                computer=target.computer,
                generation=target.generation,
                image="",
                revision=0,
                host=target.host,
                boots=machine.boots if machine else 0,
            )
        )
        self._delay(context, given.step, target)
        context.fence()
        came = {"prepared": held.prepared, "tainted": held.tainted, "accounts": held.accounts}
        self._world.put(replace(fresh, image=target.image, revision=target.revision, **came))  # type: ignore[arg-type]
        return Facts()

    def _boot(self, context: StepContext, target: Target) -> None:
        machine = self._present(target, _DEPLOY.name)
        if not _holds(machine, target):
            raise StepFailed(f"{machine.name} has no system to boot: the step {_DEPLOY.name} writes it")
        if not machine.on:
            context.fence()
            self._world.put(replace(machine, powered_on_at=now(), boots=machine.boots + 1))

    def _restart(self, context: StepContext, target: Target) -> None:
        """What it holds stays; it is on. On one that nothing was ever loaded on, nobody sees that."""
        machine = self._of_ours(target)
        if machine is not None:
            context.fence()
            self._world.put(replace(machine, powered_on_at=now(), boots=machine.boots + 1))

    def _off(self, context: StepContext, target: Target) -> None:
        machine = self._of_ours(target)
        if machine is not None:
            context.fence()
            self._world.put(replace(machine, powered_on_at=0.0))

    def _read_hardware(self, context: StepContext, given: StepInput) -> Facts:
        name = given.target.computer
        disk, card = DiskReport("/dev/sda", 480 * 10**9, f"{name}-disk"), CardReport("02:76:63:fa:00:01", "eth0")
        usual = NodeReport(8, "Pretended", 16384, "bios", serial=name, disks=(disk,), cards=(card,))
        return Facts(hardware=json.dumps(usual.document() | self._world.behaviour.hardware.get(name, {})))

    def _find_address(self, context: StepContext, given: StepInput) -> Facts:
        found = super()._find_address(context, given)
        known = {computer.name: computer.private_address for computer in self._group(given.target.endpoint)}
        return Facts(private_address=known.get(given.target.computer) or found.private_address)


def _holds(machine: Machine, target: Target) -> bool:
    return (machine.image, machine.revision) == (target.image, target.revision)


def _emptied(machine: Machine) -> Machine:
    """Off, and nothing is known of what it holds."""
    nothing = {"powered_on_at": 0.0, "access_since": 0.0, "accounts": (), "let_in": ()}
    return replace(machine, image="", revision=0, prepared=False, **nothing)  # type: ignore[arg-type]


def build(surroundings: Surroundings) -> FakeMetal:
    """The driver."""
    return FakeMetal(surroundings.world, surroundings.installation, surroundings.group)


KIND = Kind(NAME, TRAITS, build, computer_needs=(Need.ADDRESS,), pretended=True)
