"""A lab PC without a BMC, on before class and off after: a real machine, whose card is this test."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.guests.bench import MANAGEMENT, PATIENCE, Bench, Place, wait_until_off
from tests.power.nodes import Context
from vclab.guests import linux_capture, ssh
from vclab.lab import network
from vclab.power.address import parse
from vclab.power.base import Bmc, PowerState
from vclab.power.control import Limits, Power

T = TypeVar("T")


def test_it_is_shut_down_by_ssh_and_woken_by_its_packet(bench: Bench) -> None:
    place = bench.machine("pc").load()
    mac, address = place.target.private_mac, place.facts.private_address
    bmc = Bmc("pc", parse(f"wol://{mac.replace(':', '-')}@{address}/{MANAGEMENT}:9"))
    power, run = Power(str, lambda _: asyncio.run(_shut_down(place)), Limits(wake=60)), Context()
    with ThreadPoolExecutor(1) as node:
        assert node.submit(_managed, bench, lambda: power.status(bmc, run)).result().state is PowerState.ON
        assert node.submit(_managed, bench, lambda: power.off(bmc, run)).result().state is PowerState.UNKNOWN
        assert wait_until_off(place)
        with node.submit(_managed, bench, _card).result() as card:
            waking = node.submit(_managed, bench, lambda: power.on(bmc, run))
            packet = card.recv(1024)
        place.machine.start()
        assert waking.result().state is PowerState.ON
    assert packet == b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16
    assert place.inside("hostname").strip()
    assert run.fences == 2


async def _shut_down(place: Place) -> None:
    facts = place.facts
    async with ssh.connect(facts.private_address, facts.host_key, place.bench.key, PATIENCE) as shell:
        await linux_capture.shut_down(shell)


def _managed(bench: Bench, work: Callable[[], T]) -> T:
    """Done in the management node's place."""
    with network.entered(network.NETNS / bench.layout.management):
        return work()


def _card() -> socket.socket:
    """Hears the packet; the lab's firewall lets no broadcast in, so it is sent to this address."""
    card = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    card.settimeout(20)
    card.bind(("", 9))
    return card
