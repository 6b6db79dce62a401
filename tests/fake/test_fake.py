"""The fake module and guest behave as the real ones do: they observe, act and confirm, and touch only what is ours."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake.node import ACCESS, TARGET, Node
from tests.provisioning.bench import FakeContext
from vclab.fake_world import Behaviour, Failure, Size, World
from vclab.guests.fake import FakeGuest
from vclab.model.errors import Fenced, Interrupted, NotOurs, NotYet, StepFailed, Unreachable
from vclab.model.plans import Becomes, Facts, NodeStatus, Profile, Status
from vclab.model.sealing import EndState
from vclab.provisioning.fake import Fake
from vclab.provisioning.vsphere.module import VSphere
from vclab.settings import load


def test_the_plan_is_that_of_vsphere() -> None:
    """Titles and profiles, so that what is measured and rehearsed is what is lived."""
    real = VSphere(lambda name: None, lambda ref: "", "vclab", 1)  # type: ignore[arg-type, return-value]
    mine = Fake(World(), "vclab")
    for status in Status:
        expected = real.load_plan(replace(TARGET, module="vsphere", guest="linux"), NodeStatus(status)).steps
        plan = mine.load_plan(TARGET, NodeStatus(status)).steps
        assert [(s.title, s.profile) for s in plan] == [(s.title, s.profile) for s in expected]
        assert [s.name.split(".")[1] for s in plan] == [s.name.split(".")[1] for s in expected]
        assert {s.name for s in plan} <= {*mine.steps(), *FakeGuest(World()).steps()}


def test_a_load_and_each_step_again(node: Node) -> None:
    facts = node.load()
    assert (facts.private_address, facts.public_address) == ("10.254.0.1", "198.18.0.1")
    assert facts.host_key and facts.boot_id
    made = node.world.all("fakes")
    for step in node.module.load_plan(replace(TARGET, dedicated=True), NodeStatus(Status.RELOAD)).steps:
        node.step(step.name)
    node.step("fake.adopt")
    assert (node.world.all("fakes"), node.facts) == (made, facts)
    assert node.module.node_status(TARGET).status is Status.READY


def test_no_step_works_without_the_one_before(node: Node) -> None:
    for name in ("fake.power_on", "fake.find_address"):
        with pytest.raises(StepFailed):
            node.step(name)
    with pytest.raises(Unreachable):
        node.step("fake.wait_ssh")


def test_remove_takes_this_generation_and_older(node: Node) -> None:
    older = replace(TARGET, generation=2, reservation="r0")
    node.load(older)
    node.step("fake.copy_disk")
    node.step("fake.remove_previous")
    assert [m.generation for m in node.world.all("fakes")] == [3]
    node.module.remove(FakeContext(), TARGET)
    node.module.remove(FakeContext(), TARGET)
    assert node.world.all("fakes") == []


def test_what_is_newer_or_not_ours_is_never_touched(node: Node) -> None:
    node.load(replace(TARGET, generation=4, reservation="r2"))
    with pytest.raises(NotOurs):
        node.module.remove(FakeContext(), TARGET)
    other = Fake(node.world, "other")
    (machine,) = node.world.all("fakes")
    with pytest.raises(NotOurs):
        other.remove_machine("fakes", machine.uuid)
    with pytest.raises(NotOurs):
        other.remove(FakeContext(), TARGET)
    assert other.machines("fakes").machines == ()
    node.module.remove_machine("fakes", machine.uuid)
    node.module.remove_machine("fakes", machine.uuid)
    assert node.module.machines("fakes").machines == ()


@pytest.mark.parametrize("name", ["fake.remove_previous", "fake.copy_disk", "fake.power_on"])
def test_each_destructive_act_is_fenced(node: Node, name: str) -> None:
    node.load(replace(TARGET, generation=2, reservation="r0"))
    if name == "fake.power_on":
        node.step("fake.copy_disk")
        node.step("fake.create_vm")
    before = node.world.all("fakes")
    with pytest.raises(Fenced):
        node.step(name, context=FakeContext(allowed=0))
    assert node.world.all("fakes") == before


def test_machines_in_files_outlive_the_worker(tmp_path: Path) -> None:
    facts = Node(World(Behaviour(world=tmp_path))).load()
    again = Node(World(Behaviour(world=tmp_path)))
    assert again.module.node_status(TARGET).status is Status.READY
    assert again.step("fake.wait_ssh").host_key == facts.host_key


def test_failures_strike_as_often_as_said() -> None:
    node = Node(World(Behaviour(failures={"fake.copy_disk": Failure("unreachable", times=2)})))
    for _ in range(2):
        with pytest.raises(Unreachable, match=r"fake\.copy_disk fails on fake1"):
            node.step("fake.copy_disk")
    node.step("fake.copy_disk")
    node.world.behaviour = Behaviour(failures={"fake.post_load": Failure(rate=1.0, host="fake2")})
    node.load()
    node.world.behaviour = Behaviour(failures={"fake.post_load": Failure(rate=1.0, host="fake1")})
    with pytest.raises(StepFailed):
        node.step("fake.post_load")


def test_a_delay_takes_its_time_and_can_be_stopped() -> None:
    node = Node(World(Behaviour(delays={"fake.copy_disk": (0.1, 0.12), "fake.find_address": 0.1})))
    begun = time.monotonic()
    node.step("fake.copy_disk")
    assert time.monotonic() - begun >= 0.1
    node.step("fake.create_vm")
    node.step("fake.power_on")
    with pytest.raises(NotYet):
        node.step("fake.find_address")
    time.sleep(0.1)
    node.step("fake.find_address")
    node.world.behaviour = Behaviour(delays={"remove": 60})
    context = FakeContext()
    threading.Timer(0.1, lambda: setattr(context, "cancelled", True)).start()
    with pytest.raises(Interrupted):
        node.module.remove(context, TARGET)


def test_hosts_are_as_the_settings_say() -> None:
    node = Node(World(Behaviour(hosts={"fake1": Size(4, 8192, maintenance=True), "fake2": Size(8)}, disk_gb=50)))
    answer = node.module.survey("fakes")
    assert [(h.name, h.cpus, h.usable) for h in answer.hosts] == [("fake1", 4, False), ("fake2", 8, True)]
    assert answer.datastores[0].disk_gb == 50
    node.step("fake.copy_disk")
    node.step("fake.create_vm")
    with pytest.raises(StepFailed, match="in maintenance"):
        node.step("fake.power_on")


def test_people_come_and_go_as_the_settings_say(node: Node) -> None:
    node.load()

    def see() -> tuple[str, ...]:
        return asyncio.run(node.guest.connections(TARGET, node.facts, ACCESS)).addresses

    assert see() == ()
    asyncio.run(node.guest.grant_access(TARGET, node.facts, ACCESS))
    assert see() == ACCESS.addresses
    node.world.behaviour = replace(node.world.behaviour, connects_after=60.0)
    assert see() == ()
    node.world.behaviour = replace(node.world.behaviour, connects_after=0.0, stays=0.0)
    assert see() == ()


def test_a_user_taints_and_a_restart_shows(node: Node) -> None:
    first = node.load()
    asyncio.run(node.guest.taint(TARGET, first, "a user has connected"))
    assert node.module.node_status(TARGET).status is Status.RELOAD
    asyncio.run(node.guest.reboot(TARGET, first))
    node.module.power_reset(FakeContext(), TARGET)
    assert asyncio.run(node.guest.read_public_address(TARGET, first)).boot_id != first.boot_id
    with pytest.raises(StepFailed, match="root rights"):
        asyncio.run(node.guest.sanitize(TARGET, first, replace(ACCESS, sudo=True)))


def test_a_machine_is_sealed(node: Node) -> None:
    """Off, on, or booted once more, and nobody's."""
    facts = node.load()
    asyncio.run(node.guest.grant_access(TARGET, facts, ACCESS))
    for state, power, boots in ((EndState.ON, "on", 1), (EndState.REBOOT, "on", 2), (EndState.OFF, "off", 2)):
        said = asyncio.run(node.guest.pre_capture(TARGET, facts, ACCESS, state, "revision/class/1/root"))
        assert said[-1].did == f"the computer is left {state}"
        machine = node.world.find(TARGET.instance_uuid)
        assert machine is not None and machine.boots == boots
        assert not machine.accounts and node.module.power_status(TARGET) == power
    with pytest.raises(Unreachable):
        asyncio.run(node.guest.pre_capture(TARGET, facts, ACCESS, EndState.OFF, "revision/class/1/root"))


def test_it_is_switched_on_and_off_and_on(node: Node) -> None:
    """Each twice: the second time changes nothing."""
    node.load()
    for switch, power in ((node.module.power_off, "off"), (node.module.power_on, "on")):
        for _ in range(2):
            switch(FakeContext(), TARGET)
            assert node.module.power_status(TARGET) == power
    machine = node.world.find(TARGET.instance_uuid)
    assert machine is not None and machine.boots == 2
    with pytest.raises(Fenced):
        node.module.power_off(FakeContext(allowed=0), TARGET)
    node.module.remove(FakeContext(), TARGET)
    node.module.power_off(FakeContext(), TARGET)
    assert node.module.power_status(TARGET) == "unknown"
    with pytest.raises(StepFailed, match="is not on fakes"):
        node.module.power_on(FakeContext(), TARGET)


def test_the_settings_make_the_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "vclab.toml"
    file.write_text(
        "fake.enabled = true\nfake.delays.'*' = 0.5\nfake.delays.'fake.copy_disk' = [1, 3]\n"
        "fake.failures.'fake.power_on' = {times = 1, host = 'fake1'}\n"
        "fake.hosts.big = {cpus = 96, memory_mb = 1000000}\n"
    )
    monkeypatch.setenv("VCLAB_CONFIG", str(file))
    fake = load().fake
    assert fake.enabled and fake.hosts == {"big": Size(96, 1000000)}
    assert 1 <= fake.seconds("fake.copy_disk") <= 3 and fake.seconds("survey") == 0.5
    assert fake.failures["fake.power_on"] == Failure(times=1, host="fake1")
    assert not Behaviour().enabled


@pytest.mark.parametrize("line", ["fake.delays.x = -1", "fake.failures.x = {kind = 'odd'}", "fake.delays.x = [3, 1]"])
def test_wrong_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    file = tmp_path / "vclab.toml"
    file.write_text(line)
    monkeypatch.setenv("VCLAB_CONFIG", str(file))
    with pytest.raises(Exception, match="settings"):
        load()


def test_looks_are_looks() -> None:
    plan = Fake(World(), "vclab").load_plan(TARGET, NodeStatus())
    assert [s.name for s in plan.steps if s.profile is Profile.LOOK] == ["fake.find_address", "fake.wait_ssh"]


THROW_AWAY = replace(TARGET, reservation="c1", computer="fk08", isolated=True)  # with the source's MACs
BECOMES = Becomes("c1", "class", 2, reservation="r1", computer="fk01", generation=3, access=ACCESS)


def test_a_capture_as_the_guest_knows_it(node: Node) -> None:
    """The source is shut down, a throw-away computer sealed, a third one tried."""
    node.load()
    learned = node.step("fake.check_capture", becomes=BECOMES)
    assert {"fk01", "10.254.0.1", "198.18.0.1", node.facts.host_key, node.facts.boot_id} == set(learned.unlike)
    node.step("fake.shut_down", becomes=BECOMES)
    node.step("fake.shut_down", becomes=BECOMES)
    assert node.module.power_status(TARGET) == "off"
    node.facts = Facts(unlike=learned.unlike)
    node.load(THROW_AWAY)
    asyncio.run(node.guest.grant_access(THROW_AWAY, node.facts, ACCESS))
    with pytest.raises(StepFailed, match=r"its public address 198\.18\.0\.1 is the captured computer's own"):
        node.step("fake.try_login", THROW_AWAY, becomes=BECOMES)
    node.facts = replace(node.facts, public_address="198.18.0.8")  # as with MACs of its own
    with pytest.raises(StepFailed, match="the account alice is in the sealed copy"):
        node.step("fake.try_login", THROW_AWAY, becomes=BECOMES)
    node.step("fake.seal", THROW_AWAY, becomes=BECOMES)
    assert node.module.power_status(THROW_AWAY) == "off"
    node.module.power_on(FakeContext(), THROW_AWAY)
    node.step("fake.try_login", THROW_AWAY, becomes=BECOMES)
    node.facts = replace(node.facts, unlike=("fk08",))
    with pytest.raises(StepFailed, match="its host name fk08 is the captured computer's own"):
        node.step("fake.try_login", THROW_AWAY, becomes=BECOMES)


def test_the_captured_computer_itself_is_never_sealed(node: Node) -> None:
    node.load()
    made = node.world.all("fakes")
    address, boot = node.facts.private_address, node.facts.boot_id
    for isolated, unlike in ((False, ("x",)), (True, ()), (True, ("x", address)), (True, ("x", boot))):
        node.facts = replace(node.facts, unlike=unlike)
        with pytest.raises(StepFailed):
            node.step("fake.seal", replace(TARGET, isolated=isolated), becomes=BECOMES)
    with pytest.raises(StepFailed, match="is a step of captures"):
        node.step("fake.seal")
    assert node.world.all("fakes") == made
