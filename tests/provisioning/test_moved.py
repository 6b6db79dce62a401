"""Machines whose disks somebody moves: where they are is told, and they are removed where they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.bench import MASTER, Bench, FakeContext
from tests.provisioning.test_linked import job
from vclab.model.plans import Target
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.chains import Disk, _disk
from vclab.provisioning.vsphere.properties import find_all


def move(bench: Bench, target: Target, datastore: str = "", **spec: Any) -> None:
    site, [machine] = bench.site(), bench.machines(target.computer)
    if datastore:
        stores = find_all(site.session, vim.Datastore, ["name"], site.datacenter)
        spec["datastore"] = next(ref for ref, values in stores if values["name"] == datastore)
    site.finish(machine.ref.RelocateVM_Task(vim.vm.RelocateSpec(**spec), "defaultPriority"))


def said(bench: Bench, target: Target) -> tuple[str, str]:
    """Where its disk is, and what it is made from."""
    [found] = [m for m in bench.module.machines("lab-vcenter").machines if m.computer == target.computer]
    return found.storage, found.parent


def left(bench: Bench, target: Target) -> list[Path]:
    """What is there under the machine's name."""
    stores = [bench.simulator.datastore(name) for name in ("ds1", "ds2")]
    places = [place for store in stores for place in (store, store / "vclab")]
    return [found for place in places for found in place.glob(f"{target.machine_name}*")]


def test_a_child_that_was_moved_is_whole_and_goes_where_it_is(bench: Bench) -> None:
    target = bench.target(dedicated=False)
    bench.load(target)
    assert said(bench, target) == ("ds1", f"[ds1] {MASTER}")
    host = bench.site().host("esx2")
    move(bench, target, host=host.ref, pool=host.pool)
    assert said(bench, target) == ("ds1", f"[ds1] {MASTER}"), "another host is no news"
    move(bench, target, "ds2")
    assert said(bench, target) == ("ds2", "")
    for step in ("vsphere.create_vm", "vsphere.power_on"):
        bench.run(step, target)  # a step that is run again finds it
    bench.module.power_reset(FakeContext(), target)
    assert left(bench, target)
    bench.module.remove(FakeContext(), target)
    assert bench.machines(target.computer) == [] and left(bench, target) == []


def test_the_copy_of_a_child_that_was_moved_can_go(bench: Bench) -> None:
    wanted = job(bench, revision=40)
    copied = bench.module.make_copy(FakeContext(), wanted)
    target = replace(bench.target(dedicated=False), storage="ds2", copy=copied.path)
    bench.load(target)
    move(bench, target, "ds1")
    bench.module.remove_copy(FakeContext(), wanted)
    bench.module.power_off(FakeContext(), target)
    bench.module.power_on(FakeContext(), target)
    bench.module.remove(FakeContext(), target)
    assert left(bench, target) == []


def test_a_child_that_was_moved_alone_names_its_parent(bench: Bench) -> None:
    target = bench.target(dedicated=False)
    bench.load(target)
    move(bench, target, "ds2", diskMoveType="moveChildMostDiskBacking")
    assert said(bench, target) == ("ds2", f"[ds1] {MASTER}")
    bench.module.remove(FakeContext(), target)
    assert left(bench, target) == []


@pytest.mark.parametrize(
    ("chain", "disk"),
    [
        (["[ds1] vclab/a/a.vmdk", "[ds1] m/1/disk.vmdk"], Disk("ds1", "[ds1] m/1/disk.vmdk")),
        (["[ds1] vclab/a/a-000001.vmdk", "[ds1] vclab/a/a.vmdk"], Disk("ds1")),
        (
            ["[ds1] vclab/a/a-000001.vmdk", "[ds1] vclab/a/a.vmdk", "[ds1] m/disk.vmdk"],
            Disk("ds1", "[ds1] m/disk.vmdk"),
        ),
        (["[ds1] vclab/a/a.vmdk", ""], Disk()),
        (["\x00"], Disk()),
        ([], Disk()),
    ],
)
def test_what_a_disk_is_made_from(chain: list[str], disk: Disk) -> None:
    """A snapshot of a whole disk has a parent, which is its own; what can't be read is not known."""
    assert _disk(chain) == disk
