"""The driver: what a group of nodes is, how one stands, what its loads are. The steps: ``booting``, ``writing``."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from vclab.model.catalog import Computer
from vclab.model.errors import Interrupted, StepFailed, Unreachable, VclabError
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Evidence, NodeStatus, Plan, Status, Target, Whereabouts
from vclab.model.steps import BlockingStep, StepContext, Unattended
from vclab.netboot.values import State
from vclab.power.base import PowerState, Seen
from vclab.provisioning.bare_metal import NAME, TRAITS, plans
from vclab.provisioning.bare_metal.booting import Booting
from vclab.provisioning.bare_metal.nodes import Node, Nodes
from vclab.provisioning.bare_metal.writing import Writing
from vclab.provisioning.kind import Metal

SSH_PORT = 22
ANSWER_SECONDS = 1.5  #: within which a computer in the same building accepts a connection
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
    """A ``ProvisioningModule``. Thread-safe; holds nothing open. ``group`` gives the nodes of an endpoint; without
    ``metal`` this worker drives none, and says so."""

    name = NAME
    traits = TRAITS

    def __init__(
        self, installation: str, group: Callable[[str], Sequence[Computer]], metal: Metal | None = None
    ) -> None:
        self._nodes = Nodes(installation, group, metal)
        self._steps = {**Booting(self._nodes).steps(), **Writing(self._nodes).steps()}

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
        """By its BMC, its SSH port and what was loaded last. What its own system says the guest is asked."""
        node = self._nodes.of(target)
        seen = node.power(lambda power, bmc: power.status(bmc, Unattended()))
        answers = _answers(node.computer) if seen.state is not PowerState.OFF else False
        status, why = _stands(node.computer, target, seen)
        computer = node.computer
        image = f"{computer.image}/{computer.revision}" if computer.image else ""
        return NodeStatus(status, str(seen.state), answers, image, why)

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
        return plans.load_plan(target, status, self._nodes.shared)

    def evidence(self, target: Target) -> Evidence:
        """What its BMC says, what the network has for it and what it asked there for, and whether it answers."""
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
        lines.append(f"{node.address}, port {SSH_PORT}: {'answers' if _answers(node.computer) else 'no answer'}")
        return Evidence(power, tuple(lines), missing=tuple(missing))

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
            self._nodes.netboot(lambda netboot: netboot.set(node.mac, State.BOOT))

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


def _stands(computer: Computer, target: Target, seen: Seen) -> tuple[Status, str]:
    if not computer.image:
        return Status.RELOAD, f"what {computer.name} holds is not known"
    if (computer.image, computer.revision) != (target.image, target.revision):
        return Status.RELOAD, f"it holds {computer.image}, revision {computer.revision}"
    if computer.tainted:
        return Status.RELOAD, "somebody was logged in since it was loaded"
    if seen.state is PowerState.OFF:
        return Status.POST_LOAD, "it holds the image, and is off"
    return Status.POST_LOAD, "it holds the image; what its system says is not known yet"


def _answers(computer: Computer) -> bool | None:
    """Whether its SSH port is open; None: nobody knows its address."""
    if not computer.private_address:
        return None
    with contextlib.suppress(OSError):
        socket.create_connection((computer.private_address, SSH_PORT), ANSWER_SECONDS).close()
        return True
    return False
