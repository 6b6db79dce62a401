"""A capture of a node with a real BMC: its disk is read, written to another one, changed there, read, and published.

What the guest does is done here by a shell. The other node is the same hardware under another name.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.provisioning.bench import FakeContext
from tests.provisioning.metal import ADDRESS, IS_ROOT, Bootable, MetalBench, metal_bench
from vclab.lab.bmcs import Runs
from vclab.library.captures import Captures, Held
from vclab.model.errors import Interrupted, StepFailed
from vclab.model.plans import Becomes, Facts, Plan, Target, lasting_uuid
from vclab.netboot.values import State

pytestmark = [
    pytest.mark.skipif(not IS_ROOT, reason="namespaces and loop devices need root"),
    pytest.mark.timeout(900),
]
OTHER = "metal02"


@pytest.fixture
def bench(tmp_path: Path, made: Bootable) -> Iterator[MetalBench]:
    with metal_bench(tmp_path, made) as found:
        found.others = (OTHER,)
        yield found


def becomes(bench: MetalBench, name: str) -> Becomes:
    """Of a capture of its own: the repository is all tests'."""
    target = bench.target
    return Becomes(name, name, 1, reservation=target.reservation, computer=target.computer)


def other(bench: MetalBench, made: Becomes, isolated: bool) -> Target:
    target = replace(bench.target, computer=OTHER, host=OTHER, member=1, spare=lasting_uuid("vclab", OTHER))
    return replace(target, isolated=True) if isolated else replace(target, image=made.image, revision=made.revision)


def stage(bench: MetalBench, plan: Plan, target: Target, made: Becomes, inside: str = "", times: int = 1) -> Facts:
    """The module's steps of a plan. In the place of each last one of the guest ``inside`` is run, and it is switched
    off from inside."""
    bench.facts = Facts()
    own, names = bench.module.steps(), [step.name for step in plan.steps]
    for number, name in enumerate(names):
        if name in own:
            for _ in range(times):
                bench.step(name.partition(".")[2], target=target, becomes=made)
        elif inside and names[number + 1 :] and names[number + 1] in own:
            bench.ssh(bench.host_key(), inside)
            bench.ssh(bench.host_key(), "nohup sh -c 'sleep 1; poweroff' > /dev/null 2>&1 < /dev/null &")
    return bench.facts


@pytest.mark.long
@pytest.mark.parametrize("times", [1, 2])
def test_a_node_is_captured_sealed_tried_and_published(bench: MetalBench, times: int) -> None:
    """Each step once, or twice."""
    bench.load()
    key, made = bench.host_key(), becomes(bench, f"class-{times}")
    bench.ssh(key, "echo alice > /etc/users")
    repository, captures = bench.made.repository, Captures(bench.made.repository, "vclab")

    taken = stage(bench, bench.module.capture(bench.target), bench.target, made, "sync", times)
    bench.runs(Runs.OFF)
    raw = captures.find(made.capture, Held.RAW)
    assert raw is not None and raw.sha256 == taken.raw_sha256
    assert bench.wires.nodes.state(bench.computer.private_mac) is State.BOOT

    back = stage(bench, bench.module.hand_back(bench.target), bench.target, made, times=times)
    assert back.private_address == ADDRESS
    assert (bench.host_key(), bench.ssh(key, "cat /etc/users")) == (key, "alice\n")
    bench.ssh(key, "echo bob > /etc/users; sync")

    target = other(bench, made, isolated=True)
    sealed = stage(bench, bench.module.seal(target), target, made, "mv /etc/users /etc/was; sync", times)
    assert sealed.disk_size == raw.size and sealed.disk_sha256 != taken.raw_sha256

    target = other(bench, made, isolated=False)
    stage(bench, bench.module.boot_test(target), target, made)
    assert bench.ssh(bench.host_key(), "cat /etc/was; ls /etc/users || true") == "alice\n"

    published = stage(bench, bench.module.publish(target), target, made, times=times)
    assert published.copy == str(repository.folder)
    kept = repository.find(made.image, made.revision)
    assert kept is not None and (kept.sha256, kept.size) == (sealed.disk_sha256, sealed.disk_size)
    assert repository.verify(made.image, made.revision)
    assert made.capture not in captures.there()


@pytest.mark.long
def test_one_that_is_given_up_is_started_again_and_nothing_is_left(bench: MetalBench) -> None:
    """While its disk is read somebody stops it; what was shut down for that is on again."""
    bench.load()
    key, made = bench.host_key(), becomes(bench, "given-up")
    plan = bench.module.capture(bench.target)
    upto = [step.name for step in plan.steps].index("bare-metal.read_raw")
    stage(bench, replace(plan, steps=plan.steps[:upto]), bench.target, made, "sync")
    with pytest.raises(Interrupted):
        bench.step("read_raw", FakeContext(cancelled=True), target=bench.target, becomes=made)
    bench.step("discard_capture", target=bench.target, becomes=made)
    assert Captures(bench.made.repository, "vclab").there() == []
    stage(bench, bench.module.hand_back(bench.target), bench.target, made)
    assert bench.host_key() == key


@pytest.mark.long
def test_who_works_on_it_is_not_disturbed(bench: MetalBench) -> None:
    """It is handed back before it was shut down; and it does not shut down."""
    bench.load()
    made = becomes(bench, "never")
    stage(bench, bench.module.hand_back(bench.target), bench.target, made)
    bench.runs(Runs.DISK)
    late = FakeContext(remembered={"looks": "60"})
    with pytest.raises(StepFailed, match="does not shut down"):
        bench.step("await_off", late, target=bench.target, becomes=made)
    bench.runs(Runs.DISK)
    bench.step("await_off", late, target=bench.target, becomes=replace(made, force_off=True))
    bench.runs(Runs.OFF)


def test_what_was_not_taken_can_not_be_sealed(bench: MetalBench) -> None:
    made = becomes(bench, "nothing")
    target = other(bench, made, isolated=True)
    with pytest.raises(StepFailed, match="no repository of the site holds"):
        bench.step("begin_sealing", target=target, becomes=made)
