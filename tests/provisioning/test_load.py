"""The load, step by step, against a real vSphere API."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from tests.provisioning.bench import MASTER, STEPS, Bench, FakeContext
from vclab.model.errors import Fenced, NotOurs, NotYet, StepFailed
from vclab.model.plans import NodeStatus, Status, Target
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import EndpointData, ImageData
from vclab.provisioning.vsphere.properties import read


def test_the_steps_make_the_machine_that_the_target_describes(bench: Bench, target: Target) -> None:
    bench.load(target)
    event = bench.simulator.wait_event(event="power", uuid=target.instance_uuid, state="poweredOn")
    assert event["name"] == target.machine_name
    assert (event["cpus"], event["memory_mb"]) == (2, 1024)
    assert event["nics"] == [
        {"mac": target.private_mac, "network": "private", "connected": True},
        {"mac": target.public_mac, "network": "public", "connected": True},
    ]
    assert event["disks"] == [str(bench.directory(target) / f"{target.machine_name}.vmdk")]
    assert "# vclab.rootfs = debian-12" in (bench.directory(target) / f"{target.machine_name}.vmdk").read_text()
    [machine] = bench.machines(target.computer)
    assert (machine.reservation, machine.generation, machine.power) == (target.reservation, 3, "on")
    said = read(bench.site().session, machine.ref, ["config.annotation", "parent"]) or {}
    assert target.reservation in said["config.annotation"]
    assert (read(bench.site().session, said["parent"], ["name"]) or {})["name"] == "vclab"


def test_evidence_is_what_the_vcenter_knows_of_a_machine(bench: Bench, target: Target) -> None:
    assert bench.module.evidence(target).endpoint == (f"{target.machine_name} is not on {target.endpoint}",)
    for step in STEPS[: STEPS.index("vsphere.power_on")]:
        bench.run(step, target)
    seen = bench.module.evidence(target)
    assert (seen.power, seen.console, seen.missing) == ("off", (), ())
    assert seen.endpoint[0] == f"{target.machine_name} on {target.host}: power off, connected"
    assert any("VmCreatedEvent" in line for line in seen.endpoint)
    bench.run("vsphere.power_on", target)
    assert bench.module.evidence(target).power == "on"


def test_every_step_twice_is_harmless(bench: Bench, target: Target) -> None:
    for step in STEPS:
        bench.run(step, target)
        bench.run(step, target, module=bench.new_module())
    assert [m.power for m in bench.machines(target.computer)] == ["on"]
    assert bench.disks(target) == [f"{target.machine_name}.vmdk"]


def test_what_the_computer_was_before_is_removed(bench: Bench, target: Target) -> None:
    bench.load(target)
    newer = replace(target, generation=4, reservation="next")
    bench.load(newer)
    assert [m.generation for m in bench.machines(target.computer)] == [4]
    assert not bench.directory(target).exists()


def test_a_reload_in_the_same_tenure_starts_from_a_fresh_disk(bench: Bench, target: Target) -> None:
    bench.load(target)
    disk = bench.directory(target) / f"{target.machine_name}.vmdk"
    disk.write_text(disk.read_text() + "# written by a user\n")
    bench.load(target)
    assert "written by a user" not in disk.read_text()
    assert len(bench.machines(target.computer)) == 1


def test_leftover_files_of_an_older_tenure_are_removed(bench: Bench, target: Target) -> None:
    bench.run("vsphere.copy_disk", target)  # and then its worker and its row were lost
    neighbour = bench.target(computer=f"{target.computer}-b")
    bench.run("vsphere.copy_disk", neighbour)
    bench.run("vsphere.remove_previous", replace(target, generation=4, reservation="next"))
    assert not bench.directory(target).exists()
    assert bench.disks(neighbour) == [f"{neighbour.machine_name}.vmdk"], "a longer name is another computer"


def test_a_newer_tenure_is_never_touched(bench: Bench, target: Target) -> None:
    bench.load(replace(target, generation=4))
    for act in (
        lambda: bench.run("vsphere.remove_previous", target),
        lambda: bench.module.remove(FakeContext(), target),
    ):
        with pytest.raises(NotOurs, match="newer tenure"):
            act()
    assert [m.power for m in bench.machines(target.computer)] == ["on"]


@pytest.mark.parametrize("how", ["name", "path", "uuid"])
def test_a_foreign_machine_in_the_way_is_never_touched(bench: Bench, target: Target, how: str) -> None:
    name = target.machine_name if how == "name" else f"someones-{target.computer}"
    path = f"[ds1] vclab/{target.machine_name}/x.vmx" if how == "path" else ""
    uuid = {"instanceUuid": target.instance_uuid} if how == "uuid" else {}
    (bench.simulator.datastore("ds1") / "vclab").mkdir(exist_ok=True)
    foreign = bench.foreign(name, path, on=True, **uuid)
    with pytest.raises(NotOurs, match="does not carry our mark; rename or remove it by hand"):
        bench.run("vsphere.remove_previous", target)
    with nullcontext() if how == "name" else pytest.raises(NotOurs):  # a namesake keeps nobody from taking ours away
        bench.module.remove(FakeContext(), target)
    assert bench.module.power_status(bench.target()) == "unknown"
    [still] = [m for m in bench.machines() if m.instance_uuid == foreign.instance_uuid]
    assert still.power == "on"


def test_a_machine_with_a_like_name_is_not_in_the_way(bench: Bench, target: Target) -> None:
    bench.foreign(f"{target.machine_name}0")
    bench.foreign(target.computer)
    bench.load(target)
    bench.module.remove(FakeContext(), target)
    names = [m.name for m in bench.machines()]
    assert f"{target.machine_name}0" in names and target.computer in names


def test_a_directory_without_our_mark_is_never_touched(bench: Bench, target: Target) -> None:
    bench.directory(target).mkdir(parents=True)
    precious = bench.directory(target) / "thesis.vmdk"
    precious.write_text("years of work")
    for step in ("vsphere.remove_previous", "vsphere.copy_disk"):
        with pytest.raises(NotOurs, match="without the mark"):
            bench.run(step, target)
    assert precious.read_text() == "years of work"


def test_an_empty_directory_is_taken(bench: Bench, target: Target) -> None:
    bench.directory(target).mkdir(parents=True)
    bench.load(target)


def test_another_installation_can_neither_use_nor_remove_what_is_ours(bench: Bench, target: Target) -> None:
    bench.load(target)
    theirs = replace(target, installation="other")
    other = bench.new_module("other")
    with pytest.raises(NotOurs, match=r"belongs to the installation vclab|without|not carry our mark"):
        bench.run("vsphere.remove_previous", theirs, module=other)
    with pytest.raises(NotOurs, match="does not carry our mark"):
        other.remove_machine("lab-vcenter", target.instance_uuid)
    with pytest.raises(NotOurs, match="is of the installation other"):
        bench.run("vsphere.remove_previous", theirs)
    elsewhere = replace(bench.target(), installation="other")
    bench.run("vsphere.copy_disk", elsewhere, module=other)
    with pytest.raises(NotOurs, match="the folder vclab on lab-vcenter is held by the installation vclab"):
        bench.run("vsphere.create_vm", elsewhere, module=other)
    assert other.machines("lab-vcenter").machines == ()


def test_a_folder_with_machines_of_another_installation_is_not_taken(own_bench: Bench) -> None:
    own_bench.load(own_bench.target())
    site = own_bench.site()
    folder = next(ref for ref, v in _folders(own_bench) if v["name"] == "vclab")
    site.content.customFieldsManager.SetField(folder, _key(own_bench), "")
    theirs = own_bench.target(installation="other")
    other = own_bench.new_module("other")
    own_bench.run("vsphere.copy_disk", theirs, module=other)
    with pytest.raises(NotOurs, match="holds machines of the installation vclab"):
        own_bench.run("vsphere.create_vm", theirs, module=other)


def test_a_folder_may_be_a_path(bench: Bench, target: Target) -> None:
    module = bench.new_module(data=EndpointData(folder="labs/second floor"))
    for step in STEPS[:3]:
        bench.run(step, target, module=module)
    names = [v["name"] for _, v in _folders(bench)]
    assert "labs" in names and "second floor" in names


def test_no_disk_space_names_the_datastore_and_leaves_nothing(bench: Bench, target: Target) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "no_space", "datastore": "ds1"})
    with pytest.raises(StepFailed, match=r"datastore ds1 has no space for a copy of .* \(\d+ GiB free\)"):
        bench.run("vsphere.copy_disk", target)
    assert bench.files(target) == []


def test_a_missing_master_is_named(bench: Bench, target: Target) -> None:
    missing = ImageData(master_path="vclab-images/none/1/disk.vmdk").encoded()
    with pytest.raises(StepFailed, match=r"none.*, the master disk of debian-12, is not there"):
        bench.run("vsphere.copy_disk", replace(target, image_data=missing))


def test_a_master_on_another_datastore(bench: Bench, target: Target) -> None:
    there = replace(
        target, storage="ds2", host="esx2", image_data=ImageData(master_path=MASTER, datastore="ds1").encoded()
    )
    bench.load(there)
    assert bench.disks(there) == [f"{target.machine_name}.vmdk"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"image_data": "{}"}, "debian-12, revision 1, has no copy on ds1"),
        ({"image_data": '{"version": 2, "master_path": "x"}'}, "version: Input should be 1"),
        ({"endpoint_data": '{"vlan": 7}'}, "data of the endpoint lab-vcenter can't be read: vlan: Extra inputs"),
        ({"endpoint_data": "no JSON"}, "data of the endpoint lab-vcenter can't be read: Invalid JSON"),
    ],
)
def test_data_that_can_not_be_read_is_a_fact(bench: Bench, target: Target, fields: dict[str, str], words: str) -> None:
    """It is told by the step that needs it, and what was made can be removed all the same."""
    wrong = replace(target, **fields)  # type: ignore[arg-type]
    with pytest.raises(StepFailed, match=words):
        bench.run("vsphere.copy_disk", wrong)
        bench.run("vsphere.create_vm", wrong)
    bench.module.remove(FakeContext(), wrong)
    assert bench.files(wrong) == []


def test_an_endpoint_whose_data_can_not_be_read_says_so(bench: Bench) -> None:
    with pytest.raises(StepFailed, match="the module's data of the endpoint lab-vcenter can't be read: vlan: Extra"):
        bench.new_module(module_data='{"vlan": 7}').survey("lab-vcenter")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": "esx9"}, "there is no host esx9 on lab-vcenter"),
        ({"storage": "ds9"}, "there is no datastore ds9"),
        (
            {"endpoint_data": EndpointData(private_network="nowhere").encoded()},
            "host esx1 does not have the network nowhere",
        ),
    ],
)
def test_what_does_not_exist_is_named(bench: Bench, target: Target, fields: dict[str, str], words: str) -> None:
    wrong = replace(target, **fields)  # type: ignore[arg-type]
    with pytest.raises(StepFailed, match=words):
        bench.run("vsphere.copy_disk", wrong)
        bench.run("vsphere.create_vm", wrong)


def test_create_without_a_disk_says_which_step_makes_it(bench: Bench, target: Target) -> None:
    with pytest.raises(StepFailed, match=r"vsphere\.copy_disk"):
        bench.run("vsphere.create_vm", target)


def test_a_host_that_refuses_power_on_is_named_with_the_fault(bench: Bench, target: Target) -> None:
    for step in STEPS[:3]:
        bench.run(step, target)
    bench.simulator.control("POST", "/fault", {"kind": "power_on", "host": "esx1", "count": 1})
    with pytest.raises(StepFailed, match=r"host esx1 refuses to power on .*InsufficientResources"):
        bench.run("vsphere.power_on", target)
    bench.run("vsphere.power_on", target)
    assert bench.module.power_status(target) == "on"


def test_a_host_in_maintenance_gets_no_machine(own_bench: Bench) -> None:
    target = own_bench.target(host="esx2")
    own_bench.run("vsphere.copy_disk", target)
    site = own_bench.site()
    site.finish(site.host("esx2").ref.EnterMaintenanceMode_Task(0, False, None))
    with pytest.raises(StepFailed, match="host esx2 on lab-vcenter is in maintenance"):
        own_bench.run("vsphere.create_vm", target)


def test_a_host_that_went_to_maintenance_is_named_at_power_on(own_bench: Bench) -> None:
    target = own_bench.target(host="esx2")
    for step in STEPS[:3]:
        own_bench.run(step, target)
    site = own_bench.site()
    site.finish(site.host("esx2").ref.EnterMaintenanceMode_Task(0, False, None))
    with pytest.raises(StepFailed, match=r"host esx2 refuses to power on .*: it is in maintenance"):
        own_bench.run("vsphere.power_on", target)


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_step_that_lost_its_tenure_does_nothing(bench: Bench, target: Target, step: str) -> None:
    for earlier in STEPS[: STEPS.index(step)]:
        bench.run(earlier, target)
    before = (bench.disks(target), [m.power for m in bench.machines(target.computer)])
    with pytest.raises(Fenced):
        bench.run(step, target, FakeContext(allowed=0))
    assert (bench.disks(target), [m.power for m in bench.machines(target.computer)]) == before


def test_removal_is_fenced_too(bench: Bench, target: Target) -> None:
    bench.load(target)
    with pytest.raises(Fenced):
        bench.module.remove(FakeContext(allowed=0), target)
    assert [m.power for m in bench.machines(target.computer)] == ["on"]


def test_node_status_tells_what_is_there(bench: Bench, target: Target) -> None:
    assert bench.module.node_status(target).status is Status.RELOAD
    bench.load(target)
    seen = bench.module.node_status(target)
    assert (seen.status, seen.power, seen.current_image) == (Status.POST_LOAD, "on", "debian-12/1")
    assert bench.module.node_status(replace(target, revision=2)).status is Status.RELOAD
    bench.module.power_off(FakeContext(), target)
    assert bench.module.node_status(target).why == "it is off"


CAPTURE = {
    f"vsphere.{verb}"
    for verb in (
        *("check_machine", "await_off", "copy_raw", "discard_capture", "verify_raw", "copy_sealed", "verify_sealed"),
        *("begin_sealing", "publish_copy", "withdraw_copy", "discard_raw"),
    )
}


def test_plans_name_the_steps(bench: Bench, target: Target) -> None:
    def names(status: Status, guest: str = "linux") -> list[str]:
        plan = bench.module.load_plan(replace(target, guest=guest), NodeStatus(status))
        return [step.name for step in plan.steps]

    guest = ["linux.wait_ssh", "linux.post_load", "linux.read_public_address"]
    assert names(Status.RELOAD) == [*STEPS, "vsphere.find_address", *guest]
    assert names(Status.POST_LOAD) == ["vsphere.find_address", *guest]
    assert names(Status.READY) == ["vsphere.find_address", guest[0], guest[2]]
    assert names(Status.RELOAD, guest="") == [*STEPS, "vsphere.find_address"]
    made = {n for n in names(Status.RELOAD) if n.startswith("vsphere.")}
    assert {*made, "vsphere.adopt"} | CAPTURE == set(bench.module.steps())
    target = replace(target, spare="of-an-earlier-tenure")
    assert names(Status.READY) == ["vsphere.adopt", *guest[1:]]
    assert names(Status.POST_LOAD) == ["vsphere.adopt", "vsphere.find_address", *guest]
    assert names(Status.RELOAD) == [*STEPS, "vsphere.find_address", *guest]


def test_power_by_target(bench: Bench, target: Target) -> None:
    bench.load(target)
    bench.module.power_reset(FakeContext(), target)
    bench.simulator.wait_event(event="power", uuid=target.instance_uuid, state="reset")
    for _ in range(2):
        bench.module.power_off(FakeContext(), target)
        assert bench.module.power_status(target) == "off"
    bench.module.power_reset(FakeContext(), target)
    assert bench.module.power_status(target) == "on"
    bench.module.power_on(FakeContext(), target)


def test_power_on_of_nothing_says_so(bench: Bench, target: Target) -> None:
    with pytest.raises(StepFailed, match="is not on lab-vcenter"):
        bench.run("vsphere.power_on", target)


def test_find_address_by_guest_tools(bench: Bench, target: Target) -> None:
    bench.load(target)
    with pytest.raises(NotYet, match="no private address yet"):
        bench.run("vsphere.find_address", target)
    ips = [
        {"mac": target.public_mac, "address": "203.0.113.9"},
        {"mac": target.private_mac, "address": "fe80::1"},
        {"mac": target.private_mac, "address": "10.77.0.9"},
    ]
    report = {"uuid": target.instance_uuid, "ips": ips, "hostname": target.computer}
    bench.simulator.control("POST", "/guest", {**report, "tools": "guestToolsNotRunning"})
    with pytest.raises(NotYet):
        bench.run("vsphere.find_address", target)
    bench.simulator.control("POST", "/guest", {**report, "tools": "guestToolsRunning"})
    assert bench.run("vsphere.find_address", target).private_address == "10.77.0.9"


def test_find_address_by_lease(bench: Bench, target: Target) -> None:
    bench.load(target)
    bench.leases.write_text(f"0 {target.private_mac} 10.77.0.17 {target.computer} *\n")
    assert bench.run("vsphere.find_address", target).private_address == "10.77.0.17"


def test_find_address_of_a_machine_that_went_off(bench: Bench, target: Target) -> None:
    bench.load(target)
    bench.module.power_off(FakeContext(), target)
    with pytest.raises(StepFailed, match="was powered off"):
        bench.run("vsphere.find_address", target)
    bench.module.remove(FakeContext(), target)
    with pytest.raises(StepFailed, match="no longer on lab-vcenter"):
        bench.run("vsphere.find_address", target)


def _folders(bench: Bench) -> list[tuple[object, dict[str, str]]]:
    from vclab.provisioning.vsphere.properties import find_all

    return find_all(bench.site().session, vim.Folder, ["name"])


def _key(bench: Bench) -> int:
    manager = bench.site().content.customFieldsManager
    fields = (read(bench.site().session, manager, ["field"]) or {})["field"]
    return next(int(f.key) for f in fields if f.name == "vclab.installation")
