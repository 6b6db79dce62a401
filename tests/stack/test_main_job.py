"""The main job on real parts: what ``vclab`` says, and what vCenter, OpenSSH and Temporal say from outside, agree."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from tests.labfixture import eventually
from tests.stack.conftest import DEDICATED, LONG, Session, Stack, marks

pytestmark = pytest.mark.lab


def test_a_reservation_from_end_to_end(stack: Stack) -> None:
    made = stack.reserve("--wait")
    r = made["id"]
    assert (made["state"], made["word"], made["image"], made["user"]) == ("reserved", "Ready", "debian-12", "alice")

    _vcenter_agrees(stack, made)
    _temporal_agrees(stack, r, "reserved")

    # Before Connect nobody gets in.
    assert not stack.reaches("alice", made["address"]) and not stack.reaches("bob", made["address"])

    ran = stack.vclab("connect", r, "--", "id -un; hostname")
    assert ran.stdout.split() == ["alice", made["computer"]]

    # Now alice does, and only she. From bob's place not even her key helps: the port is shut.
    assert stack.reaches("alice", made["address"]) and not stack.reaches("bob", made["address"])
    printed = stack.vclab("connect", r, "--print").stdout
    assert stack.layout.person("alice") in printed
    theft = printed.replace(stack.layout.person("alice"), stack.layout.person("bob")).replace("=15", "=2")
    ran = stack.manage("sh", "-c", theft.strip() + " true")
    assert ran.returncode == 255 and "timed out" in ran.stderr, ran

    session = Session(stack, r)
    stack.is_in(r, "inuse")
    _temporal_agrees(stack, r, "inuse")
    _others_can_do_nothing(stack, r)
    session.goes_on()

    assert stack.vclab("end", r).stdout == f"{r}  Ended: released\n"
    assert session.over() == 255  # ssh's own: the connection was closed
    stack.finished(r)
    stack.nothing_left(r)
    shown = stack.show(r)
    assert (shown["state"], shown["ending"], shown["word"]) == ("complete", "released", "Ended")
    assert stack.search_attributes(r)["LabState"] == "complete"
    assert stack.workflow_status(r) == "COMPLETED"

    assert "has ended already: released" in stack.vclab("end", r).stdout
    line = stack.one_line(stack.vclab("connect", r, check=False), 1)
    assert f"{r} has ended: released; reserve again with `vclab reserve debian-12`" in line
    assert "can't be extended" in stack.one_line(stack.vclab("extend", r, "--by", "1h", check=False), 1)


def _vcenter_agrees(stack: Stack, made: dict[str, object]) -> None:
    (machine,) = stack.machines_of(str(made["id"]))
    found = marks(machine)
    assert found["installation"] == stack.layout.tag
    assert (found["computer"], found["generation"]) == (made["computer"], str(made["generation"]))
    assert machine.runtime.host.name == made["host"] and machine.runtime.powerState == "poweredOn"
    addresses = [address for card in machine.guest.net for address in card.ipAddress]
    assert made["address"] in addresses
    assert stack.machine(machine.name)  # the real one behind it
    assert stack.files_of(str(made["id"]))
    assert stack.created(str(made["id"])) == 1


def _temporal_agrees(stack: Stack, r: str, state: str) -> None:
    shown, found = stack.show(r), eventually(lambda: _in_state(stack, r, state))
    assert shown["state"] == state
    for name in ("user", "image", "computer", "host"):
        assert found[f"Lab{name.capitalize()}"] == shown[name]
    difference = found["LabEnd"] - datetime.fromisoformat(shown["end"])
    assert abs(difference) < timedelta(seconds=1)
    query = f"LabComputer = '{shown['computer']}' AND LabUser = 'alice' AND ExecutionStatus = 'Running'"
    eventually(lambda: stack.temporal(lambda client: _ids(client, query)) == [f"reservation-{r}"])


async def _ids(client: Client, query: str) -> list[str]:
    return [found.id async for found in client.list_workflows(query)]


def _in_state(stack: Stack, r: str, state: str) -> dict[str, Any]:
    found = stack.search_attributes(r)
    return found if found["LabState"] == state else {}


def _others_can_do_nothing(stack: Stack, r: str) -> None:
    for verb in ("show", "connect", "end"):
        ran = stack.vclab("--as", "bob", verb, r, check=False)
        assert f"there is no reservation '{r}'" in stack.one_line(ran, 4)
    assert stack.listed("bob") == []
    assert [one["id"] for one in stack.listed()] == [r]


def test_an_operator_ends_anybodys_reservation_also_while_it_loads(stack: Stack) -> None:
    stack.vcsim.slow_copies(90)
    client, r = stack.reserve_in_background(image=DEDICATED)
    stack.in_step(r, "vsphere.copy_disk")
    line = stack.one_line(stack.vclab("connect", r, check=False), 3)
    assert "is not ready yet: Preparing (2/8)" in line
    assert stack.vclab("--as", "olga", "end", r).stdout == f"{r}  Ended: deleted before Connect\n"
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 1 and "has ended meanwhile: deleted" in err and "Traceback" not in err, (out, err)
    stack.finished(r, 60)  # long before the copy would have been done: it was stopped
    stack.nothing_left(r)
    assert "ended by olga" in stack.show(r, "alice")["reason"]
