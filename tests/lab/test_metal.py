"""The lab's bare metal: nodes that are off until somebody needs them, and that outlive a power cut."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.labfixture import Lab, eventually
from vclab.lab import disks, passwords, processes, status
from vclab.lab.bmcs import Node, Runs
from vclab.lab.stock import METAL_IMAGE, NODE_DISK_BYTES, NODES, StockNode

pytestmark = pytest.mark.lab
IPMI, REDFISH = NODES[0], NODES[3]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose power these tests may cut."""
    made = Lab(tmp_path_factory.mktemp("metal"))
    yield made
    made.down("--wipe")


def node(lab: Lab, stock: StockNode) -> Node:
    return Node(lab.layout.nodes / stock.name, stock.name, stock.bmc_address, stock.bmc_port)


def install(lab: Lab, stock: StockNode) -> None:
    """Its disk holds the lab's image, and its network boots nothing."""
    image = lab.layout.repository / "images" / METAL_IMAGE.name / "1" / "disk.raw"
    disk = node(lab, stock).folder / "disk.raw"
    disks.run("cp", "--sparse=always", str(image), str(disk))
    os.truncate(disk, NODE_DISK_BYTES)


def is_gone(pid: int) -> bool:
    return not processes.started(pid)


def test_it_is_off_at_the_start_and_has_an_image(own: Lab) -> None:
    own.up()
    assert [node(own, stock).runs for stock in NODES] == [Runs.OFF] * 4
    assert own.state.nodes == {}
    (image,) = (one for one in own.json("image", "list") if one["name"] == METAL_IMAGE.name)
    assert image["module"] == "bare-metal"
    assert list((own.layout.repository / "images" / METAL_IMAGE.name / "1").glob("*.map.gz"))


@pytest.mark.parametrize("stock", [IPMI, REDFISH], ids=["ipmi", "redfish"])
def test_its_bmc_switches_it(own: Lab, stock: StockNode) -> None:
    own.up()
    eventually(lambda: own.state.parts[f"bmc-{stock.name}"].ok and own.state.parts["worker"].ok)
    install(own, stock)
    assert own.vclab("power", "--as", "olga", stock.name, "status").stdout.split()[1:] == ["off"]
    own.vclab("power", "--as", "olga", stock.name, "boot-device", "disk")
    own.vclab("power", "--as", "olga", stock.name, "on")
    eventually(lambda: node(own, stock).runs is Runs.DISK)
    first = own.state.nodes[stock.name].pid
    own.vclab("power", "--as", "olga", stock.name, "reset")
    eventually(lambda: own.state.nodes.get(stock.name) and own.state.nodes[stock.name].pid != first)
    eventually(lambda: node(own, stock).runs is Runs.DISK)
    own.vclab("power", "--as", "olga", stock.name, "off")
    eventually(lambda: stock.name not in own.state.nodes)
    assert not processes.started(first)


@pytest.mark.long
def test_one_that_was_on_boots_again_after_a_power_cut(own: Lab) -> None:
    own.up()
    install(own, IPMI)
    metal = node(own, IPMI)
    metal.switch(True)
    eventually(lambda: metal.runs is Runs.DISK)
    public = IPMI.public_address
    # On its second card: on the provisioning network it has no address before it is loaded for the first time.
    eventually(lambda: own.reaches("alice", public))
    for cut in (own.down, partial(own.kill, "supervisor", signal.SIGKILL)):
        before = own.state.nodes[IPMI.name].pid
        cut()
        eventually(partial(is_gone, before))
        assert str(metal.folder.resolve()) not in Path("/proc/mounts").read_text()
        assert metal.power == "on"
        own.up()
        eventually(lambda: own.state.nodes.get(IPMI.name))
        eventually(lambda: own.reaches("alice", public))
    metal.switch(False)
    eventually(lambda: metal.runs is Runs.OFF)


CONSOLE = """
import sys, time
from pyghmi.ipmi import console
said = b""
def heard(data):
    global said
    said += data if isinstance(data, bytes) else b""
password = sys.stdin.readline().strip()
open_ = console.Console(bmc=sys.argv[1], userid="admin", password=password, iohandler=heard, force=True)
typed, until = False, time.monotonic() + 60
while time.monotonic() < until and sys.argv[2].encode() not in said:
    open_.wait_for_rsp(timeout=0.3)
    if not typed and open_.connected:
        typed = True
        print("open", flush=True)
open_.close()
print(said.decode(errors="replace"))
"""


def test_its_console_is_seen_by_serial_over_lan(own: Lab) -> None:
    own.up()
    password = passwords.of_bmc(own.layout, IPMI)
    command = [
        "ip",
        "netns",
        "exec",
        own.layout.management,
        sys.executable,
        "-c",
        CONSOLE,
        IPMI.bmc_address,
        "boot order",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin and client.stdout
        client.stdin.write(f"{password}\n")
        client.stdin.close()
        assert client.stdout.readline() == "open\n"
        node(own, IPMI).switch(True)
        assert "metal01: BIOS, boot order: network, disk" in client.stdout.read()
    node(own, IPMI).switch(False)


def test_status_has_a_line_of_it(own: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    own.up()
    monkeypatch.setenv("VCLAB_CONFIG", str(own.layout.settings_file))
    (line,) = (one for one in status.parts() if one.name == "lab: bare metal")
    assert line.detail == ", ".join(f"{stock.name}: off" for stock in NODES)
