"""A computer that its user has spoiled is brought back to its image, and is theirs again."""

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import Session, Stack

pytestmark = pytest.mark.lab


def test_a_computer_is_brought_back_to_its_image(stack: Stack) -> None:
    made = stack.reserve("--wait")
    r = made["id"]
    session = Session(stack, r)
    stack.is_in(r, "inuse")
    stack.vclab("connect", r, "--", "echo mine > /home/alice/mine; sudo rm -rf /usr/share/doc; sudo touch /etc/spoiled")
    before = stack.show(r)
    line = stack.one_line(stack.vclab("reinstall", r, check=False), 3)
    assert "would be lost" in line and "--yes" in line
    assert "is being reinstalled" in stack.vclab("reinstall", r, "--yes").stdout
    assert session.over() == 255, "its user is out"
    eventually(lambda: stack.show(r)["state"] == "reserved" and stack.show(r)["access_open"])
    after = stack.show(r)
    assert (after["computer"], after["host"], after["end"]) == (before["computer"], before["host"], before["end"])
    assert after["host_key"] != before["host_key"]
    assert len(stack.machines_of(r)) == 1
    there = "ls /home/alice/mine /etc/spoiled 2> /dev/null; ls -d /usr/share/doc; id -un"
    assert stack.vclab("connect", r, "--", there).stdout.split() == ["/usr/share/doc", "alice"]
    stack.end(r)
    stack.finished(r)
    stack.nothing_left(r)
