"""A long use of one computer, on real parts: from other places, shut down, restarted."""

import json

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import LONG, Session, Stack

pytestmark = [pytest.mark.lab, pytest.mark.long]

ELSEWHERE = "198.51.100.7"


def let_in(stack: Stack, r: str) -> list[str]:
    """From where, by the record."""
    (found,) = stack.column("SELECT remote_addresses FROM reservations WHERE id = ?", r)
    return [str(address) for address in json.loads(found)]


def test_elsewhere_and_off(stack: Stack) -> None:
    """The place before is let in while its session lasts; a machine that is shut down stays off until `reboot`."""
    r = stack.reserve("--wait")["id"]
    session = Session(stack, r)
    stack.is_in(r, "inuse")
    (here,) = let_in(stack, r)
    shown = stack.show(r)
    address = shown["address"]
    (private,) = stack.column("SELECT private_address FROM reservations WHERE id = ?", r)

    stack.vclab("--as", "alice", "connect", r, "--from", ELSEWHERE, "--print")
    session.goes_on()
    assert let_in(stack, r) == [here, ELSEWHERE]
    session.close()
    eventually(lambda: let_in(stack, r) == [ELSEWHERE], LONG)
    eventually(lambda: not stack.reaches("alice", address), LONG)
    session = Session(stack, r)
    eventually(lambda: let_in(stack, r) == [here], LONG)
    session.goes_on()

    stack.ssh_root(private, "poweroff")
    eventually(lambda: "is off" in (stack.show(r)["now"]["remark"] or ""), LONG, 0.5)
    assert stack.show(r)["state"] == "inuse"
    stack.vclab("--as", "alice", "reboot", r)
    eventually(lambda: stack.reaches("alice", address), LONG, 0.5)
    Session(stack, r).close()
    eventually(lambda: not stack.show(r)["now"]["remark"], LONG, 0.5)

    (generation,) = stack.column("SELECT generation FROM reservations WHERE id = ?", r)
    secrets = stack.layout.folder / "secrets" / "tenure" / shown["computer"] / str(generation)
    assert secrets.is_dir()
    stack.end(r)
    stack.nothing_left(r)
    eventually(lambda: not secrets.exists(), LONG)
