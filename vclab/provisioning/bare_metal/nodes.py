"""The nodes of the module: what is recorded of each, and what drives them. The errors of those parts are made the
house's: what may pass is ``Unreachable``, all else ``StepFailed``."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from vclab.library.repository import Repository
from vclab.model.catalog import Computer
from vclab.model.errors import Failed, Invalid, NotFound, NotOurs, Refused, StepFailed, Unreachable, VclabError
from vclab.model.nodes import NodeReport, report_of
from vclab.model.plans import Target
from vclab.netboot import log
from vclab.netboot import nodes as netboot
from vclab.netboot.dnsmasq import Network
from vclab.netboot.values import Node as Machine
from vclab.netboot.values import State
from vclab.power.address import parse
from vclab.power.base import Bmc
from vclab.power.control import Power
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.kind import Metal

T = TypeVar("T")


@dataclass(frozen=True)
class Node:
    """One node, as it is recorded now."""

    computer: Computer
    data: NodeData
    bmc: Bmc
    _power: Power

    @property
    def mac(self) -> str:
        """Of the card that it boots from."""
        return self.computer.private_mac

    @property
    def address(self) -> str:
        """In the provisioning network, and that of its own system."""
        return self.computer.private_address

    @property
    def by_efi(self) -> bool:
        """Whether its firmware boots by UEFI: as it must, else as it is recorded, else supposed."""
        return (self.data.firmware or _recorded(self.computer).firmware) != "bios"

    def power(self, work: Callable[[Power, Bmc], T]) -> T:
        """Ask or tell its BMC. Raises as ``Power`` does."""
        return work(self._power, self.bmc)


class Nodes:
    """Finds them, with what drives them."""

    def __init__(self, installation: str, group: Callable[[str], Sequence[Computer]], metal: Metal | None) -> None:
        self.installation = installation
        self.group = group
        self._metal = metal

    @property
    def shared(self) -> bool:
        """Whether tenants are in the provisioning network."""
        return self._metal is not None and self._metal.shared

    @property
    def has_network(self) -> bool:
        """Whether this worker has a provisioning network."""
        return self._metal is not None and self._metal.network is not None

    @property
    def metal(self) -> Metal:
        """What drives them. Raises ``StepFailed``."""
        if self._metal is None:
            raise StepFailed("this worker drives no bare metal")
        return self._metal

    def why_not(self, computer: Computer) -> str:
        """What is not recorded of a node, and so it can't be loaded; empty: nothing."""
        missing = {
            "the MAC of the card that it boots from (--mac)": not computer.private_mac,
            "its address (--address)": not computer.private_address,
            "its BMC (--bmc)": not computer.power,
        }
        lacking = [what for what, is_missing in missing.items() if is_missing]
        return f"nobody has said {' and '.join(lacking)}" if lacking else ""

    def largest_disk(self, target: Target) -> int:
        """The bytes of the node's largest disk, as it is recorded; 0: it is not."""
        nodes = (each for each in self.group(target.endpoint) if each.name == target.computer)
        return max((disk.size for node in nodes for disk in _recorded(node).disks), default=0)

    def of(self, target: Target) -> Node:
        """The target's node. Raises ``NotOurs`` and ``StepFailed``."""
        if target.installation != self.installation:
            raise NotOurs(f"{target.computer} is of the installation {target.installation}")
        group = self.group(target.endpoint)
        found = next((each for each in group if each.name == target.computer), None)
        if found is None:
            raise StepFailed(f"{target.computer} is no longer a node of {target.endpoint}")
        if why_not := self.why_not(found):
            raise StepFailed(f"{found.name} can't be used: {why_not}", f"say it by `vclab computer add {found.name} …`")
        if why_not := self._shared_with(found, group):
            raise StepFailed(f"{found.name} can't be used: {why_not}", f"vclab computer edit {found.name} …")
        at = self.metal.switched(found.name)
        bmc = Bmc(found.name, parse(at.address), at.password_ref, at.fingerprint)
        return Node(found, NodeData.of(found.module_data, found.name), bmc, self.metal.power)

    def _shared_with(self, node: Computer, group: Sequence[Computer]) -> str:
        """What another node is recorded with too, and so the network can't tell them apart; empty: nothing."""
        for other in group:
            what = ""
            if other.private_mac == node.private_mac:
                what = f"the same MAC, {node.private_mac}"
            elif other.private_address == node.private_address:
                what = f"the same address, {node.private_address}"
            if what and self.metal.switched(other.name) != self.metal.switched(node.name):
                return f"{other.name} has {what}"
        return ""

    @property
    def network(self) -> Network:
        """The provisioning network. Raises ``StepFailed`` where there is none."""
        if self.metal.network is None:
            raise StepFailed(
                "this worker has no provisioning network", "set [netboot] in its settings (docs/bare-metal.md)"
            )
        return self.metal.network

    def netboot(self, work: Callable[[netboot.Nodes], T]) -> T:
        """Ask or tell the provisioning network. Raises as ``network``."""
        with housed():
            return work(netboot.Nodes(self.network.root))

    def enlist(self, node: Node) -> None:
        """DHCP knows it, with the address that is recorded. Raises as ``netboot``."""
        machine = Machine(node.mac, node.computer.name, node.address)
        self.netboot(lambda netboot: netboot.enlist(self.network, machine))

    def serve_nothing(self, node: Node) -> None:
        """The network serves it no imaging environment any more, and the key of its load is gone. Raises as
        ``netboot``."""
        self.netboot(lambda netboot: netboot.set(node.mac, State.BOOT))

    def seen(self, node: Node) -> list[str]:
        """What the node has asked the provisioning network for, the newest last. Raises as ``netboot``."""
        network = self.metal.network
        if network is None or network.log is None:
            return []
        with housed():
            return log.seen(network.log, node.mac)

    def last_seen(self, node: Node) -> str:
        """The last of that, to be put behind a text; empty when nothing is known."""
        with suppress(VclabError):
            if seen := self.seen(node):
                return f"; on the provisioning network it {_said_of(seen[-1])}"
        return ""

    def repository(self, target: Target) -> Repository:
        """One that has the target's image: the first that answers. Raises ``StepFailed`` when none has it,
        ``Unreachable``."""
        folders = list(self.metal.repositories(target))
        if not folders:
            raise StepFailed(
                f"no repository of the site {target.site} has {target.image}, revision {target.revision}",
                "bring it there: vclab image copy",
            )
        for folder in folders[:-1]:
            with suppress(Refused, Unreachable):
                return Repository(folder)
        return Repository(folders[-1])


def _recorded(computer: Computer) -> NodeReport:
    """What is recorded of its hardware; empty: nothing is."""
    return report_of(json.loads(computer.hardware or "{}"))


def _said_of(line: str) -> str:
    at, _, said = line.partition(" ")
    return f"{said} ({at})" if ":" in at else line


@contextmanager
def housed() -> Iterator[None]:
    """The errors of the provisioning network as a step's."""
    try:
        yield
    except Failed as error:
        raise Unreachable(error.message, error.hint) from None
    except (Invalid, NotFound, Refused) as error:
        raise StepFailed(error.message, error.hint) from None
