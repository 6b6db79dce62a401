"""The hardware of the lab's nodes is read, whatever dies meanwhile; then they are off again."""

import json

import pytest

from tests.stack.conftest import LONG, Json, Stack
from vclab.lab.stock import BMC_USER, NODE_DISK_BYTES, NODES, StockNode
from vclab.model.messages import inspection_workflow

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

INSPECT = ("--as", "olga", "computer", "inspect")


@pytest.mark.long
def test_a_worker_is_killed_while_a_node_starts(stack: Stack) -> None:
    node = NODES[0]
    client = stack.start(*INSPECT, node.name, "--json")
    stack.in_step(inspection_workflow(node.name), "bare-metal.await_imaging")
    stack.kill("worker")
    out, err = client.communicate(timeout=2 * LONG)
    assert client.returncode == 0, err
    found = json.loads(out)
    is_as_it_should(stack, node, found)
    assert any(BMC_USER in account for account in found["hardware"]["bmc"]["accounts"])


@pytest.mark.long
def test_one_whose_bmc_speaks_redfish(stack: Stack) -> None:
    node = next(each for each in NODES if each.redfish)
    is_as_it_should(stack, node, stack.json(*INSPECT, node.name))
    assert stack.json(*INSPECT, node.name, "--last")["recorded"]


def is_as_it_should(stack: Stack, node: StockNode, found: Json) -> None:
    """What was found, and the node afterwards."""
    assert [(disk["serial"], disk["size"]) for disk in found["hardware"]["disks"]] == [(node.serial, NODE_DISK_BYTES)]
    assert {card["mac"] for card in found["hardware"]["cards"]} == {node.private_mac, node.public_mac}
    assert (found["recorded"], found["differences"], found["out_of_service"]) == (True, [], "")
    assert stack.json("--as", "olga", "power", node.name, "status")["power"] == "off"
    assert stack.json("computer", "show", node.name)["holder"] == ""
