"""The lab's bare metal: its nodes with their BMCs, and the provisioning network from which they boot."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from vclab.lab import bmcs, passwords
from vclab.lab.layout import METAL, PUBLIC, SUBNETS, Layout
from vclab.lab.machines import Card
from vclab.lab.network import NETNS
from vclab.lab.nodes import Chassis, Hardware, Place
from vclab.lab.parts import DIES_WITH_US, Part, inside
from vclab.lab.serial_port import SerialPort
from vclab.lab.stock import BMC_USER, NODE_DISK_BYTES, NODES, StockNode
from vclab.netboot import dnsmasq, nodes
from vclab.netboot.dnsmasq import Network
from vclab.netboot.environment import Environment

_SUBNET = next(net for net in SUBNETS if net.bridge == METAL)
_DHCP = "dnsmasq-metal"
_SERIAL = 6300
"""The port of a node's serial port, at its BMC's address."""
_ADDRESS = f"{_SUBNET.management}/{_SUBNET.prefix}"


def network(layout: Layout) -> Network:
    """The provisioning network, as the product knows it."""
    return Network(METAL, _ADDRESS, layout.netboot_link, leases=layout.run / "metal-leases")


def settings(layout: Layout) -> dict[str, Any]:
    """The same for the product's settings."""
    root, log = str(layout.netboot_link), str(layout.netboot_log_link)
    return {"interface": METAL, "address": _ADDRESS, "root": root, "log": log}


def prepare(layout: Layout) -> None:
    """Folders and files of nodes and network; what is there stays as it is."""
    layout.netboot.mkdir(exist_ok=True)
    layout.netboot.chmod(0o750)
    nodes.prepare(layout.netboot)
    layout.netboot_configuration.write_text(dnsmasq.configuration(network(layout)))
    for stock in NODES:
        node = bmcs.Node(layout.nodes / stock.name, stock.name, stock.bmc_address, stock.bmc_port)
        if not node.folder.is_dir():
            node.make()
            bmcs.write(node.folder / "boot", bmcs.REDFISH_USUAL if stock.redfish else bmcs.IPMI_USUAL)


def publish(layout: Layout, environment: Environment) -> None:
    """Have the imaging environment where nodes are given it. Raises ``Failed``."""
    nodes.publish(layout.netboot, environment)


def parts(layout: Layout) -> Iterator[Part]:
    """The servers: DHCP and TFTP, and a BMC for each node. Raises ``LabError``."""
    log = layout.logs / f"{_DHCP}.log"
    links = (layout.nodes_link, layout.nodes), (layout.netboot_link, layout.netboot), (layout.netboot_log_link, log)
    for link, place in links:
        link.symlink_to(place)
    keeper = (sys.executable, "-m", "vclab.netboot.serving", f"--root={layout.netboot}")
    leases = f"--leases={network(layout).leases}"
    command = (*keeper, leases, *DIES_WITH_US, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--pid-file=")
    file = f"--conf-file={layout.netboot_configuration}"
    yield Part(_DHCP, "DHCP and TFTP of bare metal", (*inside(layout), *command, "--user=root", "--group=root", file))
    for stock in NODES:
        node = _node(layout, stock)
        title = f"BMC of {stock.name}"
        # sushy-tools needs a second to load: when all else is there.
        after = ("worker",) if stock.redfish else ()
        run = bmcs.redfish(node) if stock.redfish else bmcs.ipmi(node, serial=f"{node.address}:{_SERIAL}")
        yield Part(f"bmc-{stock.name}", title, (*inside(layout), *run), after=after, late=stock.redfish)


def chassis(layout: Layout, changed: Callable[[], None]) -> list[Chassis]:
    """The nodes; ``changed`` is called in threads of theirs."""
    return [Chassis(_node(layout, stock), _hardware(stock), _place(layout, stock), changed) for stock in NODES]


def _place(layout: Layout, stock: StockNode) -> Place:
    """sushy-tools has no console."""
    port = None if stock.redfish else SerialPort(stock.bmc_address, _SERIAL, NETNS / layout.management)
    return Place(layout.management, layout.mount_point, port)


def _hardware(stock: StockNode) -> Hardware:
    cards = (Card(stock.private_mac, METAL), Card(stock.public_mac, PUBLIC))
    return Hardware(stock.serial, NODE_DISK_BYTES, cards)


def _node(layout: Layout, stock: StockNode) -> bmcs.Node:
    password = passwords.of_bmc(layout, stock)
    folder = layout.nodes_link / stock.name
    return bmcs.Node(folder, stock.name, stock.bmc_address, stock.bmc_port, BMC_USER, password)
