"""A spare goes to the next tenure of its computer: taken over, whatever is cut off meanwhile, or loaded anew."""

import itertools
from dataclasses import replace

import pytest

from tests.provisioning.bench import STEPS, Bench, FakeContext
from tests.provisioning.wire import Wire, insist, removal_of, step_of
from vclab.model.errors import Fenced, NotOurs, StepFailed
from vclab.model.plans import Status, Target


def next_tenure(target: Target, reservation: str = "r-next") -> Target:
    """Of the same computer, for another reservation, with the machine that is there."""
    return replace(target, reservation=reservation, generation=target.generation + 1, spare=target.instance_uuid)


@pytest.fixture
def spare(bench: Bench, target: Target) -> Target:
    """What takes over a machine that is on."""
    bench.load(target)
    return next_tenure(target)


def test_it_is_taken_over(bench: Bench, spare: Target) -> None:
    """One machine, never off, with the new mark and name; its instance UUID and files stay."""
    seen = bench.module.node_status(spare)
    assert (seen.status, seen.power) == (Status.POST_LOAD, "on")
    [before] = bench.machines(spare.computer)
    for _ in range(2):
        bench.run("vsphere.adopt", spare)
    [after] = bench.machines(spare.computer)
    assert after.is_of(spare) and after.name == spare.machine_name and after.reservation == "r-next"
    assert (after.ref._moId, after.instance_uuid, after.path, after.power) == (
        before.ref._moId, before.instance_uuid, before.path, "on",
    )  # fmt: skip
    assert bench.module.node_status(spare).status is Status.POST_LOAD
    third = next_tenure(spare, "r-third")
    bench.run("vsphere.adopt", third)
    with pytest.raises(NotOurs):
        bench.run("vsphere.adopt", spare)
    bench.module.remove(FakeContext(), third)
    assert bench.machines(spare.computer) == []
    folder = bench.directory(spare).parent
    assert not [p for p in folder.iterdir() if p.name.startswith(spare.computer)]


def test_removed_before_it_was_taken_over(bench: Bench, spare: Target) -> None:
    bench.module.remove(FakeContext(), spare)
    assert bench.machines(spare.computer) == []
    with pytest.raises(StepFailed, match="no longer"):
        bench.run("vsphere.adopt", spare)


def test_loaded_anew_when_it_is_not_ready(bench: Bench, spare: Target) -> None:
    """Off, or of another revision: the old machine goes first."""
    assert bench.module.node_status(replace(spare, revision=2)).status is Status.RELOAD
    [old] = bench.machines(spare.computer)
    bench.site().finish(old.ref.PowerOffVM_Task())
    assert bench.module.node_status(spare).status is Status.RELOAD
    for step in STEPS:
        bench.run(step, spare)
    [machine] = bench.machines(spare.computer)
    assert machine.is_of(spare) and machine.power == "on" and machine.ref._moId != old.ref._moId
    assert bench.disks(spare) == [f"{spare.machine_name}.vmdk"]
    bench.module.remove(FakeContext(), spare)


def test_what_is_not_that_spare_is_not_touched(bench: Bench, spare: Target) -> None:
    """Without our mark, of another computer, of a newer tenure, or when the tenure is not ours any more."""
    older = replace(spare, generation=0)
    for wrong in (replace(spare, computer="vm99"), older):
        with pytest.raises(NotOurs):
            bench.run("vsphere.adopt", wrong)
        with pytest.raises(NotOurs):
            bench.module.node_status(wrong)
    with pytest.raises(NotOurs):
        bench.run("vsphere.adopt", replace(spare, installation="other"))
    with pytest.raises(Fenced):
        bench.run("vsphere.adopt", spare, FakeContext(allowed=0))
    [machine] = bench.machines(spare.computer)
    assert machine.generation == spare.generation - 1


@pytest.mark.parametrize(("how", "keeps"), [("after", False), ("before", False), ("lost", True)])
def test_cut_off_at_any_act(bench: Bench, wire: Wire, how: str, keeps: bool) -> None:
    """From taking over to the removal."""
    for number in itertools.count(1):
        wire.cut_at = 0
        target = bench.target()
        bench.load(target)
        spare = next_tenure(target)
        wire.cut(number, how)
        insist(bench, wire, step_of(bench, "vsphere.adopt", spare), keeps)
        cut, wire.cut_at = wire.cut_at, 0
        [machine] = bench.machines(spare.computer)
        assert machine.is_of(spare) and machine.power == "on", f"{how} act {number}"
        wire.cut_at = cut
        insist(bench, wire, removal_of(spare), keeps)
        assert bench.machines(spare.computer) == [], f"{how} act {number}"
        if len(wire.acts) < number:
            assert "ReconfigVM_Task" in wire.acts and number > 3
            return
