"""The driver: what a group of nodes is, how one stands, what its loads are. The steps: ``booting``, ``inspecting``,
``writing``, ``capturing``."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from vclab.model.catalog import Computer
from vclab.model.errors import Interrupted, StepFailed, Unreachable, VclabError
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Evidence, NodeStatus, Plan, Status, Target, Whereabouts
from vclab.model.steps import BlockingStep, StepContext, Unattended
from vclab.power.base import PowerState
from vclab.power.control import CONSOLES
from vclab.provisioning.bare_metal import NAME, TRAITS, plans
from vclab.provisioning.bare_metal.booting import Booting
from vclab.provisioning.bare_metal.capturing import Capturing
from vclab.provisioning.bare_metal.imaging import load_name
from vclab.provisioning.bare_metal.inspecting import Inspecting
from vclab.provisioning.bare_metal.nodes import Node, Nodes
from vclab.provisioning.bare_metal.writing import Writing
from vclab.provisioning.kind import Metal

SSH_PORT = 22
ANSWER_SECONDS = 1.5  #: within which a computer in the same building accepts a connection
CONSOLE_SECONDS = 2.0  #: that its console is listened to for evidence
EVIDENCE_SECONDS = 6.0  #: that a BMC has for evidence: who gathers it waits ten


class Hurried(Unattended):
    """Work without a tenure that ends after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def cancelled(self) -> bool:  # type: ignore[override]
        """True when the time is over."""
        return time.monotonic() > self._until


class BareMetal:
    """A ``ProvisioningModule`` and a ``Sealer``. Thread-safe; holds nothing open. ``group`` gives the nodes of
    an endpoint; without ``metal`` this worker drives none, and says so."""

    name = NAME
    traits = TRAITS

    def __init__(
        self, installation: str, group: Callable[[str], Sequence[Computer]], metal: Metal | None = None
    ) -> None:
        self._nodes = Nodes(installation, group, metal)
        booting = Booting(self._nodes)
        self._capturing = Capturing(self._nodes, booting)
        drivers = booting, Inspecting(self._nodes), Writing(self._nodes), self._capturing
        self._steps = {name: step for each in drivers for name, step in each.steps().items()}

    def survey(self, endpoint: str) -> Inventory:
        """The nodes of the group, each claimed as a whole. That their BMCs answer, the health check sees."""
        found = self._nodes.group(endpoint)
        hosts = ((each, self._nodes.why_not(each)) for each in found)
        return Inventory(
            endpoint,
            datetime.now(UTC),
            tuple(HostFacts(each.name, 0, 0, usable=not why, why_not=why) for each, why in hosts),
        )

    def node_status(self, target: Target) -> NodeStatus:
        """By its BMC and its SSH port. Which image it holds only its own system says, which the guest asks."""
        node = self._nodes.of(target)
        try:
            seen = node.power(lambda power, bmc: power.status(bmc, Unattended()))
        except (Unreachable, StepFailed) as error:  # the first step of the load says so, and another node is taken
            return replace(self._set_to(node, target), why=error.message)
        status = replace(self._set_to(node, target), power=str(seen.state), ping=False, ssh=False)
        if seen.state is PowerState.OFF and target.kept:
            return replace(status, status=Status.POST_LOAD, why="it is off, and holds the image by its record")
        if seen.state is PowerState.OFF:
            return replace(status, why="it is off; what it holds is not known")
        ping, ssh = _answers(node.computer)
        status = replace(status, ping=ping, ssh=ssh)
        if ssh:
            return replace(status, status=Status.POST_LOAD, why="it answers; what it holds is not known yet")
        return replace(status, why=f"it is {seen.state}, and does not answer")

    def _set_to(self, node: Node, target: Target) -> NodeStatus:
        """What the network has it set to."""
        try:
            state = self._nodes.netboot(lambda netboot: netboot.state(node.mac))
            is_ours = self._nodes.netboot(lambda netboot: netboot.load(node.mac)) == load_name(target)
        except (Unreachable, StepFailed):
            return NodeStatus()
        return NodeStatus(boots=str(state), boots_image=f"{target.image}/{target.revision}" if is_ours else "")

    def whereabouts(self, target: Target) -> Whereabouts:
        """Its address is fixed. Only a BMC that says so makes it off."""
        node = self._nodes.of(target)
        try:
            seen = node.power(lambda power, bmc: power.status(bmc, Unattended()))
        except (Unreachable, StepFailed) as error:
            return Whereabouts(node.computer.private_address, trouble=error.message)
        if seen.state is PowerState.OFF:
            return Whereabouts(node.computer.private_address, f"{target.computer} is off", off=True)
        return Whereabouts(node.computer.private_address)

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """RELOAD: everything; else it is switched on, if need be, and prepared: the password of root is of a tenure."""
        return self._given_time(target, plans.load_plan(target, status, self._nodes.shared))

    def _given_time(self, target: Target, plan: Plan) -> Plan:
        """As long as its disks and the image need."""
        disk = self._nodes.largest_disk(target) or plans.UNRECORDED
        return replace(plan, steps=plans.given_time(plan.steps, target.disk_gb << 30, disk))

    def inspect(self, target: Target, status: NodeStatus) -> Plan:
        """In the imaging environment, as a load begins."""
        return plans.inspection_plan(status, self._nodes.shared)

    def capture(self, target: Target) -> Plan:
        """Shut it down, and read its disk in the imaging environment."""
        return self._given_time(target, plans.capture(target))

    def hand_back(self, target: Target) -> Plan:
        """Start it from its disk again."""
        return plans.hand_back(target)

    def seal(self, target: Target) -> Plan:
        """Write what was captured to another node, seal it there, and read that node's disk."""
        return self._given_time(target, plans.seal(target, self._nodes.shared))

    def boot_test(self, target: Target) -> Plan:
        """Load what was sealed as for a user."""
        return self._given_time(target, plans.boot_test(target, self._nodes.shared))

    def publish(self, target: Target) -> Plan:
        """What was sealed becomes its revision's."""
        return plans.publish(target)

    def captures(self, endpoint: str) -> Sequence[str]:
        """The captures that have disks in the site's repositories which are not published."""
        return self._capturing.there()

    def forget_capture(self, endpoint: str, capture: str) -> None:
        """Delete the disks of a capture that is over."""
        self._capturing.forget(capture)

    def evidence(self, target: Target) -> Evidence:
        """What its BMC says, what the network has for it and what it asked there for, whether it answers, and what it
        says on its serial console."""
        node, hurried = self._nodes.of(target), Hurried(EVIDENCE_SECONDS)
        power = "unknown"
        lines: list[str] = []
        missing: list[str] = []

        def look(asked: Callable[[], Iterable[str]]) -> None:
            try:
                lines.extend(asked())
            except Interrupted:
                missing.append(f"the BMC of {target.computer}: no answer within {EVIDENCE_SECONDS:.0f} s")
            except VclabError as error:
                missing.append(error.message)

        def of_bmc() -> Iterator[str]:
            nonlocal power
            seen = node.power(lambda power, bmc: power.status(bmc, hurried))
            power = str(seen.state)
            yield f"its BMC says that it is {seen.state}{f' ({seen.why})' if seen.why else ''}"
            boot = node.power(lambda power, bmc: power.boot_device(bmc, hurried))
            yield f"its BMC says that it boots from {boot.device}{' the next time' if boot.once else ''}"

        look(lambda: [f"the provisioning network has it set to {self._nodes.netboot(lambda net: net.state(node.mac))}"])
        look(lambda: [f"on the provisioning network: {line}" for line in self._nodes.seen(node)])
        look(of_bmc)
        console: tuple[str, ...] = ()
        if power != PowerState.UNKNOWN and node.bmc.address.scheme in CONSOLES:
            try:
                console = node.power(lambda power, bmc: power.console(bmc, CONSOLE_SECONDS, hurried))
            except VclabError as error:
                missing.append(error.message)
        lines.append(f"{node.address}, port {SSH_PORT}: {'answers' if _answers(node.computer)[1] else 'no answer'}")
        return Evidence(power, tuple(lines), console, tuple(missing))

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's steps by recorded name."""
        return self._steps

    def remove(self, context: StepContext, target: Target) -> None:
        """Take it back: off, so that nobody gets in and nothing goes on being written. What it holds is not known any
        more; only a load makes it usable again, and cleans it."""
        node = self._nodes.of(target)
        context.fence()
        context.progress(f"switching {target.computer} off")
        try:
            node.power(lambda power, bmc: power.off(bmc, context))
        except (Unreachable, StepFailed):  # whatever its BMC does, nothing is served to it any more
            self._serve_nothing(node)
            raise
        self._serve_nothing(node)

    def _serve_nothing(self, node: Node) -> None:
        if self._nodes.has_network:
            self._nodes.serve_nothing(node)

    def power_status(self, target: Target) -> str:
        """ "on", "off" or "unknown"."""
        return str(self._nodes.of(target).power(lambda power, bmc: power.status(bmc, Unattended())).state)

    def power_on(self, context: StepContext, target: Target) -> None:
        """Harmless when it is on."""
        self._nodes.of(target).power(lambda power, bmc: power.on(bmc, context))

    def power_off(self, context: StepContext, target: Target) -> None:
        """Hard. Harmless when it is off."""
        self._nodes.of(target).power(lambda power, bmc: power.off(bmc, context))

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Hard; one that is off is switched on."""
        self._nodes.of(target).power(lambda power, bmc: power.reset(bmc, context))

    def close(self) -> None:
        """Nothing is open."""


def _answers(computer: Computer) -> tuple[bool | None, bool | None]:
    """Whether its address answers, and whether its SSH port is open; None: that can't be told."""
    if not computer.private_address:
        return None, None
    try:
        socket.create_connection((computer.private_address, SSH_PORT), ANSWER_SECONDS).close()
    except ConnectionRefusedError:  # which its own system has said
        return True, False
    except TimeoutError:  # or a firewall drops it
        return None, False
    except OSError:
        return False, False
    return True, True
