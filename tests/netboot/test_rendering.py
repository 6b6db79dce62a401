"""Nothing of an input breaks out of its line, whatever it is; and what is rendered is what dnsmasq takes."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vclab.model.errors import Invalid, Refused
from vclab.netboot import scripts, values
from vclab.netboot.dnsmasq import Network, Uefi, configuration, host
from vclab.netboot.environment import SHIM
from vclab.netboot.main import main
from vclab.netboot.values import Node, State

MAC = "52:54:00:00:00:01"
EXAMPLE = Path(__file__).parents[2] / "deploy" / "vclab-netboot.conf"
DIRECTIVES = {
    *(
        "port",
        "interface",
        "bind-dynamic",
        "no-hosts",
        "no-resolv",
        "log-dhcp",
        "log-facility",
        "dhcp-leasefile",
        "dhcp-hostsdir",
    ),
    *("dhcp-ignore", "dhcp-match", "dhcp-range", "dhcp-authoritative", "dhcp-option", "dhcp-boot", "pxe-prompt"),
    *("pxe-service", "enable-tftp", "tftp-root", "tftp-unique-root"),
}

seeds = st.sampled_from([MAC, "10.78.0.51", "10.78.0.1/24", "node1", "eno2", "/var/lib/x", "load-7", "image", ""])
attacks = st.sampled_from(["\n", "\r", "\0", " ", ",", '"', "'", ";", "#", "$", "`", "{", "}", "|", "&", "..", "//"])
odd = st.one_of(
    st.text(max_size=40),
    st.tuples(seeds, attacks, st.text(max_size=12)).map("".join),
    st.tuples(st.text(max_size=12), attacks, seeds).map("".join),
    seeds,
)
macs = st.lists(st.integers(0, 255), min_size=6, max_size=6).map(lambda each: ":".join(f"{n:02x}" for n in each))


def network(proxy: bool = False, router: str = "", uefi: Uefi | None = None) -> Network:
    return Network("eno2", "10.78.0.1/24", proxy=proxy, router=router, uefi=uefi)


@given(odd, odd, odd, st.booleans(), odd, odd)
def test_a_configuration_has_our_directives_only(
    interface: str, address: str, root: str, proxy: bool, router: str, log: str
) -> None:
    try:
        text = configuration(Network(interface, address, Path(root), proxy, router, log=Path(log) if log else None))
    except Invalid:
        return
    shape = configuration(replace(network(proxy, "10.78.0.2" if router else ""), log=Path("/log") if log else None))
    assert [words(line) for line in text.splitlines()] == [words(line) for line in shape.splitlines()]
    assert {line.partition("=")[0] for line in text.splitlines() if line and line[0] != "#"} <= DIRECTIVES


def words(line: str) -> tuple[str, int]:
    """What dnsmasq makes of a line: its directive, and how many values it has."""
    return line.partition("=")[0], len(re.split(r"[,\s]", line))


@given(odd, odd, odd, st.booleans())
def test_a_machine_has_one_line(mac: str, name: str, address: str, proxy: bool) -> None:
    try:
        line = host(network(proxy), Node(mac, name, address))
    except Invalid:
        return
    assert line.count("\n") == 1 and line.endswith("\n")
    assert line.strip().split(",") == ([mac] if proxy else [mac, address, name, "1h"])


@given(odd | macs, st.sampled_from([State.IMAGE, State.RESCUE]), odd)
def test_a_script_has_the_lines_it_should_have(mac: str, state: State, load: str) -> None:
    for render in (scripts.ipxe, scripts.grub):
        try:
            text = render(mac, state, load)
        except Invalid:
            continue
        shape = render(MAC, state, "load-7")
        assert [len(re.split(r"\s", line)) for line in text.split("\n")] == [
            len(re.split(r"\s", line)) for line in shape.split("\n")
        ]
        assert text == shape.replace(MAC, mac).replace("01-52-54-00-00-00-01", f"01-{mac.replace(':', '-')}").replace(
            "load-7", load
        )
        assert not re.search(r"[;&`'{}<>\\]|\$", load + mac)


@given(macs)
def test_macs_of_cards_are_taken_and_no_others(mac: str) -> None:
    if int(mac[:2], 16) & 1 or not mac.strip("0:"):
        with pytest.raises(Invalid):
            values.mac(mac)
    else:
        assert values.mac(mac) == mac and values.hyphened(mac).replace("-", ":") == mac


@pytest.mark.parametrize(
    "text", ["52:54:00:00:00", "52-54-00-00-00-01", MAC.upper() + "A", f"{MAC}\n", "５2:54:00:00:00:01"]
)
def test_what_is_no_mac(text: str) -> None:
    with pytest.raises(Invalid, match="is not a MAC"):
        values.mac(text)


@pytest.mark.parametrize(
    "text", ["10.78.0.0/24", "10.78.0.255/24", "10.78.0.1", "10.78.0.1/31", "127.0.0.1/8", "fd00::1/64"]
)
def test_what_is_no_address_in_a_network(text: str) -> None:
    with pytest.raises(Invalid):
        values.network(text)


def test_a_machine_of_our_dhcp_needs_an_address_of_the_network() -> None:
    with pytest.raises(Invalid, match="has no address"):
        host(network(), Node(MAC, "node1"))
    with pytest.raises(Invalid, match="not in the network"):
        host(network(), Node(MAC, "node1", "10.79.0.51"))
    assert host(network(proxy=True), Node(MAC, "node1")) == f"{MAC}\n"


def test_a_router_is_ours_to_say_only_where_dhcp_is_ours() -> None:
    assert "dhcp-option=option:router,10.78.0.2\n" in configuration(network(router="10.78.0.2"))
    assert "dhcp-option=option:router\n" in configuration(network()), "dnsmasq names itself otherwise"
    with pytest.raises(Invalid, match="proxy mode"):
        network(proxy=True, router="10.78.0.2")
    with pytest.raises(Invalid, match="not in the network"):
        network(router="10.79.0.2")


def test_secure_boot_needs_a_dhcp_server_of_ours() -> None:
    with pytest.raises(Invalid, match="can't be given shim and GRUB"):
        network(proxy=True, uefi=Uefi.SHIM)
    assert SHIM in configuration(network()) and SHIM not in configuration(network(proxy=True))


def test_install_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match="writes whole images to disks and runs no installer; use image"):
        values.state("install")
    with pytest.raises(Invalid, match="say one of boot, image, rescue"):
        values.state("kickstart")
    assert [values.state(name) for name in ("boot", "image", "rescue")] == list(State)


@pytest.mark.parametrize("render", [scripts.ipxe, scripts.grub])
def test_a_machine_that_boots_its_disk_has_no_script(render: object) -> None:
    assert callable(render)
    with pytest.raises(Invalid, match="is given no script"):
        render(MAC, State.BOOT, "load-7")


@pytest.mark.parametrize("made", [network(), network(proxy=True), network(router="10.78.0.2", uefi=Uefi.IPXE)])
def test_dnsmasq_takes_it(made: Network, tmp_path: Path) -> None:
    file = tmp_path / "netboot.conf"
    file.write_text(configuration(made))
    done = subprocess.run(["dnsmasq", "--test", f"--conf-file={file}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "dnsmasq: syntax check OK.")


def test_the_example_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    main(["configure", "--interface", "eno2", "--address", "10.78.0.1/24"])
    assert capsys.readouterr().out == EXAMPLE.read_text()


def test_the_command_says_what_is_wrong() -> None:
    with pytest.raises(SystemExit, match="vclab-netboot: 'eno2 x' is not a name of a network card"):
        main(["configure", "--interface", "eno2 x", "--address", "10.78.0.1/24"])
