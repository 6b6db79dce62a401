"""A neighbour that answers for the address of a machine while it is loaded."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.guests.bench import Bench, Place
from vclab.lab import network
from vclab.model.errors import StepFailed
from vclab.model.plans import PUBLISHED, Facts

pytestmark = pytest.mark.lab

# ARP replies to all, a hundred a second: "this address is at my card".
SPOOF = r"""
import socket, struct, sys, time
address, card = socket.inet_aton(sys.argv[1]), open("/sys/class/net/eth0/address").read().strip()
mac, all_ = bytes.fromhex(card.replace(":", "")), b"\xff" * 6
line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
line.bind(("eth0", 0))
head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
while True:
    line.send(all_ + mac + b"\x08\x06" + head + mac + address + all_ + address)
    time.sleep(0.01)
"""


@contextmanager
def spoofing(bench: Bench, evil: Place, address: str) -> Iterator[None]:
    """Until all that the management node sends to the address goes to the evil machine. Its root also pretends to have
    the victim's card."""
    evil.inside("ip", "address", "add", f"{address}/32", "dev", "eth0")
    evil.write("/root/spoof.py", SPOOF)
    evil.inside("sh", "-c", f"setsid python3 /root/spoof.py {address} > /dev/null 2>&1 & echo $! > /run/spoof")
    try:
        deadline = time.monotonic() + 20
        while evil.target.private_mac not in _neighbour(bench, address):
            assert time.monotonic() < deadline, _neighbour(bench, address)
            time.sleep(0.2)
        yield
    finally:
        evil.inside("sh", "-c", "kill $(cat /run/spoof)")
        evil.inside("ip", "address", "del", f"{address}/32", "dev", "eth0")
        _in_management(bench, "ip", "neigh", "flush", "to", address)


def _neighbour(bench: Bench, address: str) -> str:
    _in_management(bench, "ping", "-c", "1", "-W", "1", address)
    return _in_management(bench, "ip", "neigh", "show", "to", address)


def _in_management(bench: Bench, *command: str) -> str:
    enter = ["nsenter", f"--net={network.NETNS / bench.layout.management}", *command]
    return subprocess.run(enter, capture_output=True, text=True, check=False).stdout


def test_a_neighbour_that_spoofs_is_not_pinned(bench: Bench) -> None:
    """The machine says through its endpoint which key it has; without that the neighbour would be taken for it."""
    victim, evil = bench.machine("victim"), bench.machine("evil")
    evil.wait_for_addresses()
    address = victim.wait_for_addresses()[victim.target.private_mac]
    published = victim.machine.guest().info["vclab.hostkey"]
    evil.inside("ip", "link", "add", "fake0", "address", victim.target.private_mac, "type", "veth", "peer", "fake1")
    with spoofing(bench, evil, address):
        victim.facts = Facts(private_address=address)
        taken = victim.wait_ssh()
        assert (taken.host_key, taken.host_key_from) == (evil.machine.guest().info["vclab.hostkey"], "")
        victim.facts = Facts(private_address=address, published_key=published)
        with pytest.raises(StepFailed, match=f"another machine answers at {address}: .* has published SHA256:"):
            victim.wait_ssh()
    found = victim.wait_ssh()
    assert (found.host_key, found.host_key_from) == (published, PUBLISHED)


@pytest.mark.parametrize("forge", ["ln -sf /etc/hostname", "mkfifo", "mkdir", "head -c 100000 /dev/urandom >"])
def test_what_its_root_puts_there_instead_is_not_read(bench: Bench, forge: str) -> None:
    """The lab reads it from outside: no link is followed, nothing hangs."""
    place = bench.machine(f"forging{len(forge)}")
    place.wait_for_addresses()
    assert place.machine.guest().info["vclab.hostkey"].startswith("ssh-ed25519 ")
    place.inside("sh", "-c", f"rm -rf /etc/guestinfo; {forge} /etc/guestinfo")
    assert place.machine.guest().info == {}
    place.machine.stop()
