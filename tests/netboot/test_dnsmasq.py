"""What real dnsmasq answers to machines, asked as their firmware asks; it runs with the rights of its unit."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netboot.bench import OURS, Provisioning, provisioning, run
from vclab.model.errors import Failed
from vclab.netboot.environment import GRUB, INITRD, IPXE_BIOS, IPXE_UEFI, KERNEL, LOADERS, MANIFEST, SHIM, Environment
from vclab.netboot.log import seen
from vclab.netboot.nodes import Load, publish
from vclab.netboot.values import Node, State

MAC, ADDRESS = "52:54:00:00:00:01", "10.78.0.51"
STRANGER, OTHER_ADDRESS = "52:54:00:00:00:99", "10.78.0.99"
BIOS, UEFI, UEFI_TOO = "0", "7", "9"
OFFER, ACK = 2, 5

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def furnished(network: Provisioning, folder: Path) -> None:
    """One machine is known and set to image; another one's card is in the network."""
    built = folder / "built"
    built.mkdir()
    for name in (KERNEL, INITRD, *LOADERS):
        (built / name).write_text(name)
    (built / MANIFEST).write_text(json.dumps({"name": "bookworm-0123"}))
    publish(network.network.root, Environment(built))
    network.nodes.enlist(network.network, Node(MAC, "node1", ADDRESS))
    network.log.wait_for("hosts/52-54-00-00-00-01", 10)
    network.nodes.set(MAC, State.IMAGE, Load("bookworm-0123", "load-7", b"a private key"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioning]:
    folder = tmp_path_factory.mktemp("own")
    with provisioning() as network:
        furnished(network, folder)
        yield network


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioning]:
    folder = tmp_path_factory.mktemp("proxy")
    with provisioning(proxy=True) as network:
        furnished(network, folder)
        yield network


SILENCE = 2
"""Seconds after which an answer does not come any more: one that comes takes some milliseconds."""


def asked(network: Provisioning, station: str, *words: str, seconds: float = 20) -> dict[str, Any] | None:
    lines = network.ask(station, words[0], "eth0", *words[1:], seconds=seconds).splitlines()
    return json.loads(lines[0]) if lines else None


@pytest.fixture(scope="module")
def known(own: Provisioning) -> str:
    return own.station(MAC)


@pytest.mark.parametrize(
    "words, loader",
    [
        ((BIOS,), IPXE_BIOS),
        ((UEFI,), SHIM),
        ((UEFI_TOO,), SHIM),
        ((BIOS, "ipxe"), "boot.ipxe"),
        ((UEFI, "ipxe"), "boot.ipxe"),
    ],
)
def test_each_firmware_is_told_its_boot_loader(
    own: Provisioning, known: str, words: tuple[str, ...], loader: str
) -> None:
    answer = asked(own, known, "dhcp", *words)
    assert answer is not None
    assert (answer["kind"], answer["address"], answer["server"]) == (OFFER, ADDRESS, OURS)
    assert (answer["file"], answer["router"]) == (loader, "")


def test_an_unknown_machine_hears_nothing(own: Provisioning) -> None:
    station = own.station(STRANGER)
    for verb in ("dhcp", "request"):
        assert asked(own, station, verb, BIOS, seconds=SILENCE) is None


def test_the_new_address_of_a_machine_counts_at_once(own: Provisioning) -> None:
    mac = "52:54:00:00:00:04"
    station = own.station(mac)
    for address in ("10.78.0.54", "10.78.0.55"):
        before = len(own.log.lines)
        own.nodes.enlist(own.network, Node(mac, "node4", address))
        own.log.wait_for("hosts/52-54-00-00-00-04", 10, before)
        answer = asked(own, station, "dhcp", UEFI)
        assert answer is not None and answer["address"] == address


def leased(network: Provisioning, station: str, address: str) -> bool:
    """Whether the machine has taken that address."""
    answer = asked(network, station, "lease", UEFI, seconds=SILENCE)
    return answer is not None and (answer["kind"], answer["address"]) == (ACK, address)


@pytest.fixture
def rows() -> Iterator[tuple[Provisioning, str, str]]:
    """A network, and two machines that have addresses in it."""
    with provisioning() as network:
        first, second = network.station(FIRST), network.station(SECOND)
        for mac, station, address in ((FIRST, first, ONE), (SECOND, second, TWO)):
            enlist(network, mac, address)
            assert leased(network, station, address)
        yield network, first, second


FIRST, SECOND, THIRD = "52:54:00:00:00:11", "52:54:00:00:00:12", "52:54:00:00:00:13"
ONE, TWO, THREE = "10.78.0.61", "10.78.0.62", "10.78.0.63"
NAMES = {FIRST: "node11", SECOND: "node12", THIRD: "node11"}


def enlist(network: Provisioning, mac: str, address: str) -> None:
    """And wait until dnsmasq has seen it."""
    before = len(network.log.lines)
    network.nodes.enlist(network.network, Node(mac, NAMES[mac], address))
    network.log.wait_for(f"hosts/{mac.replace(':', '-')}", 10, before)


def anew(network: Provisioning, before: int) -> None:
    """Wait until dnsmasq has forgotten what is not so any more."""
    network.log.wait_for("DHCP is started anew", 10, before)
    started = next(at for at, line in enumerate(network.log.lines) if "started anew" in line and at >= before)
    network.log.wait_for("hosts/", 10, started)


def test_another_card_of_a_machine_gets_its_address(rows: tuple[Provisioning, str, str]) -> None:
    """Though the card before had it leased for an hour; that one is a stranger now."""
    network, old, other = rows
    before = len(network.log.lines)
    network.nodes.enlist(network.network, Node(THIRD, NAMES[THIRD], ONE))
    anew(network, before)
    assert leased(network, network.station(THIRD), ONE)
    assert not leased(network, old, ONE) and leased(network, other, TWO)


def test_two_machines_exchange_their_addresses(rows: tuple[Provisioning, str, str]) -> None:
    network, first, second = rows
    before = len(network.log.lines)
    network.nodes.enlist(network.network, Node(FIRST, NAMES[FIRST], TWO))
    network.nodes.enlist(network.network, Node(SECOND, NAMES[SECOND], ONE))
    anew(network, before)
    assert leased(network, first, TWO) and leased(network, second, ONE)


def test_a_machine_gets_an_address_again_that_it_had_before(rows: tuple[Provisioning, str, str]) -> None:
    network, first, _ = rows
    for address in (THREE, ONE):
        before = len(network.log.lines)
        network.nodes.enlist(network.network, Node(FIRST, NAMES[FIRST], address))
        anew(network, before)
        assert leased(network, first, address)


def test_a_machine_that_has_left_is_a_stranger(rows: tuple[Provisioning, str, str]) -> None:
    network, first, second = rows
    before = len(network.log.lines)
    network.nodes.forget(FIRST)
    anew(network, before)
    assert not leased(network, first, ONE) and leased(network, second, TWO)


def test_files_are_those_of_the_machine_that_asks(own: Provisioning, known: str) -> None:
    run(*f"ip -n {known} addr add {ADDRESS}/24 dev eth0".split())
    fetched = own.ask(known, "tftp", OURS, "/grub/grub.cfg")
    assert MAC in fetched and "linux /vmlinuz" in fetched
    assert own.ask(known, "tftp", OURS, "load.img") == "a private key"
    for name in (KERNEL, INITRD, IPXE_BIOS, SHIM, GRUB):
        assert own.ask(known, "tftp", OURS, name) == name

    stranger = own.station("52:54:00:00:00:98", OTHER_ADDRESS)
    for name in ("load.img", "boot.ipxe", KERNEL, SHIM, "../hosts/52-54-00-00-00-01"):
        with pytest.raises(AssertionError, match="TFTP:"):
            own.ask(stranger, "tftp", OURS, name)


def test_a_machine_that_boots_its_disk_finds_no_boot_loader(own: Provisioning) -> None:
    mac = "52:54:00:00:00:03"
    own.nodes.set(mac, State.RESCUE, Load("bookworm-0123", "load-8", b"another key"))
    station = own.station(mac, "10.78.0.53")
    assert own.ask(station, "tftp", OURS, IPXE_BIOS) == IPXE_BIOS
    own.nodes.set(mac, State.BOOT)
    for name in (IPXE_BIOS, SHIM, "boot.ipxe", "load.img"):
        with pytest.raises(AssertionError, match=r"TFTP:.*not found"):
            own.ask(station, "tftp", OURS, name)


@pytest.mark.parametrize("words, loader", [((BIOS,), IPXE_BIOS), ((UEFI,), IPXE_UEFI), ((UEFI_TOO,), IPXE_UEFI)])
def test_beside_another_server_it_says_what_to_boot_and_gives_no_address(
    proxy: Provisioning, words: tuple[str, ...], loader: str
) -> None:
    station = proxy.station(MAC)
    offered = asked(proxy, station, "dhcp", *words)
    assert offered is not None and (offered["kind"], offered["address"]) == (OFFER, "0.0.0.0")
    assert offered["class"] == "PXEClient"
    run(*f"ip -n {station} addr add {ADDRESS}/24 dev eth0".split())
    for chosen, file in ((words, loader), ((*words, "ipxe"), "boot.ipxe")):
        answer = asked(proxy, station, "pxe", *chosen)
        assert answer is not None and (answer["kind"], answer["file"]) == (ACK, file)
    run("ip", "netns", "del", station)


def test_beside_another_server_it_says_nothing_to_unknown_machines(proxy: Provisioning) -> None:
    station = proxy.station(STRANGER, OTHER_ADDRESS)
    for verb in ("dhcp", "pxe"):
        assert asked(proxy, station, verb, UEFI, seconds=SILENCE) is None


def test_the_log_tells_what_a_machine_asked_for(tmp_path: Path) -> None:
    with provisioning(log_file=True) as network:
        furnished(network, tmp_path)
        log, station = network.network.log, network.station(MAC, ADDRESS)
        assert log is not None and seen(log, MAC) == []
        asked(network, station, "dhcp", BIOS)
        assert said(log)[-2:] == [
            f"was offered {ADDRESS}, boot file {IPXE_BIOS}",
            "did not take it: does another DHCP server answer there?",
        ]
        network.ask(station, "tftp", OURS, IPXE_BIOS)
        asked(network, station, "dhcp", BIOS, "ipxe")
        network.ask(station, "tftp", OURS, "boot.ipxe")
        network.nodes.set(MAC, State.BOOT)
        with pytest.raises(AssertionError, match="not found"):
            network.ask(station, "tftp", OURS, IPXE_BIOS)
        assert said(log) == [
            "asked for an address",
            f"was offered {ADDRESS}, boot file {IPXE_BIOS}",
            f"was sent {IPXE_BIOS}",
            "asked for an address",
            f"was offered {ADDRESS}, boot file boot.ipxe",
            "was sent boot.ipxe",
            f"asked for {IPXE_BIOS}, which is not there for it",
        ]
        stranger = network.station(STRANGER)
        asked(network, stranger, "dhcp", BIOS, seconds=SILENCE)
        assert said(log, STRANGER) == ["asked for an address, and got no answer: DHCP does not know it"]
        assert len(said(log)) == 7


def said(log: Path, mac: str = MAC) -> list[str]:
    """Without the times."""
    return [line.partition(" ")[2] for line in seen(log, mac)]


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"can't be read: .*No such file.*; netboot.log names it"):
        seen(tmp_path / "log", MAC)
