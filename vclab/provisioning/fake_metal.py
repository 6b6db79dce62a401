"""The module ``fake-metal``: pretended bare metal. Its computers exist without vclab and can be reloaded.

An endpoint of it is a group of computers, as with standalone lab machines; but a load writes the image to their disk.
What they hold stays when nobody has them, so one that is clean is handed out by a short plan. It acts on the same
pretended world as the module ``fake``, with adjustable delays and failures.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from vclab.fake_world import Machine, World, now
from vclab.model.catalog import Computer
from vclab.model.errors import StepFailed
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Facts, NodeStatus, Plan, Profile, Status, Step, StepInput, Target
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import POWER, Traits
from vclab.provisioning.kind import Kind, Surroundings
from vclab.provisioning.pretended import Pretended

NAME = "fake-metal"
TRAITS = Traits(lent=True, reloadable=True, identity=False, operations=POWER)

_DEPLOY = Step("fake-metal.deploy", "Write the image to its disk", Profile.LONG)
_BOOT = Step("fake-metal.power_on", "Power it on")
_ADOPT = Step("fake-metal.adopt", "Take over a computer that is ready")
_FIND = Step("fake-metal.find_address", "Find its private address", Profile.LOOK)
_WAIT = ("wait_ssh", "Wait until it answers SSH", Profile.LOOK)
_PREPARE = ("post_load", "Set up firewall, password and host name", Profile.SHORT)
_READ = ("read_public_address", "Read its public address", Profile.SHORT)


class FakeMetal(Pretended):
    """A ``ProvisioningModule`` whose computers stay. Thread-safe. ``group`` gives the computers of an endpoint."""

    name = NAME
    traits = TRAITS

    def __init__(self, world: World, installation: str, group: Callable[[str], Sequence[Computer]]) -> None:
        super().__init__(world, installation)
        self._group = group

    def survey(self, endpoint: str) -> Inventory:
        """The computers of the group. They have no capacity: one is claimed as a whole."""
        time.sleep(self._world.behaviour.seconds("survey"))
        return Inventory(endpoint, datetime.now(UTC), tuple(HostFacts(c.name, 0, 0) for c in self._group(endpoint)))

    def node_status(self, target: Target) -> NodeStatus:
        """What the computer holds now. One that was taken back unclean holds nothing that anybody knows."""
        status, machine = super().node_status(target), self._world.find(target.instance_uuid)
        if machine is None:
            return replace(status, why=f"nothing was ever loaded on {target.computer}")
        if not machine.on and _holds(machine, target):
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

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's steps by recorded name."""
        return {
            _DEPLOY.name: self._deploy,
            _BOOT.name: self._step(self._boot),
            _ADOPT.name: self._step(self._adopt),
            _FIND.name: self._find_address,
        }

    def remove(self, context: StepContext, target: Target) -> None:
        """Take it back: off, closed to everybody, its content unknown. Only a load makes it usable again."""
        self._must_be_ours(target)
        self._delay(context, "remove", target)
        machine = self._of_ours(target)
        if machine is not None and (machine.on or machine.image):
            context.fence()
            self._world.put(_emptied(machine))

    # --- the steps ------------------------------------------------------------------------------------------------

    def _deploy(self, context: StepContext, given: StepInput) -> Facts:
        """Write the image. What an attempt of this tenure has written already is not written again; while it is
        written, the disk holds nothing."""
        target = given.target
        self._must_be_ours(target)
        machine = self._of_ours(target)
        if machine is not None and machine.generation == target.generation and _holds(machine, target):
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
        self._world.put(replace(fresh, image=target.image, revision=target.revision))
        return Facts()

    def _boot(self, context: StepContext, target: Target) -> None:
        machine = self._present(target, _DEPLOY.name)
        if not _holds(machine, target):
            raise StepFailed(f"{machine.name} has no system to boot: the step {_DEPLOY.name} writes it")
        if not machine.on:
            context.fence()
            self._world.put(replace(machine, powered_on_at=now(), boots=machine.boots + 1))

    def _find_address(self, context: StepContext, given: StepInput) -> Facts:
        found = super()._find_address(context, given)
        known = {computer.name: computer.private_address for computer in self._group(given.target.endpoint)}
        return Facts(private_address=known.get(given.target.computer) or found.private_address)


def _holds(machine: Machine, target: Target) -> bool:
    return (machine.image, machine.revision, machine.tainted) == (target.image, target.revision, "")


def _emptied(machine: Machine) -> Machine:
    """Off, and nothing is known of what it holds."""
    nothing = {"powered_on_at": 0.0, "access_since": 0.0, "accounts": (), "let_in": ()}
    return replace(machine, image="", revision=0, prepared=False, **nothing)  # type: ignore[arg-type]


def build(surroundings: Surroundings) -> FakeMetal:
    """The driver."""
    return FakeMetal(surroundings.world, surroundings.installation, surroundings.group)


KIND = Kind(NAME, TRAITS, build, pretended=True)
