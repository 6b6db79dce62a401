"""The lab's servers and the product's worker. All run inside the management namespace."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vclab.lab.layout import NETWORKS, SUBNETS, TEMPORAL_PORT, UI_PORT, VCENTER_PORT, Layout
from vclab.lab.stock import DATASTORE, DATASTORE_GB, HOSTS, LAB_MACHINES, VCENTER_USER

POLL_LIMITS = ("transfer", "timer", "visibility", "outbound")


@dataclass(frozen=True)
class Part:
    """A program that the supervisor keeps running."""

    name: str
    title: str
    command: tuple[str, ...]
    port: int = 0  #: answers there when it is ready
    says: bytes = b""  #: writes this into its log when it is ready; without port or words it is ready at once
    environment: Mapping[str, str] = field(default_factory=dict)
    events: bool = False  #: writes JSON lines on stdout; else stdout is a log
    after: tuple[str, ...] = ()  #: is first started when these are ready


def parts(layout: Layout, temporal: Path, vcsim: Path) -> tuple[Part, ...]:
    """All parts of the lab, by the paths of the programs that don't come with the system."""
    return (
        Part("dnsmasq", "DHCP", tuple(dnsmasq_command(layout))),
        Part("temporal", "Temporal", temporal_command(layout, temporal), port=TEMPORAL_PORT),
        Part("vcsim", "vCenter", vcsim_command(layout, vcsim), port=VCENTER_PORT, events=True),
        Part(
            "worker",
            "worker",
            (*inside(layout), sys.executable, "-m", "worker"),
            says=b"working:",
            environment={"VCLAB_CONFIG": str(layout.settings_file)},
            after=("temporal", "vcsim"),
        ),
    )


def inside(layout: Layout) -> tuple[str, ...]:
    """Put before a command: runs it in the management namespace, and it dies with whoever started it."""
    return ("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{layout.management}", "--")


def dnsmasq_command(layout: Layout) -> list[str]:
    """DHCP on both networks. Never a router: nothing is reached through the lab."""
    command = [
        *inside(layout),
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--group=root"),
        *("--bind-interfaces", "--except-interface=lo", "--dhcp-authoritative", "--no-ping", "--log-facility=-"),
        f"--dhcp-leasefile={layout.leases}",
        "--dhcp-option=option:router",
        "--dhcp-option=option:dns-server",
        "--dhcp-lease-max=5000",
        "--pid-file=",
    ]
    for net in SUBNETS:
        command += [f"--interface={net.bridge}", f"--dhcp-range={net.first},{net.last},{_mask(net.prefix)},12h"]
    for machine in LAB_MACHINES:
        command.append(f"--dhcp-host={machine.private_mac},{machine.private_address}")
        command.append(f"--dhcp-host={machine.public_mac},{machine.public_address}")
    return command


def _mask(prefix: int) -> str:
    bits = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))


def temporal_command(layout: Layout, program: Path) -> tuple[str, ...]:
    """The development server."""
    command = [*inside(layout), str(program), "server", "start-dev", "--log-level", "warn"]
    # All addresses: its inner services call each other on 127.0.0.1, whatever --ip says. See network.FIREWALL.
    command += ["--ip", "0.0.0.0", "--port", str(TEMPORAL_PORT)]
    command += ["--ui-ip", layout.address, "--ui-port", str(UI_PORT)]
    return (*command, *temporal_tuning(layout.temporal_database))


def temporal_tuning(database: Path) -> tuple[str, ...]:
    """The development server's flags that were measured to matter.

    WAL with synchronous=normal makes the file as fast as memory. Eager activities take a third off a life. The dev
    server polls its queues 20 times a second per shard, and it has one shard: 45 ms per task unless that is raised.
    Of workflows that wait it would keep 128,000 states in memory; so many are enough for a lab.
    """
    flags = ["--db-filename", str(database)]
    flags += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    settings = {"system.enableActivityEagerExecution": "true"}
    settings |= {f"history.{queue}ProcessorMaxPollRPS": "2000" for queue in POLL_LIMITS}
    settings["history.hostLevelCacheMaxSize"] = "500"
    for key, value in settings.items():
        flags += ["--dynamic-config-value", f"{key}={value}"]
    return tuple(flags)


def vcsim_command(layout: Layout, program: Path) -> tuple[str, ...]:
    """The vCenter with two hosts and one datastore that both see."""
    flags = {
        "listen": f"{layout.address}:{VCENTER_PORT}",
        "user": VCENTER_USER,
        "password-file": layout.vcenter / "password",
        "cert": layout.vcenter / "cert.pem",
        "key": layout.vcenter / "key.pem",
        "journal": layout.vcenter / "journal",
        "hosts": HOSTS,
        "datastores": f"{DATASTORE}={layout.datastore}:{DATASTORE_GB}",
        "networks": ",".join(NETWORKS),
        "control": layout.control_socket,
    }
    return (*inside(layout), str(program), *(f"-{name}={value}" for name, value in flags.items()))
