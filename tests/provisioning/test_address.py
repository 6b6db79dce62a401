"""Which address is taken, from what guest tools, leases and the neighbour table say."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vclab.provisioning.vsphere.address import best, leased, neighbours

MAC = "02:76:63:00:00:01"
TABLE = """\
10.77.0.9 dev br0 lladdr 02:76:63:00:00:01 REACHABLE
10.77.0.8 dev br0 lladdr 02:76:63:00:00:02 STALE
fe80::1 dev br0 lladdr 02:76:63:00:00:01 STALE
10.77.0.7 dev br0 lladdr 02:76:63:00:00:01 FAILED
10.77.0.6 dev br0 INCOMPLETE
"""


def test_ipv4_before_ipv6_and_never_link_local() -> None:
    assert best(["fe80::1", "2001:db8::7", "10.77.0.9", "169.254.1.1"]) == "10.77.0.9"
    assert best(["fe80::1", "2001:db8::7"]) == "2001:db8::7"
    assert best(["169.254.1.1", "0.0.0.0", "127.0.0.1"]) == ""
    assert best([]) == ""


def test_the_newest_valid_lease_of_the_mac(tmp_path: Path) -> None:
    file = tmp_path / "leases"
    now = int(time.time())
    file.write_text(
        f"{now + 100} {MAC.upper()} 10.77.0.5 vm01 *\n"
        f"{now + 900} {MAC} 10.77.0.6 vm01 01:{MAC}\n"
        f"{now - 5} {MAC} 10.77.0.4 vm01 *\n"
        f"{now + 900} 02:76:63:00:00:02 10.77.0.7 vm01 *\n"
        "duid 00:01:00:01\n"
    )
    assert leased(file, MAC) == "10.77.0.6"
    assert leased(file, "02:76:63:00:00:09") == ""
    file.write_text(f"{now - 5} {MAC} 10.77.0.4 vm01 *\n")
    assert leased(file, MAC) == ""
    file.write_text(f"0 {MAC} 10.77.0.3 vm01 *\n{now + 9} {MAC} 10.77.0.4 vm01 *\n")
    assert leased(file, MAC) == "10.77.0.3", "0 never ends"


@pytest.mark.parametrize("line", ["soon {mac} 10.77.0.9 x *", "{mac}", "9" * 5000 + " {mac} 10.77.0.9", "\0 \x1b[2J"])
def test_a_line_that_is_no_lease_is_passed_over(tmp_path: Path, line: str) -> None:
    file = tmp_path / "leases"
    file.write_text(f"{line.format(mac=MAC)}\n{int(time.time()) + 900} {MAC} 10.77.0.6 vm01 *\n")
    assert leased(file, MAC) == "10.77.0.6"


def test_no_lease_file(tmp_path: Path) -> None:
    assert leased(tmp_path / "none", MAC) == ""


def test_neighbours_only_by_mac_and_only_those_that_answer() -> None:
    assert neighbours(TABLE, MAC) == ["10.77.0.9", "fe80::1"]
    assert neighbours(TABLE, "02:76:63:00:00:03") == []


OURS, THEIRS = (f"vclab-{os.getpid()}-{side}" for side in ("ours", "theirs"))
PROGRAM = """
import json, socket, sys, time
from vclab.provisioning import arp
from tests.targets import target_of
from vclab.model.errors import StepFailed
from vclab.provisioning.vsphere.address import nobody_else

if len(sys.argv) > 2:
    def may_not(address):
        raise PermissionError
    arp.HELPER, arp._ask = sys.argv[2], may_not
said = []
for address, mac in json.loads(sys.argv[1]):
    target = target_of(guest="", generation=2, private_mac=mac)
    try:
        with nobody_else(address, target):
            time.sleep(0.5)
        said.append("")
    except StepFailed as error:
        said.append(str(error))
print(json.dumps(said))
"""


@pytest.fixture
def other() -> Iterator[str]:
    """The MAC of a machine that has 10.77.0.9 in a network of ours."""
    if os.geteuid():
        pytest.skip("a network of one's own needs root")
    lines = (
        f"netns add {OURS}",
        f"netns add {THEIRS}",
        f"-n {OURS} link add eth0 type veth peer name eth0 netns {THEIRS}",
        f"-n {OURS} address add 10.77.0.1/24 dev eth0",
        f"-n {THEIRS} address add 10.77.0.9/24 dev eth0",
        f"-n {OURS} link set eth0 up",
        f"-n {THEIRS} link set eth0 address {MAC} up",
    )
    try:
        for line in lines:
            subprocess.run(("ip", *line.split()), check=True, capture_output=True)
        yield MAC
    finally:
        for name in (OURS, THEIRS):
            subprocess.run(("ip", "netns", "delete", name), check=False, capture_output=True)


@pytest.mark.lab
def test_a_process_that_may_not_ask_has_a_helper(other: str, tmp_path: Path) -> None:
    """The worker's unit has no capability; ``vclab-arp`` is handed each question by systemd, here by a loop."""
    path = tmp_path / "arp.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def serve() -> None:
        for _ in range(2):
            connection, _address = listening.accept()
            with connection:
                words = ("ip", "netns", "exec", OURS, sys.executable, "-m", "vclab.provisioning.arp")
                ends = connection.fileno()
                subprocess.run(words, stdin=ends, stdout=ends, check=True, cwd=Path(__file__).parents[2])

    serving = threading.Thread(target=serve)
    serving.start()
    asked = json.dumps([("10.77.0.9", "02:76:63:00:00:05"), ("10.77.0.8", MAC)])
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, asked, str(path)),
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    serving.join(60)
    listening.close()
    assert done.returncode == 0, done.stderr
    foreign, nobody = json.loads(done.stdout)
    assert f"with the MAC {other}" in foreign and nobody == ""


@pytest.mark.lab
def test_an_address_that_still_answers_is_anothers(other: str) -> None:
    far = [(address, MAC) for address in ("10.77.0.8", "192.0.2.1", "fe80::1", "")]
    asked = json.dumps([("10.77.0.9", "02:76:63:00:00:05"), ("10.77.0.9", other.upper()), *far])
    command = ("ip", "netns", "exec", OURS, sys.executable, "-c", PROGRAM, asked)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    foreign, ours, *nobody = json.loads(done.stdout)
    assert "10.77.0.9 is kept for vm01 (02:76:63:00:00:05)" in foreign and f"with the MAC {other}" in foreign
    assert {ours, *nobody} == {""}, "a machine of ours that is just going; nobody; nobody who could be asked"
