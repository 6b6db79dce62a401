"""A computer that takes ten seconds for each command: all is waited for, and nothing is taken for broken."""

import json

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import Session, Stack
from vclab.lab import rootfs

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(1200)]

SLOW = """#!/bin/sh
sleep 10
exec /bin/sh "$@"
"""
PATIENT = 900.0
"""Seconds; a load runs about a dozen commands, letting somebody in half a dozen."""


def add_slow_image(stack: Stack) -> None:
    """An image whose root has a login shell that takes its time."""
    key = stack.layout.ssh_key.with_suffix(".pub").read_text()
    layer = stack.layout.layers / "slow"
    rootfs.make_layer(layer, key)
    shell = layer / "usr/local/sbin/slow-sh"
    shell.parent.mkdir(parents=True)
    shell.write_text(SLOW)
    shell.chmod(0o755)
    known = (rootfs.tree(print) / "etc/passwd").read_text()
    (layer / "etc").mkdir()
    (layer / "etc/passwd").write_text(known.replace("root:/root:/bin/bash", "root:/root:/usr/local/sbin/slow-sh"))
    stack.add_image("slow", boots="slow")


def test_ten_seconds_a_command(stack: Stack) -> None:
    add_slow_image(stack)
    client = stack.start("reserve", "slow", "--for", "1h", "--wait", "--json")
    out, err = client.communicate(timeout=PATIENT)
    assert client.returncode == 0, (out, err)
    reservation = json.loads(out)
    r = reservation["id"]
    assert reservation["state"] == "reserved"
    failed = "SELECT name FROM load_log WHERE reservation = ? AND outcome = 'failed'"
    moved = "SELECT id FROM events WHERE reservation = ? AND what = 'moved'"
    assert (stack.column(failed, r), stack.column(moved, r)) == ([], []), "at the first try"

    session = Session(stack, r)
    stack.is_in(r, "inuse")
    session.goes_on()
    assert not stack.show(r)["now"]["remark"], "it can be looked at"
    stack.vclab("reboot", r)
    rebooted = "SELECT id FROM events WHERE reservation = ? AND what = 'rebooted'"
    eventually(lambda: stack.column(rebooted, r), PATIENT, 0.5)
    eventually(lambda: not stack.show(r)["now"]["remark"], PATIENT, 0.5)
    assert stack.vclab("connect", r, "--", "id", "-un").stdout == "alice\n"
    assert stack.show(r)["state"] == "inuse"
    stack.end(r)
    stack.nothing_left(r)
    assert stack.show(r)["ending"] == "released"
