"""More of what goes wrong outside: people at the vCenter, its sessions and password, addresses, keys, disks and locks.

Several faults share a reservation, for a load is what takes its time.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest

from tests.labfixture import eventually, run, wait
from tests.stack.conftest import ADMIN, DEDICATED, LONG, Session, Stack

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(600)]


def hosts_of(vcenter: Any) -> dict[str, Any]:
    """A vCenter's hosts by name."""
    return {host.name: host for computer in vcenter.datacenter.hostFolder.childEntity for host in computer.host}


def works(stack: Stack, r: str) -> bool:
    """Alice gets in."""
    return stack.vclab("connect", r, "--", "id", "-un", check=False).stdout == "alice\n"


def remark(stack: Stack, r: str) -> str:
    """What a reservation says that people must know."""
    return stack.show(r)["now"]["remark"] or ""


def test_what_people_do_at_the_vcenter(stack: Stack) -> None:
    vcenter = stack.vcenter()
    hosts = hosts_of(vcenter)
    wait(hosts["esx1"].EnterMaintenanceMode_Task(0))
    r = stack.reserve("--wait")["id"]
    assert stack.show(r)["host"] == "esx2", "the other one is in maintenance"
    wait(hosts["esx1"].ExitMaintenanceMode_Task(0))
    session = Session(stack, r)
    stack.is_in(r, "inuse")

    (machine,) = stack.machines_of(r)
    there = vcenter.vim.vm.RelocateSpec(host=hosts["esx1"], pool=hosts["esx1"].parent.resourcePool)
    wait(machine.RelocateVM_Task(there, "defaultPriority"))
    session.goes_on()
    assert stack.show(r)["state"] == "inuse"

    wait(machine.PowerOffVM_Task())
    stack.vclab("reboot", r)  # it can't be asked, so it is switched on
    eventually(lambda: works(stack, r), LONG, 0.5)
    assert stack.show(r)["state"] == "inuse"

    wait(machine.PowerOffVM_Task())
    wait(machine.Destroy_Task())
    stack.vclab("reboot", r)
    eventually(lambda: "Somebody has deleted it" in remark(stack, r), LONG, 0.5)
    assert stack.show(r)["state"] == "inuse", "only its end, its user or an operator end it"
    stack.end(r)
    stack.nothing_left(r)
    assert stack.show(r)["ending"] == "released"


def test_machines_are_deleted_and_switched_off_while_they_load(stack: Stack) -> None:
    """Each load is done again in the other place; what has no other one any more says what somebody has done to it."""
    stack.vcsim.slow_task("PowerOn", 3)
    client, r = stack.reserve_in_background()
    stack.in_step(r, "vsphere.power_on")
    (machine,) = eventually(lambda: stack.machines_of(r), LONG)
    wait(machine.Destroy_Task())
    stack.vcsim.mend()
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0 and json.loads(out)["state"] == "reserved", (out, err)
    assert works(stack, r)
    stack.end(r)

    stack.add_image("silent")
    known = set(stack.column("SELECT id FROM reservations"))
    client = stack.start("reserve", "silent", "--for", "1h", "--wait", "--json")
    (r,) = eventually(lambda: set(stack.column("SELECT id FROM reservations")) - known, LONG)
    stack.in_step(r, "linux.wait_ssh")
    (machine,) = stack.machines_of(r)
    wait(machine.PowerOffVM_Task())
    wait(machine.Destroy_Task())
    query = "SELECT detail FROM load_log WHERE reservation = ? AND name = 'linux.wait_ssh' AND outcome = 'failed'"
    (why,) = eventually(lambda: stack.column(query, r), LONG)
    assert "is not on lab-vcenter any more: it was deleted while it was loaded" in why

    query = "SELECT DISTINCT generation FROM load_log WHERE reservation = ? AND name = 'linux.wait_ssh'"
    eventually(lambda: len(stack.column(query, r)) == 2, LONG)
    (machine,) = stack.machines_of(r)
    wait(machine.PowerOffVM_Task())
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 1 and "is off: it was switched off while it was loaded" in err, (out, err)
    stack.finished(r)
    stack.nothing_left(r)


@contextmanager
def squatter(stack: Stack, address: str) -> Iterator[str]:
    """A machine that nobody of ours knows has an address of the private network; its MAC."""
    mac, name = "02:00:00:00:0e:01", f"{stack.layout.tag}-squat"
    here, there = ("ip", "-n", stack.layout.management), ("ip", "-n", name)
    commands = (
        ("ip", "netns", "add", name),
        (*here, "link", "add", "squatter", "type", "veth", "peer", "name", "eth0", "netns", name),
        (*here, "link", "set", "squatter", "master", "private", "up"),
        (*there, "address", "add", f"{address}/16", "dev", "eth0"),
        (*there, "link", "set", "eth0", "address", mac, "up"),
    )
    try:
        for command in commands:
            ran = run(*command)
            assert ran.returncode == 0, ran
        yield mac
    finally:
        run("ip", "netns", "delete", name)


def test_an_address_that_another_machine_has_taken(stack: Stack) -> None:
    r = stack.reserve("--wait")["id"]
    computer = stack.show(r)["computer"]
    (address,) = stack.column("SELECT private_address FROM reservations WHERE id = ?", r)
    stack.end(r)
    with squatter(stack, address) as mac:
        ran = stack.vclab("reserve", "debian-12", "--for", "1h", "--wait", check=False)
        said = ran.stderr.strip().splitlines()[-1]
        assert ran.returncode == 1 and f"{address} is kept for {computer}" in said and mac in said, ran
    assert stack.reserve("--wait")["computer"] == computer


def test_sessions_end_and_the_password_is_another(stack: Stack) -> None:
    stack.vcsim.slow_copies(3)
    client, r = stack.reserve_in_background(image=DEDICATED)
    watching = stack.start("watch", r)
    stack.in_step(r, "vsphere.copy_disk")
    manager = stack.vcenter().content.sessionManager
    time.sleep(0.8)  # its task runs by now
    own = manager.currentSession.key
    manager.TerminateSession([s.key for s in manager.sessionList if s.key != own])

    stack.in_step(r, "vsphere.create_vm")
    file = stack.layout.vcenter / "password"
    file.write_text("another one")
    stack.kill("vcsim")
    eventually(stack.vcenter_answers, LONG, 0.2)
    line = stack.one_line(stack.vclab("--as", "bob", "reserve", "debian-12", check=False), 3)
    assert "refuses the password kept" in line and "`vclab endpoint edit lab-vcenter --password`" in line, line
    ran = stack.vclab(*ADMIN, "endpoint", "edit", "lab-vcenter", "--password", typed="another one\n")
    assert "another one" not in ran.stdout + ran.stderr
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0, (out, err)
    assert json.loads(out)["state"] == "reserved"
    stack.end(r)
    out, err = watching.communicate(timeout=LONG)
    assert (watching.returncode, "Traceback" in err) == (0, False), err
    stack.nothing_left(r)


def test_dhcp_gives_other_addresses_and_then_the_host_key_is_another(stack: Stack) -> None:
    r = stack.reserve("--wait")["id"]
    assert works(stack, r)
    stack.is_in(r, "inuse")
    before = stack.column("SELECT private_address || ' ' || public_address FROM reservations WHERE id = ?", r)[
        0
    ].split()
    give_away(stack, r, before)
    stack.vclab("reboot", r)
    address = eventually(lambda: moved(stack, r, before), LONG, 0.2)
    assert stack.show(r)["address"] == address and works(stack, r)
    assert stack.column("SELECT what FROM events WHERE reservation = ? AND what = 'rebooted'", r)

    (inside,) = stack.column("SELECT private_address FROM reservations WHERE id = ?", r)
    new_key = "rm /etc/ssh/ssh_host_*; ssh-keygen -A; kill -HUP $(cat /run/sshd.pid)"
    stack.ssh_root(inside, new_key)
    ran = stack.vclab("connect", r, "--", "id", "-un", check=False)
    assert ran.returncode and not ran.stdout, "the user's own ssh does not go there either"
    line = stack.one_line(stack.vclab("connect", r, "--print", "--from", "203.0.113.77", check=False), 3)
    assert "shows host key SHA256:" in line and "was pinned" in line and "nothing was done to it" in line
    shown = stack.show(r)
    assert shown["state"] == "inuse" and "203.0.113.77" not in shown["remote_addresses"], "what was open is open"


def give_away(stack: Stack, r: str, addresses: list[str]) -> None:
    """The DHCP server has given a reservation's addresses to other machines."""
    cards = {card["mac"] for m in stack.vcsim.machines() if r in m["name"] for card in m["nics"]}
    kept = [line for line in stack.layout.leases.read_text().splitlines() if not cards & set(line.split())]
    ends = int(time.time()) + 3600
    others = [f"{ends} 02:00:00:00:0f:{n:02x} {address} other{n} *" for n, address in enumerate(addresses)]
    stack.kill("dnsmasq")
    stack.layout.leases.write_text("\n".join([*kept, *others, ""]))


def moved(stack: Stack, r: str, before: list[str]) -> str:
    """The public address, once both are others than before."""
    now = stack.column("SELECT private_address || ' ' || public_address FROM reservations WHERE id = ?", r)[0].split()
    return now[1] if not set(now) & set(before) else ""


def test_a_copy_that_fills_the_datastore(stack: Stack) -> None:
    stack.vcsim.slow_copies(2)
    client, r = stack.reserve_in_background(image=DEDICATED)
    stack.in_step(r, "vsphere.copy_disk")
    time.sleep(0.8)  # its task runs by now
    stack.vcsim.full()
    query = "SELECT detail FROM load_log WHERE reservation = ? AND name = 'vsphere.copy_disk' AND outcome = 'failed'"
    (why,) = eventually(lambda: stack.column(query, r), LONG)
    assert "datastore ds1 has no space for a copy of" in why
    assert not [path for path in stack.files_of(r) if ".copy-" in path.name], "the partial copy is deleted"
    stack.end(r)
    client.communicate(timeout=LONG)
    stack.nothing_left(r)


def test_a_worker_that_sleeps_while_a_task_succeeds_and_a_database_that_is_locked(stack: Stack) -> None:
    stack.vcsim.slow_task("CreateVm", 3)
    client, r = stack.reserve_in_background()
    stack.in_step(r, "vsphere.create_vm")
    time.sleep(0.5)
    pid = stack.kill("worker", SIGSTOP)  # the server gives it up after 6 s, and lets the same worker do it again
    try:
        time.sleep(7)
    finally:
        os.kill(pid, SIGCONT)
    stack.in_step(r, "vsphere.find_address")
    with closing(sqlite3.connect(stack.layout.database, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert [one["id"] for one in stack.listed()] == [r]
        time.sleep(11)  # a record is given up after 10 s, and written all the same
    out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0, (out, err)
    assert stack.created(r) == 1 and len(stack.machines_of(r)) == 1
    assert works(stack, r)
