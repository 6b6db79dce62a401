"""The configuration of dnsmasq for the provisioning network: DHCP and TFTP, and nothing else.

Two ways: the network is ours, and every machine has the address that we say; or it has a DHCP server that is not ours,
and dnsmasq only adds what machines that boot from the network ask for (proxy mode). Either way it answers the machines
that we know, and is silent to all others.

A machine gets its files from a directory of its own, by its MAC (``tftp-unique-root``).
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Interface
from pathlib import Path

from vclab.model.errors import Invalid
from vclab.netboot import scripts, values
from vclab.netboot.environment import IPXE_BIOS, IPXE_UEFI, SHIM
from vclab.netboot.values import Node

HOSTS, TFTP = "hosts", "tftp"
"""The directories below the root of the provisioning network: one file, one directory a machine."""
STALE = "stale"
"""The file there that changes when dnsmasq knows what is not so any more."""
LEASES = Path("/run/vclab-netboot/leases")
_LEASE = "1h"


class Uefi(StrEnum):
    """What UEFI machines are given first."""

    SHIM = "shim"  #: Debian's signed shim and GRUB: with and without Secure Boot. Not in proxy mode
    IPXE = "ipxe"  #: for firmware that GRUB's network does not get on with, and for proxy mode; no Secure Boot


_UEFI = {Uefi.SHIM: SHIM, Uefi.IPXE: IPXE_UEFI}


@dataclass(frozen=True)
class Network:
    """The provisioning network as the management node sees it. Raises ``Invalid``."""

    interface: str  #: the management node's card in it
    address: str  #: the management node's own, with the prefix: 10.78.0.1/24
    root: Path = Path("/var/lib/vclab-netboot")
    proxy: bool = False  #: there is a DHCP server that is not ours
    router: str = ""  #: how machines get out of it; not in proxy mode
    uefi: Uefi | None = None  #: by default shim, and iPXE in proxy mode
    log: Path | None = None  #: the file that dnsmasq writes its log to; None: it says all to whoever started it
    leases: Path = LEASES

    @property
    def uefi_loader(self) -> str:
        """The file that a UEFI is told."""
        return _UEFI[self.uefi or (Uefi.IPXE if self.proxy else Uefi.SHIM)]

    def __post_init__(self) -> None:
        values.interface(self.interface)
        values.directory(self.root)
        if self.log is not None:
            values.directory(self.log)
        values.directory(self.leases)
        if self.proxy and self.uefi is Uefi.SHIM:
            raise Invalid(
                "in proxy mode UEFI can't be given shim and GRUB: GRUB asks the other DHCP server for its files",
                "use ipxe, with Secure Boot off, or let the DHCP server be ours",
            )
        if self.router and values.address(self.router) and self.proxy:
            raise Invalid("in proxy mode the other DHCP server says what the router is", "leave the router out")
        if self.router and IPv4Interface(self.router).ip not in values.network(self.address).network:
            raise Invalid(f"the router {self.router} is not in the network of {self.address}")
        values.network(self.address)


def configuration(network: Network) -> str:
    """The whole file, for ``dnsmasq --conf-file``."""
    ways = _proxy(network) if network.proxy else _own(network)
    return "\n".join((*_head(network), *ways, *_tftp(network), ""))


def host(network: Network, node: Node) -> str:
    """The line of a machine, in a file of its own in the directory of hosts. Raises ``Invalid``."""
    if network.proxy:
        return f"{node.mac}\n"
    if not node.address:
        raise Invalid(f"{node.name} has no address", "give it one: the DHCP server of this network is ours")
    if IPv4Interface(node.address).ip not in values.network(network.address).network:
        raise Invalid(f"the address {node.address} of {node.name} is not in the network of {network.address}")
    return f"{node.mac},{node.address},{node.name},{_LEASE}\n"


def _head(network: Network) -> tuple[str, ...]:
    return (
        "# DHCP and TFTP of vclab's provisioning network. Made by `vclab-netboot configure`; changes are lost.",
        "port=0",
        f"interface={network.interface}",
        "bind-dynamic",
        "no-hosts",
        "no-resolv",
        "log-dhcp",
        *((f"log-facility={network.log}",) if network.log else ()),
        f"dhcp-leasefile={network.leases}",
        "",
        "# Only machines of ours: a file each.",
        f"dhcp-hostsdir={network.root / HOSTS}",
        "dhcp-ignore=tag:!known",
        "",
        "# What asks: iPXE itself, a BIOS, or a UEFI of x86-64.",
        "dhcp-match=set:ipxe,175",
        "dhcp-match=set:bios,option:client-arch,0",
        "dhcp-match=set:uefi,option:client-arch,7",
        "dhcp-match=set:uefi,option:client-arch,9",
        "",
    )


def _own(network: Network) -> tuple[str, ...]:
    known = values.network(network.address)
    return (
        "# Every machine has the address of its file.",
        f"dhcp-range={known.network.network_address},static,{known.netmask},{_LEASE}",
        "dhcp-authoritative",
        f"dhcp-option=option:router{',' + network.router if network.router else ''}",
        f"dhcp-boot=tag:ipxe,{scripts.IPXE}",
        f"dhcp-boot=tag:!ipxe,tag:bios,{IPXE_BIOS}",
        f"dhcp-boot=tag:!ipxe,tag:uefi,{network.uefi_loader}",
        "",
    )


def _proxy(network: Network) -> tuple[str, ...]:
    known = values.network(network.address)
    kinds = ("x86PC", IPXE_BIOS), ("BC_EFI", network.uefi_loader), ("X86-64_EFI", network.uefi_loader)
    return (
        "# Addresses are those of the other DHCP server.",
        f"dhcp-range={known.network.network_address},proxy,{known.netmask}",
        'pxe-prompt="vclab",0',
        *(f'pxe-service=tag:ipxe,{kind},"vclab",{scripts.IPXE}' for kind, _ in kinds),
        *(f'pxe-service=tag:!ipxe,{kind},"vclab",{loader}' for kind, loader in kinds),
        "",
    )


def _tftp(network: Network) -> tuple[str, ...]:
    return (
        f"enable-tftp={network.interface}",
        f"tftp-root={network.root / TFTP}",
        "tftp-unique-root=mac",
    )
