"""Killed, cut off, cancelled, restarted at any moment: run again, there is one machine with one disk."""

import itertools
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.provisioning.bench import STEPS, Bench, FakeContext
from tests.provisioning.wire import Wire, insist, removal_of, step_of
from vclab.model.errors import Interrupted, Unreachable
from vclab.model.plans import Target
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import master
from vclab.provisioning.vsphere.properties import find_all


@pytest.mark.parametrize(("how", "keeps"), [("after", False), ("before", False), ("lost", True)])
def test_cut_off_at_any_act(bench: Bench, wire: Wire, how: str, keeps: bool) -> None:
    """At each single act of a life on the endpoint, from the first step to the removal."""
    for number in itertools.count(1):
        target = bench.target()
        where = f"{how} act {number}"
        wire.cut(number, how)
        for step in STEPS:
            insist(bench, wire, step_of(bench, step, target), keeps)
        cut, wire.cut_at = wire.cut_at, 0
        assert [m.power for m in bench.machines(target.computer)] == ["on"], where
        assert bench.disks(target) == [f"{target.machine_name}.vmdk"], where
        wire.cut_at = cut
        insist(bench, wire, removal_of(target), keeps)
        assert bench.machines(target.computer) == [], where
        assert not [p for p in bench.directory(target).parent.iterdir() if p.name.startswith(target.machine_name)], (
            where
        )
        if len(wire.acts) < number:
            assert "Destroy_Task" in wire.acts and number > 8
            return


def _killed(bench: Bench, step: str, target: Target, folder: Path, after: float) -> dict[str, str]:
    """Run a step in a process, kill it; what it had remembered."""
    file = folder / "step.json"
    given = {"endpoint": asdict(bench.endpoint), "target": asdict(target), "password": bench.password, "step": step}
    file.write_text(json.dumps(given))
    process = subprocess.Popen([sys.executable, "-m", "tests.provisioning.child", str(file)])
    kept = file.with_suffix(".kept")
    deadline = time.monotonic() + 20
    while not kept.exists() or not kept.read_text():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(after)
    process.kill()
    process.wait()
    remembered: dict[str, str] = json.loads(kept.read_text())
    return remembered


@pytest.mark.parametrize("memory", ["kept", "lost"])
def test_killed_in_the_middle_of_a_copy(bench: Bench, target: Target, tmp_path: Path, memory: str) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 1500})
    kept = _killed(bench, "vsphere.copy_disk", target, tmp_path, 0.3)
    assert bench.disks(target) == [kept["copy"].rpartition("/")[2]], "the copy goes on without its worker"
    context = FakeContext(remembered=kept if memory == "kept" else {})
    bench.run("vsphere.copy_disk", target, context)
    assert bench.disks(target) == [f"{target.machine_name}.vmdk"]
    assert "rootfs" in (bench.directory(target) / f"{target.machine_name}.vmdk").read_text()
    assert bool(context.kept) == (memory == "lost"), "with its memory no second copy is begun"
    bench.simulator.control("DELETE", "/fault")
    for step in STEPS[2:]:
        bench.run(step, target)
    assert [m.power for m in bench.machines(target.computer)] == ["on"]


def test_killed_while_the_machine_is_made(bench: Bench, target: Target, tmp_path: Path) -> None:
    bench.run("vsphere.copy_disk", target)
    bench.simulator.control("POST", "/fault", {"kind": "task_delay", "task": "CreateVM", "ms": 1000})
    kept = _killed(bench, "vsphere.create_vm", target, tmp_path, 0.1)
    bench.run("vsphere.create_vm", target, FakeContext(remembered=kept))
    assert len(bench.machines(target.computer)) == 1
    assert bench.disks(target) == [f"{target.machine_name}.vmdk"]


def test_two_attempts_at_once_make_one_machine(bench: Bench, target: Target) -> None:
    bench.run("vsphere.copy_disk", target)
    bench.simulator.control("POST", "/fault", {"kind": "task_delay", "task": "CreateVM", "ms": 200})
    errors: list[Exception] = []

    def attempt() -> None:
        try:
            bench.run("vsphere.create_vm", target, module=bench.new_module())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(bench.machines(target.computer)) == 1


def test_a_late_power_on_is_adopted(bench: Bench, target: Target) -> None:
    for step in STEPS[:3]:
        bench.run(step, target)
    bench.simulator.control("POST", "/fault", {"kind": "task_delay", "task": "PowerOn", "ms": 500})
    site = bench.site()
    [machine] = bench.machines(target.computer)
    machine.ref.PowerOnVM_Task(None)  # and its caller is gone
    bench.run("vsphere.power_on", target)
    assert [m.power for m in bench.machines(target.computer)] == ["on"]
    events = [e for e in bench.simulator.events if e.get("uuid") == target.instance_uuid]
    assert [e["state"] for e in events if e["event"] == "power"] == ["poweredOn"]
    assert site.endpoint.name == "lab-vcenter"


def test_a_definition_that_was_never_finished_is_replaced(bench: Bench, target: Target) -> None:
    bench.run("vsphere.copy_disk", target)
    (bench.directory(target) / f"{target.machine_name}.vmx").write_text("half")
    (bench.directory(target) / f"{target.machine_name}.nvram").write_text("")
    bench.run("vsphere.create_vm", target)
    assert len(bench.machines(target.computer)) == 1


def test_a_cancelled_copy_is_stopped_and_deleted(bench: Bench, target: Target) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 20_000})
    context = FakeContext(cancel_when=" %")
    start = time.monotonic()
    with pytest.raises(Interrupted, match="stopped as asked"):
        bench.run("vsphere.copy_disk", target, context)
    assert time.monotonic() - start < 15
    assert any(text.startswith("copied ") for text in context.told)
    assert bench.files(target) == []
    bench.module.remove(FakeContext(), target)
    assert not bench.directory(target).exists()


def test_a_copy_that_ends_despite_the_cancel_is_deleted(bench: Bench, target: Target) -> None:
    with pytest.raises(Interrupted, match="just been finished"):
        bench.run("vsphere.copy_disk", target, FakeContext(cancel_when="copying"))
    assert bench.files(target) == []


def test_the_endpoint_restarts_in_the_middle_of_a_copy(own_bench: Bench) -> None:
    target = own_bench.target()
    own_bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 20_000})
    context = FakeContext()
    errors: list[Exception] = []

    def attempt() -> None:
        try:
            own_bench.run("vsphere.copy_disk", target, context)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    while not context.kept:
        time.sleep(0.01)
    own_bench.simulator.restart(kill=True)
    thread.join(10)
    assert len(errors) == 1 and isinstance(errors[0], Unreachable)
    own_bench.run("vsphere.copy_disk", target, FakeContext(remembered=context.kept))
    assert own_bench.disks(target) == [f"{target.machine_name}.vmdk"]
    assert "rootfs" in (own_bench.directory(target) / f"{target.machine_name}.vmdk").read_text()


def test_a_machine_outlives_a_restart_of_the_endpoint(own_bench: Bench) -> None:
    target = own_bench.target()
    own_bench.load(target)
    own_bench.simulator.restart(kill=True)
    own_bench.run("vsphere.power_on", target)
    own_bench.run("vsphere.create_vm", target)
    assert own_bench.module.power_status(target) == "on"
    own_bench.module.remove(FakeContext(), target)
    assert own_bench.machines() == []
    folders = find_all(own_bench.site().session, vim.Folder, ["name"])
    assert [v["name"] for _, v in folders].count("vclab") == 1


def test_remove_twice_and_of_what_never_was(bench: Bench, target: Target) -> None:
    bench.module.remove(FakeContext(), target)
    bench.load(target)
    bench.module.remove(FakeContext(), replace(target, host="esx2"))
    bench.module.remove(FakeContext(), target)
    assert bench.machines(target.computer) == []
    bench.simulator.wait_event(event="removed", uuid=target.instance_uuid)


def test_remove_of_a_copy_that_is_running(bench: Bench, target: Target) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 600})
    site, place = bench.site(), files.directory(target)
    files.prepare(site, target)
    manager, center = site.content.virtualDiskManager, site.datacenter
    task = manager.CopyVirtualDisk_Task(master(target), center, f"{place.path}/x.vmdk", center, None, False)
    bench.module.remove(FakeContext(), target)
    with pytest.raises(vim.fault.FileNotFound):
        site.finish(task)
    assert not bench.directory(target).exists()
