"""Nodes of bare metal as people use them: loaded, used, cleaned, handed on; whoever is killed meanwhile."""

import json
from collections.abc import Iterator, Sequence
from signal import SIGSTOP
from typing import Any

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import LONG, Stack
from vclab.lab import bmcs
from vclab.lab.bmcs import Runs
from vclab.lab.demo_bare_metal import holds
from vclab.lab.layout import METAL
from vclab.lab.stock import METAL_ENDPOINT, METAL_IMAGE, NODES

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

STEPS = (
    "check_bmc",
    "set_network",
    "boot_network",
    "await_imaging",
    "find_disk",
    "clean",
    "write",
    "read_back",
    "fit",
    "set_boot_entry",
    "boot_disk",
    "await_system",
)
KINDS = ("bare-metal.boot_network", "bare-metal.await_imaging", "bare-metal.write")
"""Steps of each kind: one that switches, one that looks, a long one."""


def node(stack: Stack, name: str) -> bmcs.Node:
    """The node itself, from outside."""
    return bmcs.Node(stack.layout.nodes / name, name, "", 0)


def reserved(stack: Stack, user: str = "alice") -> dict[str, Any]:
    """One that is ready."""
    made = stack.reserve("--wait", image=METAL_IMAGE.name, user=user)
    assert made["state"] == "reserved", made
    return made


def computers(stack: Stack) -> dict[str, dict[str, Any]]:
    """What is recorded of the nodes."""
    return {each["name"]: each for each in stack.json("computer", "list") if each["pool"] == METAL_ENDPOINT}


def free(stack: Stack, name: str) -> None:
    """Wait until nobody holds it, and nothing is loaded to it."""
    eventually(lambda: not computers(stack)[name]["holder"], LONG)


def outcomes(stack: Stack, reservation: str, step: str) -> list[str]:
    """How each attempt of a step ended; empty: it never told."""
    query = "SELECT outcome FROM load_log WHERE reservation = ? AND name = ? ORDER BY attempt"
    return stack.column(query, reservation, step)


def test_what_a_user_leaves_is_on_no_disk_of_the_next_one(stack: Stack) -> None:
    first = reserved(stack)
    name, disk = first["computer"], stack.layout.nodes / first["computer"] / "disk.raw"
    said = stack.vclab("connect", first["id"], "--", "echo what-alice-left | sudo tee /root/mine; sudo sync").stdout
    assert "what-alice-left" in said and holds(disk, "what-alice-left")
    stack.end(first["id"])
    eventually(lambda: computers(stack)[name]["image"] == METAL_IMAGE.name, LONG)
    assert not holds(disk, "what-alice-left")
    second = reserved(stack, "bob")
    load = stack.show(second["id"])["load"]
    assert "bare-metal.write" not in [one["step"] for one in load], "it was brought back to its image before"
    assert stack.vclab("--as", "bob", "connect", second["id"], "--", "id -un").stdout.strip() == "bob"


def slow(stack: Stack, rate: str = "6mbit") -> None:
    """The wire to the nodes carries no more, so that who is killed is killed in the middle."""
    ran = stack.manage(
        "tc", "qdisc", "replace", "dev", METAL, "root", "tbf", "rate", rate, "burst", "64kb", "latency", "1s"
    )
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def unloaded(stack: Stack) -> Iterator[Stack]:
    """Nodes that hold nothing, so that each reservation needs a whole load."""
    stack.vclab("--as", "olga", "endpoint", "edit", METAL_ENDPOINT, "--after-use", "unloaded")
    for name in computers(stack):
        free(stack, name)
    while any(each["image"] for each in computers(stack).values()):
        used = reserved(stack)
        stack.vclab("connect", used["id"], "--", "true")
        stack.end(used["id"])
        free(stack, used["computer"])
    yield stack
    stack.vclab("--as", "olga", "endpoint", "edit", METAL_ENDPOINT, "--after-use", "on")


def killed_in(stack: Stack, part: str, steps: Sequence[str]) -> str:
    """A reservation that became ready though a part was killed in each of these steps."""
    client, r = stack.reserve_in_background(image=METAL_IMAGE.name)
    try:
        for step in steps:
            stack.in_step(r, step)
            if step == "bare-metal.write":
                slow(stack)
                eventually(lambda: "MiB written" in str((stack.show(r)["now"] or {}).get("remark")), LONG)
            if part == "worker":
                eventually(lambda: stack.state.parts["worker"].pid)
            stack.kill(part)
            stack.manage("tc", "qdisc", "del", "dev", METAL, "root")
    finally:
        stack.manage("tc", "qdisc", "del", "dev", METAL, "root")
        out, err = client.communicate(timeout=2 * LONG)
    assert client.returncode == 0 and "Traceback" not in err, err
    assert json.loads(out)["state"] == "reserved"
    return r


@pytest.mark.long
@pytest.mark.parametrize(
    "part, steps",
    [
        ("worker", tuple(f"bare-metal.{step}" for step in STEPS)),
        ("temporal", KINDS),
        ("dnsmasq-metal", ("bare-metal.boot_network", "bare-metal.await_imaging")),
    ],
    ids=("worker", "temporal", "dnsmasq"),
)
def test_a_part_is_killed_in_each_step(unloaded: Stack, part: str, steps: Sequence[str]) -> None:
    stack = unloaded
    others = {n.name: node(stack, n.name).told for n in NODES}
    r = killed_in(stack, part, steps)
    seen = stack.show(r)
    for step in steps:
        if part == "worker" and outcomes(stack, r, step):
            assert outcomes(stack, r, step)[-1] == "done", step
    untouched = [n for n in others if n != seen["computer"] and not computers(stack)[n]["holder"]]
    assert untouched
    for name in untouched:
        assert not [order for order in node(stack, name).told[len(others[name]) :] if "on" in order.split()], name
    assert stack.vclab("connect", r, "--", "id -un").stdout.strip() == "alice"


@pytest.mark.long
def test_a_node_whose_bmc_is_dead_costs_nobody_else_anything(stack: Stack) -> None:
    """The load goes to another node, or waits; who has one keeps it."""
    mine = reserved(stack)
    dead = next(each.name for each in NODES if each.name != mine["computer"])
    stack.kill(f"bmc-{dead}", SIGSTOP)
    try:
        ran = stack.vclab("--as", "olga", "power", dead, "status", check=False)
        assert "does not answer" in stack.one_line(ran, ran.returncode) and ran.returncode
        assert stack.vclab("connect", mine["id"], "--", "id -un").stdout.strip() == "alice"
        client, r = stack.reserve_in_background("--as", "bob", image=METAL_IMAGE.name)
        out, err = client.communicate(timeout=3 * LONG)
        assert client.returncode == 0, err
        other = json.loads(out)
        assert other["state"] == "reserved" and other["computer"] not in (dead, mine["computer"])
        if any(each["host"] == dead for each in stack.show(r)["failures"]):
            assert "not answer" in computers(stack)[dead]["why_out_of_service"]
    finally:
        stack.kill(f"bmc-{dead}")


@pytest.mark.long
def test_the_power_is_cut_in_the_middle_of_the_write(unloaded: Stack) -> None:
    stack = unloaded
    client, r = stack.reserve_in_background(image=METAL_IMAGE.name)
    stack.in_step(r, "bare-metal.write")
    slow(stack)
    eventually(lambda: "MiB written" in str((stack.show(r)["now"] or {}).get("remark")), LONG)
    hit = node(stack, stack.show(r)["computer"])
    hit.switch(False)
    stack.manage("tc", "qdisc", "del", "dev", METAL, "root")
    out, err = client.communicate(timeout=3 * LONG)
    assert client.returncode == 0, err
    assert json.loads(out)["state"] == "reserved"
    assert node(stack, json.loads(out)["computer"]).runs is Runs.DISK
