"""The commands of the lab's parts. Each runs inside the management namespace."""

from vclab.lab.layout import SUBNETS, Layout


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
    return command


def inside(layout: Layout) -> list[str]:
    """Put before a command: runs it in the management namespace, and it dies with whoever started it."""
    return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{layout.management}", "--"]


def _mask(prefix: int) -> str:
    bits = (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF
    return ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))
