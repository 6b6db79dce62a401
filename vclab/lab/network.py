"""The lab's networks: one management namespace with a bridge per network, and a namespace per test user.

Nothing is routed between the networks, and nothing at all reaches the host's own network.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vclab.lab.errors import LabError
from vclab.lab.layout import API_ADDRESS, API_PORT, PEOPLE, PUBLIC, SUBNETS, Layout

NETNS = Path("/run/netns")
CLONE_NEWNET = 0x40000000
CLONE_NEWUTS = 0x04000000

FIREWALL = f"""
table inet lab {{
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname != {{ "private", "public", "imaging", "metal" }} accept
    ct state {{ established, related }} accept
    meta l4proto {{ icmp, icmpv6 }} accept
    iifname {{ "private", "public", "imaging", "metal" }} udp dport 67 accept
    iifname "metal" udp dport 69 accept
    iifname "public" ip daddr {API_ADDRESS} tcp dport {API_PORT} accept
    drop
  }}
}}
"""
"""What others may reach of the management node: the API on the public network, DHCP and ping, TFTP by a node."""

_libc = ctypes.CDLL(None, use_errno=True)


def set_namespace(handle: int, kind: int) -> None:
    """Move the calling thread into a namespace given by an open file. Raises ``OSError``."""
    if _libc.setns(handle, kind):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


@contextmanager
def entered(path: Path | str, kind: int = CLONE_NEWNET) -> Iterator[None]:
    """Within this block the calling thread, and threads that it starts, are in the namespace of that file."""
    name = "net" if kind == CLONE_NEWNET else "uts"
    before = os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY)
    try:
        there = os.open(path, os.O_RDONLY)
        try:
            set_namespace(there, kind)
        finally:
            os.close(there)
        try:
            yield
        finally:
            set_namespace(before, kind)
    finally:
        os.close(before)


def _ip(batch: list[str], namespace: str = "") -> None:
    """Run many ``ip`` commands in one process. Raises ``LabError`` with the first that failed."""
    inside = ["-n", namespace] if namespace else []
    ran = subprocess.run(["ip", *inside, "-batch", "-"], input="\n".join(batch), capture_output=True, text=True)
    if ran.returncode:
        why = (ran.stderr.strip().splitlines() or ["unknown"])[0]
        raise LabError(f"the lab's network can't be made: ip: {why} (needs root and a kernel with veth and bridges)")


def up(layout: Layout) -> None:
    """Make the namespaces, bridges and cards. What a dead lab of this folder left must have been removed. Idempotent
    only through ``down``."""
    _ip([f"netns add {name}" for name in layout.namespaces])
    inside = ["link set lo up"]
    for net in SUBNETS:
        inside += [
            f"link add {net.bridge} address {net.mac} type bridge",
            f"addr add {net.management}/{net.prefix} brd + dev {net.bridge}",
            f"link set {net.bridge} up",
        ]
    public = next(net for net in SUBNETS if net.bridge == PUBLIC)
    for login in PEOPLE:
        inside += [
            f"link add user-{login} type veth peer name eth0 netns {layout.person(login)}",
            f"link set user-{login} master {PUBLIC} up",
        ]
    _ip(inside, layout.management)
    for login, address in PEOPLE.items():
        _ip(
            ["link set lo up", f"addr add {address}/{public.prefix} brd + dev eth0", "link set eth0 up"],
            layout.person(login),
        )
    with entered(NETNS / layout.management):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        ran = subprocess.run(["nft", "-f", "-"], input=FIREWALL, capture_output=True, text=True)
    if ran.returncode:
        raise LabError(f"the lab's firewall can't be made: {ran.stderr.strip()} (needs a kernel with nf_tables)")


def exists(namespace: str) -> bool:
    """True if there is a network namespace of that name."""
    return (NETNS / namespace).exists()


def processes(namespace: str) -> list[int]:
    """The processes whose network namespace that is."""
    ran = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True)
    return [int(line) for line in ran.stdout.split()]


def down(layout: Layout) -> None:
    """Remove all that ``up`` made; harmless when there is nothing. Their processes must be gone."""
    present = [name for name in layout.namespaces if exists(name)]
    if present:
        _ip([f"netns del {name}" for name in present])
