"""A computer with a BMC, by the command line, the worker, and real IPMI."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.node.conftest import MakeNode
from tests.node.harness import Node
from tests.power import nodes
from tests.power.nodes import PASSWORD, Running
from tests.power.serial import Serial, Spoken, serving_serial
from tests.store.lab import HOUR
from vclab.model.states import Purpose
from vclab.store import tenures

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def olga(node: Node, *words: str, typed: str = "", code: int = 0) -> str:
    """What the operator reads: the one line of an error, else all that is said."""
    ran = node.vclab("--as", "olga", *words, check=False, typed=typed)
    assert ran.returncode == code and "Traceback" not in ran.stderr, ran
    if not code:
        return ran.stdout
    (line,) = ran.stderr.strip().splitlines()
    return line


def shown(node: Node) -> Any:
    return json.loads(olga(node, "computer", "show", "metal01", "--json"))


def add(node: Node, metal: Running, password: str, code: int = 0) -> str:
    address = f"ipmi://{metal.node.user}@{metal.node.address}:{metal.node.port}"
    where = "--address", "198.51.100.77", "--trust-first-contact", "--bmc", address
    words = "computer", "add", "metal01", "--group", "labs", *where
    return olga(node, *words, typed=f"{password}\n", code=code)


@pytest.mark.long
async def test_a_computer_with_a_bmc(make: MakeNode, tmp_path: Path) -> None:
    node = make(settings='tenant_networks = ["127.0.0.0/8"]\n')
    node.start_server()
    await node.answers()
    node.start_worker()
    olga(node, "endpoint", "add", "labs", "--module", "standalone")
    with serving_serial() as serial, nodes.running(tmp_path / "metal", "ipmi", serial=serial.place) as metal:
        serial.wait()
        assert "metal01: 'status' failed: its BMC (ipmi" in add(node, metal, "battery-staple", code=5)
        assert "there is no computer" in olga(node, "computer", "show", "metal01", code=4)
        assert f"ipmi://{metal.node.user}@{metal.node.address}" in add(node, metal, PASSWORD)
        is_switched(node)
        is_heard(node, serial)
        nobodys_is_switched_without_a_word(node)
        assert "198.51.100.77" in shown(node)["private_address"] and "password" not in json.dumps(shown(node))
        metal.unplug()
        began = time.monotonic()
        assert "its BMC" in (line := olga(node, "power", "metal01", "status", code=5)) and "answer" in line
        assert time.monotonic() - began < 60
    node.stop()
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and PASSWORD.encode() in file.read_bytes()]
    assert {file.relative_to(tmp_path).parts[0] for file in kept} == {"metal"}, "it is sealed among the secrets"


def is_switched(node: Node) -> None:
    assert olga(node, "power", "metal01", "status") == "metal01  off\n"
    assert olga(node, "power", "metal01", "on") == "metal01  on\n"
    assert olga(node, "power", "metal01", "on") == "metal01  on\n"
    assert "boots from" in olga(node, "power", "metal01", "boot-device", "network")
    assert json.loads(olga(node, "power", "metal01", "off", "--soft", "1s", "--json"))["power"] == "off"
    assert "there is no boot device 'floppy'" in olga(node, "power", "metal01", "boot-device", "floppy", code=2)
    checked = json.loads(olga(node, "computer", "check", "metal01", "--json"))
    assert checked["power"] == "off"
    assert "it is in 127.0.0.0/8, where users' computers are: move it" in " ".join(checked["warnings"])
    assert "power" in olga(node, "audit", "--subject", "metal01")


def is_heard(node: Node, serial: Serial) -> None:
    assert olga(node, "computer", "console", "metal01") == ""
    with Spoken(serial):
        lines = olga(node, "computer", "console", "metal01", "--lines", "3").splitlines()
        assert len(lines) == 3 and all(line.startswith("line ") for line in lines)
        following = node.in_background("--as", "olga", "computer", "console", "metal01", "--follow")
        assert following.stdout is not None
        first = [int(following.stdout.readline().removeprefix("line ")) for _ in range(3)]
        assert first == list(range(first[0], first[0] + 3))
        assert "is being listened to already; --take ends that" in olga(node, "computer", "console", "metal01", code=3)
        assert olga(node, "power", "metal01", "status") == "metal01  off\n"  # meanwhile
        assert "line" in olga(node, "computer", "console", "metal01", "--take")
        _, errors = following.communicate(timeout=60)
        assert following.returncode and "cancelled" in errors
    assert "use one of them" in olga(node, "computer", "console", "metal01", "--follow", "--json", code=2)


def nobodys_is_switched_without_a_word(node: Node) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    node.store.run(lambda s: tenures.take(s, "metal01", "r7", Purpose.RESERVATION, now + HOUR, now))
    assert "metal01 is held by r7; use --force" in olga(node, "power", "metal01", "on", code=3)
    assert olga(node, "power", "metal01", "on", "--force") == "metal01  on\n"
