"""A node that is not in the imaging environment when it should be: why, and how it gets back there.

Its disk holds all that was written, and the network goes on serving the environment of its load until the load is over:
a node whose power was cut is started from the network again, and the step goes on where it was.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vclab.imaging.sender import Node as There
from vclab.model.errors import NotYet, StepFailed, Unreachable, VclabError
from vclab.model.plans import StepInput
from vclab.model.steps import StepContext
from vclab.power.base import Boot, BootDevice, PowerState
from vclab.provisioning.bare_metal import imaging
from vclab.provisioning.bare_metal.nodes import Node, Nodes

SILENT_SECONDS = 300.0
"""Firmware of servers takes minutes; one that is on and silent for longer hangs."""
MOST_RESTARTS = 2
"""In one step."""
ASKED_EVERY = 20.0
"""Seconds: so often a look asks the BMC whether the node is on."""
_RESTARTS, _SINCE, _ASKED = "restarts", "silent-since", "bmc-asked"


def start_from_network(node: Node, context: StepContext) -> None:
    """Off; then the boot device, which many BMCs keep for a minute only (IPMI 2.0, 28.13); and on at once."""
    node.power(lambda power, bmc: power.off(bmc, context))
    network = Boot(BootDevice.NETWORK, once=True, efi=node.by_efi)
    node.power(lambda power, bmc: power.set_boot_device(bmc, network, context))
    node.power(lambda power, bmc: power.on(bmc, context))


@contextmanager
def environment(nodes: Nodes, context: StepContext, given: StepInput, disk: str = "") -> Iterator[There]:
    """The imaging environment of a step's load; a node that is lost meanwhile is got back. ``disk``: which is worked
    on; empty: the one that is known."""
    node, key, began = nodes.of(given.target), nodes.metal.ssh_key, time.monotonic()
    expected = imaging.expected(node, given)
    try:
        with imaging.reached(expected, key, disk or given.facts.disk) as there:
            yield there
    except Unreachable as error:
        raise Returning(node, expected, key, context).lost(error, began) from None


@dataclass(frozen=True)
class Returning:
    """Gets one node back, in one step of its load."""

    node: Node
    expected: imaging.Expected
    ssh_key: Path
    context: StepContext

    def lost(self, error: Unreachable, began: float) -> VclabError:
        """What became of an attempt that began at ``began`` (``time.monotonic``) and has lost the node: to be raised.
        The error itself, when the node is there."""
        try:
            imaging.look(self.expected, self.ssh_key)
        except NotYet as silence:
            if time.monotonic() - began > SILENT_SECONDS / 2:  # it was there in this attempt
                self._silent_from_now()
            return Unreachable(f"{error.message}; {self._seen_to(silence)}")
        return error

    def awaited(self, silence: NotYet) -> NotYet:
        """What a look says that has not found it: to be raised."""
        if time.time() - self._number(_ASKED) < ASKED_EVERY and not isinstance(silence, imaging.OtherSystem):
            return silence
        self.context.remember(**{_ASKED: f"{time.time():.0f}"})
        return NotYet(self._seen_to(silence), silence.next_look_seconds)

    def _seen_to(self, silence: NotYet) -> str:
        """Start it again if that is needed: why it is silent, and what was done. Raises ``StepFailed`` when that has
        not helped, and what ``Power`` raises; a BMC that does not answer is told."""
        try:
            return self._started_if_lost(silence)
        except Unreachable as error:
            return f"{silence}; {error.message}"

    def _started_if_lost(self, silence: NotYet) -> str:
        why = self._why_lost(silence)
        if not why:
            return f"{silence}; its BMC says that it is on"
        restarts = int(self._number(_RESTARTS))
        if restarts >= MOST_RESTARTS:
            raise StepFailed(
                f"{why}; it was started from the network {restarts} times in this step",
                "look at its console and its power, and whether its firmware boots from the network first",
            )
        self.context.progress(f"{why}: starting it from the network again")
        self.context.fence()
        start_from_network(self.node, self.context)
        self.context.remember(**{_RESTARTS: str(restarts + 1)})
        self._silent_from_now()
        return f"{why}; it was started from the network again"

    def _why_lost(self, silence: NotYet) -> str:
        """Why it won't come back by itself; empty: it may."""
        if isinstance(silence, imaging.OtherSystem):
            return str(silence)
        name = self.node.computer.name
        if self.node.power(lambda power, bmc: power.status(bmc, self.context)).state is PowerState.OFF:
            return f"{name} is off, says its BMC: its power was cut, or somebody has switched it off"
        since = self._number(_SINCE)
        if not since:
            self._silent_from_now()
        elif (silent := time.time() - since) > SILENT_SECONDS:
            return f"{name} is on, says its BMC, and has not answered for {silent:.0f} s"
        return ""

    def _silent_from_now(self) -> None:
        self.context.remember(**{_SINCE: f"{time.time():.0f}"})

    def _number(self, name: str) -> float:
        text = self.context.remembered.get(name, "")
        return float(text) if text.isdecimal() else 0.0
