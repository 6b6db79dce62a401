"""The standalone provisioning module: existing Linux machines, reached by SSH (VCL's Lab.pm).

Nothing is made and nothing is loaded: a load looks whether the machine can be given away and prepares it; at the end
it is sanitized, always. An endpoint of this module is a group of machines at one site. What must be known of the inside
of a machine is asked through the guest, which the composition root plugs in.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from vclab.model.catalog import Computer
from vclab.model.errors import NotYet, StepFailed, Unreachable, VclabError
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Evidence, Facts, NodeStatus, Plan, Profile, Status, Step, StepInput, Target, Whereabouts
from vclab.model.power import can_be_switched
from vclab.model.states import ComputerState
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import Traits
from vclab.provisioning.kind import Kind, Need, Surroundings

NAME = "standalone"
TRAITS = Traits(lent=True, identity=False)  # they are switched by what is entered for each, not by their endpoint

SSH_PORT = 22
ANSWER_SECONDS = 1.5  #: within which a machine in the same building accepts a connection
WAIT_SECONDS = 60.0  #: for one that has just been restarted; after that it counts as off
LOOKS_AT_ONCE = 16

_WAKE = Step("standalone.wake", "Switch it on")
_CHECK = Step("standalone.check", "See whether it answers", Profile.LOOK)
_GUEST = (
    Step("wait_ssh", "Log in by SSH", Profile.LOOK, in_guest=True),
    # If somebody is logged in, the next survey sees it too. What they left is found again when it is sanitized.
    Step("check_free", "See that it is free and clean", blames_nobody=True),
    Step("prepare", "Set up firewall and SSH", in_guest=True),
    Step("read_public_address", "Read its public address", in_guest=True),
)
"""Steps of its guest. In a plan, the guest's name precedes theirs."""


class Standalone:
    """A ``ProvisioningModule``. Thread-safe; holds nothing open.

    ``group`` gives the machines of an endpoint; ``why_not_free`` asks one who sits at it ("" if nobody does);
    ``sanitize`` removes what the users of a target's tenure left, and verifies; it asks the given fence before each
    change. ``wake`` has one on that can be switched. All block.
    """

    name = NAME
    traits = TRAITS

    def __init__(
        self,
        group: Callable[[str], Sequence[Computer]],
        why_not_free: Callable[[Computer], str],
        sanitize: Callable[[Target, Callable[[], None]], None],
        wake: Callable[[Computer, StepContext], None],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._group = group
        self._why_not_free = why_not_free
        self._sanitize = sanitize
        self._wake = wake
        self._answer_seconds = answer_seconds

    def survey(self, endpoint: str) -> Inventory:
        """Which machines of the group are free now. They have no capacity: each is claimed as a whole."""
        machines = self._group(endpoint)
        with ThreadPoolExecutor(LOOKS_AT_ONCE, "lab machine") as pool:
            hosts = tuple(pool.map(self._host, machines))
        return Inventory(endpoint, datetime.now(UTC), hosts)

    def _host(self, machine: Computer) -> HostFacts:
        why_not = self._why_not(machine)
        return HostFacts(machine.name, 0, 0, usable=not why_not, why_not=why_not)

    def _why_not(self, machine: Computer) -> str:
        """Its holder may be logged in at it; the tenure keeps all others away. One that was switched off since nobody
        needs it is switched on for whoever does."""
        if machine.holder or machine.state is ComputerState.MAINTENANCE or machine.off_since:
            return ""
        try:
            self._knock(machine)
            return self._why_not_free(machine)
        except VclabError as error:
            return str(error)

    def node_status(self, target: Target) -> NodeStatus:
        """Whether it answers. Only the guest knows what is inside, and nothing can be loaded."""
        try:
            self._knock(self._machine(target))
        except (Unreachable, StepFailed) as error:
            return NodeStatus(Status.POST_LOAD, "unknown", False, "", str(error))
        return NodeStatus(Status.POST_LOAD, "on", True, "", "it answers; what is inside is not known yet")

    def whereabouts(self, target: Target) -> Whereabouts:
        """Its owner may have given it another address; no more is known."""
        return Whereabouts(self._machine(target).private_address)

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """Always the same, but that one which does not answer is switched on, if it can be: nothing that was found
        earlier makes a later look needless."""
        if not target.guest:
            raise StepFailed(f"{target.computer}: a lab machine needs a guest, which prepares it")
        known = (each for each in self._group(target.endpoint) if each.name == target.computer)
        switched = status.power != "on" and any(can_be_switched(each.power, TRAITS) for each in known)
        return Plan(
            ((_WAKE,) if switched else ())
            + (_CHECK, *(replace(step, name=f"{target.guest}.{step.name}") for step in _GUEST)),
            status,
        )

    def evidence(self, target: Target) -> Evidence:
        """Whether it answers; that it is on is known only then."""
        try:
            machine = self._machine(target)
            self._knock(machine)
        except (Unreachable, StepFailed) as error:
            return Evidence("unknown", (f"{target.computer}: {error}",))
        return Evidence("on", (f"{target.computer} answers at {machine.private_address}, port {SSH_PORT}",))

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's own steps by recorded name."""
        return {_WAKE.name: self._switch_on, _CHECK.name: self._check}

    def _switch_on(self, context: StepContext, given: StepInput) -> Facts:
        self._wake(self._machine(given.target), context)
        return Facts()

    def _check(self, context: StepContext, given: StepInput) -> Facts:
        """Its address and pinned host key. Raises ``NotYet`` for a minute or more while it does not answer,
        ``StepFailed`` then. Looks are counted, not seconds: a clock that is put right must not end a wait."""
        machine = self._machine(given.target)
        looks = int(context.remembered.get("looks", "0")) + 1
        context.remember(looks=str(looks))
        try:
            self._knock(machine)
        except Unreachable as error:
            waits = NotYet(str(error))
            if looks * waits.next_look_seconds > WAIT_SECONDS:
                raise StepFailed(f"{error}, {looks} times: is it on?") from None
            raise waits from None
        known = (machine.private_address, machine.host_key, machine.host_key_from)
        return Facts(private_address=known[0], host_key=known[1], host_key_from=known[2])

    def remove(self, context: StepContext, target: Target) -> None:
        """Take it back: sanitize it. Raises ``StepFailed``, which names what is left; then it goes out of service."""
        context.fence()
        context.progress(f"sanitizing {target.computer}")
        self._sanitize(target, context.fence)

    def close(self) -> None:
        """Nothing is open."""

    def _machine(self, target: Target) -> Computer:
        found = [machine for machine in self._group(target.endpoint) if machine.name == target.computer]
        if not found:
            raise StepFailed(f"{target.computer} is no longer a machine of {target.endpoint}")
        return found[0]

    def _knock(self, machine: Computer) -> None:
        """Raise ``Unreachable`` unless its SSH port is open, ``StepFailed`` when its address is unknown."""
        if not machine.private_address:
            raise StepFailed(
                f"the address of {machine.name} is unknown", f"vclab computer add {machine.name} --group … --address …"
            )
        try:
            with contextlib.closing(
                socket.create_connection((machine.private_address, SSH_PORT), self._answer_seconds)
            ):
                pass
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise Unreachable(f"it does not answer SSH at {machine.private_address}: {reason}") from None


def build(surroundings: Surroundings) -> Standalone:
    """The driver."""
    return Standalone(surroundings.group, surroundings.why_not_free, surroundings.sanitize, surroundings.wake)


KIND = Kind(NAME, TRAITS, build, computer_needs=(Need.ADDRESS,))
