"""The lab's servers and the product's worker. All run inside the management namespace."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.common import SearchAttributeIndexedValueType

from vclab.lab.layout import (
    API_ADDRESS,
    API_PORT,
    IMAGING,
    NETWORKS,
    PRIVATE,
    PUBLIC,
    SUBNETS,
    TEMPORAL_PORT,
    UI_PATH,
    UI_PORT,
    VCENTER_PORT,
    Layout,
)
from vclab.lab.stock import DATASTORES, HOSTS, LAB_MACHINES, NODES, VCENTER_USER
from vclab.temporal import search_attributes


@dataclass(frozen=True)
class Part:
    """A program that the supervisor keeps running."""

    name: str
    title: str
    command: tuple[str, ...]
    port: int = 0  #: answers there when it is ready
    address: str = ""  #: where that port is; empty: the lab's loopback address
    says: bytes = b""  #: writes this into its log when it is ready; without port or words it is ready at once
    environment: Mapping[str, str] = field(default_factory=dict)
    events: bool = False  #: writes JSON lines on stdout; else stdout is a log
    after: tuple[str, ...] = ()  #: is first started when these are ready
    needs_store: bool = False  #: is first started when the database is filled
    late: bool = False  #: nobody waits for it when the lab starts


DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""Put before a command: it dies with whoever started it."""


def parts(layout: Layout, temporal: Path, vcsim: Path) -> tuple[Part, ...]:
    """All parts of the lab, by the paths of the programs that don't come with the system."""
    return (
        Part("dnsmasq", "DHCP", tuple(dnsmasq_command(layout))),
        Part("dnsmasq-imaging", "DHCP for imaging", tuple(imaging_dnsmasq_command(layout))),
        Part("temporal", "Temporal", temporal_command(layout, temporal), port=TEMPORAL_PORT),
        Part("vcsim", "vCenter", vcsim_command(layout, vcsim), port=VCENTER_PORT, events=True),
        Part(
            "api",
            "API",
            (*inside(layout), sys.executable, "-m", "vclab.api.main"),
            port=API_PORT,
            address=API_ADDRESS,
            environment={"VCLAB_CONFIG": str(layout.settings_file), **shown_to_temporal(layout, "api")},
            after=("temporal",),
            needs_store=True,
        ),
        Part(
            "worker",
            "worker",
            (*inside(layout), sys.executable, "-m", "worker"),
            says=b"working:",
            environment={"VCLAB_CONFIG": str(layout.settings_file), **shown_to_temporal(layout, "worker")},
            after=("temporal", "vcsim"),
            needs_store=True,
            late=True,  # it needs seconds to load, and if it is broken, the lab is there to mend it in
        ),
    )


def inside(layout: Layout) -> tuple[str, ...]:
    """Put before a command: runs it in the management namespace, and it dies with whoever started it."""
    return (*DIES_WITH_US, "nsenter", f"--net=/run/netns/{layout.management}", "--")


def dnsmasq_command(layout: Layout) -> list[str]:
    """DHCP on the private and the public network."""
    command = _dhcp(layout, layout.leases, PRIVATE, PUBLIC)
    for machine in LAB_MACHINES:
        command.append(f"--dhcp-host={machine.private_mac},{machine.private_address}")
        command.append(f"--dhcp-host={machine.public_mac},{machine.public_address}")
    command += [f"--dhcp-host={node.public_mac},{node.public_address}" for node in NODES]
    return command


def imaging_dnsmasq_command(layout: Layout) -> list[str]:
    """DHCP on the imaging network. A server of its own: dnsmasq keeps one lease a MAC, and a machine that is sealed has
    the MAC of its source, which may be on at the same time."""
    return _dhcp(layout, layout.imaging_leases, IMAGING)


def _dhcp(layout: Layout, leases: Path, *bridges: str) -> list[str]:
    """Never a router: nothing is reached through the lab."""
    command = [
        *inside(layout),
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--group=root"),
        *("--bind-interfaces", "--except-interface=lo", "--dhcp-authoritative", "--no-ping", "--log-facility=-"),
        f"--dhcp-leasefile={leases}",
        "--dhcp-option=option:router",
        "--dhcp-option=option:dns-server",
        "--dhcp-lease-max=5000",
        "--pid-file=",
    ]
    for net in SUBNETS:
        if net.bridge in bridges:
            command += [f"--interface={net.bridge}", f"--dhcp-range={net.first},{net.last},{_mask(net.prefix)},12h"]
    return command


def _mask(prefix: int) -> str:
    bits = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))


def temporal_command(layout: Layout, program: Path) -> tuple[str, ...]:
    """Temporal with its web UI, on one address. Without a certificate of the lab nobody does anything there."""
    address, ui = (f"{layout.address}:{port}" for port in (TEMPORAL_PORT, UI_PORT))
    flags = {
        "tls-cert": layout.tls / "temporal.pem",
        "tls-key": layout.tls / "temporal.key",
        "tls-client-ca": layout.tls / "ca.pem",
        "ui": ui,
        "ui-path": UI_PATH,
        "ui-cert": layout.tls / "ui.pem",
        "ui-key": layout.tls / "ui.key",
    }
    words = temporal_server(program, address, layout.temporal_database)
    return (*inside(layout), *words, *(f"-{name}={value}" for name, value in flags.items()))


def shown_to_temporal(layout: Layout, part: str) -> dict[str, str]:
    """The environment in which a part shows Temporal its own certificate."""
    pair = {"CERT": f"{part}.pem", "KEY": f"{part}.key"}
    return {f"VCLAB_TEMPORAL__TLS_{name}": str(layout.tls / file) for name, file in pair.items()}


def temporal_server(program: Path, address: str, database: Path) -> tuple[str, ...]:
    """Temporal alone, with the settings that vclab needs (``deploy/temporal/main.go`` tells them)."""
    attributes = (
        f"-search-attribute={key.name}={SearchAttributeIndexedValueType(key.indexed_value_type).name.title()}"
        for key in search_attributes.KEYS
    )
    return (str(program), "-address", address, "-database", str(database), *attributes)


def vcsim_command(layout: Layout, program: Path) -> tuple[str, ...]:
    """The vCenter with two hosts and two datastores that both see."""
    flags = {
        "listen": f"{layout.address}:{VCENTER_PORT}",
        "user": VCENTER_USER,
        "password-file": layout.vcenter / "password",
        "cert": layout.vcenter / "cert.pem",
        "key": layout.vcenter / "key.pem",
        "journal": layout.vcenter / "journal",
        "hosts": HOSTS,
        "datastores": ",".join(f"{name}={layout.datastore_called(name)}:{gb}" for name, gb in DATASTORES.items()),
        "networks": ",".join(NETWORKS),
        "control": layout.control_socket,
        "python": sys.executable,
    }
    return (*inside(layout), str(program), *(f"-{name}={value}" for name, value in flags.items()))
