"""The steps that start a node: into the imaging environment, and into its own system."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncssh

from vclab.model.errors import NotYet, StepFailed, Unreachable
from vclab.model.plans import Facts, StepInput
from vclab.model.steps import BlockingStep, StepContext
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.nodes import Load
from vclab.netboot.nodes import Nodes as Netboot
from vclab.netboot.values import State
from vclab.power.base import Boot, BootDevice, LoginRefused
from vclab.provisioning.bare_metal import imaging, plans
from vclab.provisioning.bare_metal.disks import written
from vclab.provisioning.bare_metal.nodes import Nodes, housed
from vclab.provisioning.bare_metal.returning import Returning, start_from_network

TRIES = 3
"""After so many in vain a BMC counts as dead."""
_SSH_SECONDS = 5.0
_LOOK = 2.0  #: seconds until it is looked again whether a system answers


class Booting:
    """What these steps do. Each may be cut off anywhere, and run again."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def steps(self) -> Mapping[str, BlockingStep]:
        """By recorded name."""
        return {
            plans.CHECK_BMC.name: self._check_bmc,
            plans.SET_NETWORK.name: self.set_network,
            plans.BOOT_NETWORK.name: self.boot_network,
            plans.AWAIT_IMAGING.name: self.await_imaging,
            plans.BOOT_DISK.name: self.boot_disk,
            plans.POWER_ON.name: self._power_on,
            plans.POWER_OFF.name: self._power_off,
            plans.LEAVE_NETWORK.name: self._leave_network,
            plans.AWAIT_SYSTEM.name: self._await_system,
        }

    def _check_bmc(self, context: StepContext, given: StepInput) -> Facts:
        """It answers, and can be told what to boot from; the image is where it can be read from. A BMC that does not
        answer ``TRIES`` times fails the load: whoever waits gets another node."""
        node = self._nodes.of(given.target)
        tries = int(context.remembered.get("tries", "0")) + 1
        context.remember(tries=str(tries))
        try:
            boot = node.power(lambda power, bmc: power.boot_device(bmc, context))
        except LoginRefused as error:  # it is not tried again: BMCs lock accounts
            raise StepFailed(error.message, error.hint) from None
        except Unreachable as error:
            if tries < TRIES:
                raise
            raise StepFailed(f"{error.message}, {tries} times", error.hint) from None
        context.progress(f"its BMC answers; it boots from {boot.device}")
        if given.target.image:  # of an inspection there is none
            written(self._nodes, given)
        return Facts()

    def set_network(self, context: StepContext, given: StepInput) -> Facts:
        """The node boots the imaging environment with a host key of this load. A repeated attempt makes another one."""
        node, name = self._nodes.of(given.target), imaging.load_name(given.target)
        private, public = new_host_key()
        with housed():
            initrd = load_initrd(private, [_public_key(self._nodes.metal.ssh_key)], name)

        def prepare(netboot: Netboot) -> None:
            load = Load(netboot.environment(), name, initrd)
            context.fence()
            self._nodes.enlist(node)
            netboot.set(node.mac, State.IMAGE, load)

        self._nodes.netboot(prepare)
        return Facts(imaging_key=public)

    def boot_network(self, context: StepContext, given: StepInput) -> Facts:
        """Off, and on from the network."""
        start_from_network(self._nodes.of(given.target), context)
        return Facts()

    def await_imaging(self, context: StepContext, given: StepInput) -> Facts:
        """It shows the host key of this load, and has booted from the node's card. Raises ``NotYet`` until then."""
        node, key = self._nodes.of(given.target), self._nodes.metal.ssh_key
        expected = imaging.expected(node, given)
        try:
            imaging.look(expected, key)
        except NotYet as silence:
            said = Returning(node, expected, key, context).awaited(silence)
            raise type(said)(f"{said}{self._nodes.last_seen(node)}", said.next_look_seconds) from None
        context.progress(f"the imaging environment answers at {node.address}")
        return Facts()

    def boot_disk(self, context: StepContext, given: StepInput) -> Facts:
        """The network serves it nothing any more, and the key of its load is gone."""
        node = self._nodes.of(given.target)
        context.fence()
        self._nodes.serve_nothing(node)
        node.power(lambda power, bmc: power.off(bmc, context))
        disk = Boot(BootDevice.DISK, once=False, efi=node.by_efi)
        # Where only the next boot can be set, the network serves nothing at later ones, and the disk comes after it.
        node.power(lambda power, bmc: power.set_boot_device(bmc, disk, context, or_once=True))
        node.power(lambda power, bmc: power.on(bmc, context))
        return Facts(private_address=node.address)

    def _leave_network(self, context: StepContext, given: StepInput) -> Facts:
        """What the node runs now it goes on running."""
        node = self._nodes.of(given.target)
        context.fence()
        self._nodes.serve_nothing(node)
        return Facts()

    def _power_off(self, context: StepContext, given: StepInput) -> Facts:
        node = self._nodes.of(given.target)
        node.power(lambda power, bmc: power.off(bmc, context))
        return Facts()

    def _power_on(self, context: StepContext, given: StepInput) -> Facts:
        """DHCP gives it the address that is recorded: it may have got another one since its load."""
        node = self._nodes.of(given.target)
        if self._nodes.has_network:
            context.fence()
            self._nodes.enlist(node)
        node.power(lambda power, bmc: power.on(bmc, context))
        return Facts(private_address=node.address)

    def _await_system(self, context: StepContext, given: StepInput) -> Facts:
        """Whoever shows the key of the imaging environment has not restarted yet. Raises ``NotYet`` until then."""
        node = self._nodes.of(given.target)
        shown = _shown_key(node.address)
        name, last = node.computer.name, self._nodes.last_seen(node)
        if not shown:
            raise NotYet(f"{name} does not answer at {node.address} yet{last}", _LOOK)
        if shown == given.facts.imaging_key:
            text = f"{name} is in the imaging environment, not in its own system: it has booted from the network"
            raise NotYet(f"{text}{last}", _LOOK)
        return Facts(private_address=node.address)


def _public_key(private: Path) -> str:
    try:
        key = asyncssh.read_private_key(private)
    except (OSError, ValueError) as error:  # asyncssh's errors of keys are of ValueError
        why = error.strerror if isinstance(error, OSError) else error
        raise StepFailed(
            f"the management node's key {private} can't be read: {why}", "ssh_key in the worker's settings names it"
        ) from None
    return key.export_public_key("openssh").decode().strip()


def _shown_key(address: str) -> str:
    """The host key that is shown there; empty: nobody answers."""

    async def ask() -> asyncssh.SSHKey | None:
        async with asyncio.timeout(_SSH_SECONDS):
            return await asyncssh.get_server_host_key(address, server_host_key_algs=["ssh-ed25519"], config=None)

    try:
        key = asyncio.run(ask())
    except (OSError, TimeoutError, asyncssh.Error):
        return ""
    return " ".join(key.export_public_key("openssh").decode().split()[:2]) if key else ""
