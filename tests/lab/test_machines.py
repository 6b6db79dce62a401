"""A virtual machine that is powered on in the vCenter is a real machine: by plain pyvmomi, ssh and ping."""

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.labfixture import Lab, Vcenter, addresses, eventually, wait
from vclab.lab.layout import TEMPORAL_PORT
from vclab.lab.machines import content_of
from vclab.lab.stock import DATASTORE

pytestmark = pytest.mark.lab
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def vcenter(lab: Lab) -> Vcenter:
    return lab.vcenter()


@pytest.fixture
def make(vcenter: Vcenter) -> Iterator[Make]:
    """Makes machines that are removed afterwards."""
    made = []

    def new(name: str, number: int, image: str = "debian-12", child: bool = False, isolated: bool = False) -> Any:
        made.append(vcenter.make(name, number, image, child, isolated))
        return made[-1]

    yield new
    for machine in made:
        remove(machine)


def remove(machine: Any) -> None:
    if machine.runtime.powerState == "poweredOn":
        wait(machine.PowerOffVM_Task())
    wait(machine.Destroy_Task())


def on(lab: Lab, machine: Any, ssh: bool = True) -> tuple[str, str]:
    """Power it on; its private and public address, as its guest tools report them, once it answers."""
    wait(machine.PowerOnVM_Task())
    try:
        private, public = addresses(machine)
    except AssertionError as late:
        raise AssertionError(f"{late}; {evidence(lab, machine)}") from None
    if ssh:
        eventually(lambda: lab.ssh_root(private, "true").returncode == 0)
    return private, public


def evidence(lab: Lab, machine: Any) -> str:
    """What can be seen of a machine that has no addresses."""
    runs, cards = lab.machine(machine.name), [(card.macAddress, card.ipAddress) for card in machine.guest.net]
    leases = lab.layout.leases.read_text() if lab.layout.leases.exists() else "none"
    consoles = sorted(lab.layout.folder.rglob("console.log"), key=lambda log: log.stat().st_mtime)
    said = consoles[-1].read_text(errors="replace")[-2000:] if consoles else ""
    return f"{machine.runtime.powerState}, process {runs}, cards {cards}, leases {leases}, newest console: {said}"


def disk(lab: Lab, name: str) -> Path:
    return lab.layout.datastore / "by-hand" / name / f"{name}.vmdk"


def test_a_machine_is_real_while_it_is_on(lab: Lab, make: Make) -> None:
    machine = make("one", 1)
    private, public = on(lab, machine)

    assert private.startswith("10.77.") and public.startswith("203.0.113.")
    assert machine.guest.toolsRunningStatus == "guestToolsRunning"
    cards = lab.ssh_root(private, "cat", "/sys/class/net/eth0/address", "/sys/class/net/eth1/address").stdout.split()
    assert cards == ["02:00:00:00:00:01", "02:00:00:01:00:01"]
    assert lab.ssh_root(private, "cat", "/proc/1/comm").stdout.strip() == "init"
    running = lab.ssh_root(private, "ps", "-eo", "comm=").stdout.split()
    assert {"sshd", "cron", "atd"} < set(running) and len(running) < 20
    assert lab.reaches("alice", public) and not lab.reaches("alice", private)

    pid = lab.machine("one")
    wait(machine.PowerOffVM_Task())
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert lab.machine("one") == 0
    assert not lab.reaches("alice", public)


def test_two_machines_with_the_same_macs_are_apart_on_the_private_and_the_imaging_network(lab: Lab, make: Make) -> None:
    source, sealed = make("source", 17), make("sealed", 17, isolated=True)
    private, public = on(lab, source)
    wait(sealed.PowerOnVM_Task())
    imaging = eventually(lambda: next((card.ipAddress[0] for card in sealed.guest.net if card.ipAddress), ""))
    assert imaging.startswith("198.18.")
    eventually(lambda: lab.ssh_root(imaging, "true").returncode == 0)

    cards = "cat /sys/class/net/eth0/address /sys/class/net/eth1/address; cat /sys/class/net/eth?/carrier"
    assert lab.ssh_root(imaging, cards).stdout.split() == ["02:00:00:00:00:11", "02:00:00:01:00:11", "1", "0"]
    lab.ssh_root(imaging, "echo sealed > /root/mark")
    assert lab.ssh_root(private, "cat /root/mark").returncode == 1, "it is another machine"
    assert lab.reaches("alice", public) and not lab.reaches("alice", imaging)
    ours, theirs = lab.layout.leases.read_text().split(), lab.layout.imaging_leases.read_text().split()
    assert {private, public} <= set(ours) and imaging in theirs and imaging not in ours
    assert lab.ssh_root(imaging, "ping", "-c1", "-W2", "198.18.0.1").returncode == 0
    to_temporal = f"import socket; socket.create_connection(('198.18.0.1', {TEMPORAL_PORT}), 1)"
    assert lab.ssh_root(imaging, "python3", "-c", f'"{to_temporal}"').returncode != 0
    for other in (private, public):
        assert lab.ssh_root(imaging, "ping", "-c1", "-W1", other).returncode != 0

    wait(source.PowerOffVM_Task())
    again, _ = on(lab, source)
    assert again == private, "the lease was not forgotten"
    assert lab.ssh_root(imaging, "cat /root/mark").stdout == "sealed\n"


def test_a_firewall_in_the_machine_is_its_own(lab: Lab, make: Make) -> None:
    private, public = on(lab, make("two", 2))
    rule = "iptables -A INPUT -i eth1 -p tcp --dport 22 ! -s 203.0.113.12 -j DROP"
    assert lab.ssh_root(private, rule).returncode == 0
    assert lab.reaches("bob", public) and not lab.reaches("alice", public)


def test_a_machine_reaches_nothing_but_its_networks(lab: Lab, make: Make) -> None:
    private, _ = on(lab, make("three", 3))
    inside = [f"import socket; socket.create_connection(('{to}', {TEMPORAL_PORT}), 1)" for to in ("10.77.0.1",)]
    for program in inside:
        assert lab.ssh_root(private, "python3", "-c", f'"{program}"').returncode != 0
    assert lab.ssh_root(private, "ping", "-c1", "-W2", "10.77.0.1").returncode == 0
    assert lab.ssh_root(private, "ip", "route", "show", "default").stdout == ""


def test_disk_and_host_key_outlive_a_reset_and_a_power_cycle(lab: Lab, make: Make) -> None:
    machine = make("four", 4)
    private, _ = on(lab, machine)
    look = "cat /proc/sys/kernel/random/boot_id /etc/ssh/ssh_host_ed25519_key.pub /root/mark"
    lab.ssh_root(private, "echo mine > /root/mark")
    seen = [lab.ssh_root(private, look).stdout.splitlines()]

    wait(machine.ResetVM_Task())
    eventually(lambda: new_boot(lab, private, look, seen))
    wait(machine.PowerOffVM_Task())
    on(lab, machine)
    eventually(lambda: new_boot(lab, private, look, seen))

    boots, keys, marks = zip(*seen, strict=True)
    assert len(set(boots)) == 3 and len(set(keys)) == 1 and set(marks) == {"mine"}


def new_boot(lab: Lab, private: str, look: str, seen: list[list[str]]) -> bool:
    """True once the machine answers with another boot id than before."""
    lines = lab.ssh_root(private, look).stdout.splitlines()
    if len(lines) != 3 or lines[0] == seen[-1][0]:
        return False
    seen.append(lines)
    return True


def test_reboot_inside_boots_again(lab: Lab, make: Make) -> None:
    machine = make("five", 5)
    private, _ = on(lab, machine)
    look = "cat /proc/sys/kernel/random/boot_id; echo; echo"
    seen = [lab.ssh_root(private, look).stdout.splitlines()]
    lab.ssh_root(private, "reboot")
    eventually(lambda: new_boot(lab, private, look, seen))
    assert machine.runtime.powerState == "poweredOn"


def test_poweroff_inside_powers_the_virtual_machine_off(lab: Lab, make: Make) -> None:
    machine = make("six", 6)
    private, _ = on(lab, machine)
    lab.ssh_root(private, "poweroff")
    eventually(lambda: machine.runtime.powerState == "poweredOff")
    assert lab.machine("six") == 0
    on(lab, machine)


def test_shutdown_inside_powers_the_virtual_machine_off(lab: Lab, make: Make) -> None:
    machine = make("shut", 18)
    private, _ = on(lab, machine)
    lab.ssh_root(private, "shutdown -h now")
    eventually(lambda: machine.runtime.powerState == "poweredOff")
    assert lab.machine("shut") == 0


def test_a_machine_can_ignore_a_shutdown(lab: Lab, make: Make) -> None:
    machine = make("stubborn", 19)
    private, _ = on(lab, machine)
    lab.ignore_shutdown(private)
    for number, command in enumerate(("shutdown -h now", "poweroff"), 1):
        lab.ssh_root(private, command)
        eventually(partial(has_ignored, lab, private, number))
    assert machine.runtime.powerState == "poweredOn" and lab.machine("stubborn")
    wait(machine.PowerOffVM_Task())
    eventually(lambda: lab.machine("stubborn") == 0)


def has_ignored(lab: Lab, private: str, times: int) -> bool:
    return lab.ssh_root(private, "wc -l < /run/ignored").stdout.strip() == str(times)


def test_a_crashed_machine_starts_again(lab: Lab, make: Make) -> None:
    private, _ = on(lab, make("seven", 7))
    pid = lab.machine("seven")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: lab.machine("seven") not in (0, pid))
    eventually(lambda: lab.ssh_root(private, "true").returncode == 0)


def test_two_machines_of_one_image_are_two(lab: Lab, make: Make) -> None:
    (first, _), (second, _) = on(lab, make("left", 11)), on(lab, make("right", 12))
    key = "cat /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id"
    assert lab.ssh_root(first, key).stdout != lab.ssh_root(second, key).stdout
    lab.ssh_root(first, "useradd", "somebody")
    assert lab.ssh_root(first, "id", "somebody").returncode == 0
    assert lab.ssh_root(second, "id", "somebody").returncode != 0


def test_a_child_that_is_moved_while_it_runs_keeps_all_that_was_written(lab: Lab, vcenter: Vcenter, make: Make) -> None:
    machine = make("moved", 13, child=True)
    private, _ = on(lab, machine)
    lab.ssh_root(private, "echo before > /root/mark")
    other = next(store for store in vcenter.datacenter.datastore if store.name != DATASTORE)
    wait(machine.RelocateVM_Task(vcenter.vim.vm.RelocateSpec(datastore=other)))
    lab.ssh_root(private, "echo after >> /root/mark")
    wait(machine.PowerOffVM_Task())
    private, _ = on(lab, machine)
    assert lab.ssh_root(private, "cat /root/mark").stdout.split() == ["before", "after"]


def test_a_copy_of_a_child_boots_with_what_was_written(lab: Lab, vcenter: Vcenter, make: Make) -> None:
    machine = make("original", 14, child=True)
    private, _ = on(lab, machine)
    lab.ssh_root(private, "echo mine > /root/mark; rm -r /usr/share/zoneinfo; sync")
    wait(machine.PowerOffVM_Task())  # the machine itself ends a moment later
    files, disks = vcenter.content.fileManager, vcenter.content.virtualDiskManager
    files.MakeDirectory(f"[{DATASTORE}] vclab-images/flat/1", vcenter.datacenter, True)
    source, copy = f"[{DATASTORE}] by-hand/original/original.vmdk", f"[{DATASTORE}] vclab-images/flat/1/disk.vmdk"
    wait(disks.CopyVirtualDisk_Task(source, vcenter.datacenter, copy, vcenter.datacenter, None, False), 60)
    for name, number, child in (("its-child", 15, True), ("its-copy", 16, False)):
        private, _ = on(lab, make(name, number, "flat", child=child))
        assert lab.ssh_root(private, "cat /root/mark").stdout == "mine\n"
        assert lab.ssh_root(private, "test -e /usr/share/zoneinfo").returncode == 1


def test_a_removed_machine_leaves_no_disk(lab: Lab, vcenter: Vcenter) -> None:
    machine = vcenter.make("eight", 8)
    on(lab, machine, ssh=False)
    content = content_of(lab.layout, disk(lab, "eight"))
    assert (content / "console.log").exists()
    remove(machine)
    eventually(lambda: not content.exists())


@pytest.mark.long
def test_ten_machines_boot_at_the_same_time(lab: Lab, make: Make) -> None:
    machines = [make(f"ten{n}", 20 + n) for n in range(10)]
    for task in [machine.PowerOnVM_Task() for machine in machines]:
        wait(task)
    found = {addresses(machine) for machine in machines}
    assert len({address for both in found for address in both}) == 20


def test_a_machine_without_ssh_has_addresses(lab: Lab, make: Make) -> None:
    lab.add_image("silent")
    private, _ = on(lab, make("nine", 9, "silent"), ssh=False)
    assert "refused" in lab.ssh_root(private, "true").stderr  # it is there, but nobody listens


def test_a_disk_without_an_operating_system_does_not_boot(lab: Lab, make: Make) -> None:
    lab.add_image("blank", boots="nothing-of-that-name")
    machine = make("ten", 10, "blank")
    wait(machine.PowerOnVM_Task())
    console = content_of(lab.layout, disk(lab, "ten")) / "console.log"
    eventually(lambda: console.exists() and "no operating system" in console.read_text())
    assert lab.machine("ten") == 0
