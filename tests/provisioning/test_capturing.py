"""Machines are captured over a real vSphere API: what a raw copy holds, what is refused, and what is left over."""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.bench import Bench, FakeContext
from tests.provisioning.test_reading import BYTES, MASTER, SIZE, content_of, put
from tests.provisioning.wire import Wire, insist
from vclab.model.errors import Fenced, Interrupted, NotYet, StepFailed
from vclab.model.plans import Access, Becomes, Facts, StepInput, Target
from vclab.model.revisions import Hardware
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import EndpointData, ImageData
from vclab.provisioning.vsphere.module import VSphere

DATA = EndpointData(imaging_network="imaging")
HELD = hashlib.sha256(BYTES + bytes(SIZE - len(BYTES))).hexdigest()


class Captured:
    """A machine that is captured, step by step."""

    def __init__(self, bench: Bench, **fields: Any) -> None:
        put(bench, MASTER, SIZE)
        self.bench, self.module = bench, bench.new_module(data=DATA)
        image = ImageData(master_path=MASTER).encoded()
        self.data = {"dedicated": False, "disk_gb": 1, "image_data": image, "endpoint_data": DATA.encoded()}
        self.source = bench.target(**{**self.data, **fields})
        bench.load(self.source)
        source = self.source
        self.becomes = Becomes(
            f"c-{source.computer}", "hello", int(source.computer[2:]), source.reservation, source.computer, 3,
            Access("alice", 2001),
        )  # fmt: skip

    def run(
        self, step: str, target: Target | None = None, context: FakeContext | None = None, module: VSphere | None = None
    ) -> Facts:
        """One attempt."""
        given = StepInput(step, step, target or self.source, Facts(), becomes=self.becomes)
        return (module or self.module).steps()[step](context or FakeContext(), given)

    def taken(self) -> Facts:
        """The raw copy is there, read back."""
        self.off()
        self.run("vsphere.copy_raw")
        return self.run("vsphere.verify_raw")

    def off(self, target: Target | None = None) -> None:
        """It has shut down."""
        self.module.power_off(FakeContext(), target or self.source)

    def throw_away(self, isolated: bool) -> Target:
        """A throw-away computer, made and powered on."""
        made = self.bench.target(**self.data, reservation=self.source.reservation, member=1, isolated=isolated)
        if isolated:
            made = replace(made, private_mac=self.source.private_mac, public_mac=self.source.public_mac)
        for step in ("vsphere.remove_previous", "vsphere.create_vm", "vsphere.power_on"):
            self.run(step, made)
        return made

    def sealed(self) -> Facts:
        """The sealed copy is there, read back, and the machine that it was made on gone."""
        target = self.throw_away(isolated=True)
        self.off(target)
        self.run("vsphere.copy_sealed", target)
        facts = self.run("vsphere.verify_sealed", target)
        self.module.remove(FakeContext(), target)
        return facts

    @property
    def folder(self) -> Path:
        return self.bench.simulator.datastore("ds1") / f"vclab/images.of_vclab/capture-{self.becomes.capture}"

    @property
    def published(self) -> Path:
        return self.bench.simulator.datastore("ds1") / f"vclab/images.of_vclab/hello.{self.becomes.revision}"

    def end(self) -> None:
        """Nothing is left but what is published."""
        self.run("vsphere.discard_raw")
        self.module.remove(FakeContext(), self.source)
        assert not self.folder.exists()
        assert not list(self.folder.parent.glob("read-*"))
        assert not [m.name for m in self.bench.machines() if m.name.startswith("vclab-read")]


@pytest.fixture
def captured(bench: Bench) -> Iterator[Captured]:
    made = Captured(bench)
    yield made
    made.end()
    made.module.close()


def test_what_it_holds_becomes_the_copy_of_a_revision(captured: Captured) -> None:
    captured.run("vsphere.check_machine")
    assert captured.taken() == Facts(raw_sha256=HELD)
    assert content_of(captured.folder / "raw-flat.vmdk").sha256 == HELD
    assert captured.sealed() == Facts(disk_sha256=HELD, disk_size=SIZE)
    tried = captured.throw_away(isolated=False)
    with pytest.raises(StepFailed, match="is made from what is in"):
        captured.run("vsphere.discard_raw")
    captured.module.remove(FakeContext(), tried)
    for _ in range(2):
        facts = captured.run("vsphere.publish_copy")
        assert facts.copy == f"[ds1] vclab/images.of_vclab/hello.{captured.becomes.revision}/disk.vmdk"
        captured.run("vsphere.discard_raw")
    assert content_of(captured.published / "disk-flat.vmdk").sha256 == HELD
    for _ in range(2):
        captured.run("vsphere.withdraw_copy")
    assert not captured.published.exists()


def test_a_throw_away_machine_is_in_the_imaging_network_alone(captured: Captured) -> None:
    captured.taken()
    target = captured.throw_away(isolated=True)
    (machine,) = captured.bench.machines(target.computer)
    cards = [each for each in machine.ref.config.hardware.device if isinstance(each, vim.vm.device.VirtualEthernetCard)]
    found = {card.macAddress: (card.backing.deviceName, card.connectable.connected) for card in cards}
    assert found == {target.private_mac: ("imaging", True), target.public_mac: ("public", False)}
    parent = next(d for d in machine.ref.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk)).backing
    assert parent.parent.fileName == f"[ds1] vclab/images.of_vclab/capture-{captured.becomes.capture}/raw.vmdk"
    captured.bench.leases.write_text(f"0 {target.private_mac} 10.77.3.9 vm *\n")  # the source's
    with pytest.raises(NotYet):
        captured.run("vsphere.find_address", target)
    captured.bench.leases.unlink()
    captured.module.remove(FakeContext(), target)


def refused(captured: Captured, why: str, module: VSphere | None = None) -> None:
    with pytest.raises(StepFailed, match=why):
        captured.run("vsphere.check_machine", module=module)


def test_what_can_not_be_captured(captured: Captured) -> None:
    site, (machine,) = captured.bench.site(), captured.bench.machines(captured.source.computer)
    windows = replace(
        captured.source, image_data=ImageData(master_path=MASTER, guest_id="windows9Server64Guest").encoded()
    )
    with pytest.raises(StepFailed, match=r"Windows \(windows9Server64Guest\)"):
        captured.run("vsphere.check_machine", windows)
    refused(captured, "it has no imaging network", captured.bench.new_module())
    nowhere = captured.bench.new_module(data=EndpointData(imaging_network="elsewhere"))
    refused(captured, "no host of lab-vcenter has both the network elsewhere and the datastore ds1", nowhere)
    captured.published.mkdir(parents=True)
    (captured.published / "other.vmdk").write_text("somebody's")
    refused(captured, "is there already, although there is no hello/")
    (captured.published / "other.vmdk").unlink()
    captured.published.rmdir()
    site.finish(machine.ref.CreateSnapshot_Task("theirs", "", False, False))
    refused(captured, "has a snapshot that vclab has not made")


def test_a_machine_with_a_second_disk(captured: Captured) -> None:
    (machine,) = captured.bench.machines(captured.source.computer)
    device = vim.vm.device
    added = device.VirtualDisk(
        key=-1, controllerKey=1000, unitNumber=3, capacityInKB=1024,
        backing=device.VirtualDisk.FlatVer2BackingInfo(fileName="[ds1] second.vmdk", diskMode="persistent"),
    )  # fmt: skip
    spec = device.VirtualDeviceSpec
    change = spec(operation=spec.Operation.add, fileOperation=spec.FileOperation.create, device=added)
    captured.bench.site().finish(machine.ref.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
    refused(captured, r"has 2 disks, and vclab knows one: \[ds1\] second.vmdk")


def test_one_that_is_off_is_switched_on_and_one_that_is_on_is_not_copied(captured: Captured) -> None:
    captured.off()
    captured.run("vsphere.check_machine")
    assert captured.module.power_status(captured.source) == "on"
    with pytest.raises(StepFailed, match="was switched on again"):
        captured.run("vsphere.copy_raw")


def test_one_that_does_not_shut_down(captured: Captured) -> None:
    """It has five minutes; then it is powered off if its user allows that."""
    waiting = FakeContext()
    for look in range(1, 61):
        with pytest.raises(NotYet, match="is still shutting down"):
            captured.run("vsphere.await_off", context=FakeContext(remembered=waiting.kept))
        waiting.kept = {"looks": str(look)}
    over = FakeContext(remembered=waiting.kept)
    with pytest.raises(StepFailed, match="does not shut down, after 300 s"):
        captured.run("vsphere.await_off", context=over)
    captured.becomes = replace(captured.becomes, force_off=True)
    captured.run("vsphere.await_off", context=FakeContext(remembered=waiting.kept))
    assert captured.module.power_status(captured.source) == "off"
    captured.run("vsphere.await_off")


def test_a_copy_with_other_bytes_is_made_anew(captured: Captured) -> None:
    captured.off()
    captured.run("vsphere.copy_raw")
    with (captured.folder / "raw-flat.vmdk").open("r+b") as file:
        file.write(b"a bit has flipped")
    with pytest.raises(StepFailed, match=r"has other bytes than its disk, and was deleted"):
        captured.run("vsphere.verify_raw")
    assert captured.run("vsphere.verify_raw") == Facts(raw_sha256=HELD)


@pytest.mark.parametrize("step", ["vsphere.verify_raw", "vsphere.verify_sealed"])
def test_reading_that_is_stopped_leaves_nothing(captured: Captured, step: str) -> None:
    captured.off()
    captured.run(step.replace("verify", "copy"))
    for stop in ("reading the machine's disk", "reading it back"):
        with pytest.raises(Interrupted):
            captured.run(step, context=FakeContext(cancel_when=stop))
    assert captured.run(step).raw_sha256 in (HELD, "")


def test_a_full_datastore(captured: Captured) -> None:
    """Nothing is left of a copy for which there is no room; when there is some, it is made."""
    captured.off()
    captured.bench.simulator.control("POST", "/fault", {"kind": "no_space", "datastore": "ds1"})
    with pytest.raises(StepFailed, match="has no space for"):
        captured.run("vsphere.copy_raw")
    captured.bench.simulator.control("DELETE", "/fault")
    assert not captured.folder.exists() or list(captured.folder.iterdir()) == []
    captured.run("vsphere.copy_raw")
    assert captured.run("vsphere.verify_raw") == Facts(raw_sha256=HELD)


def test_a_stage_that_is_begun_anew_seals_anew(captured: Captured) -> None:
    """What an earlier try has made is not taken for what is sealed now."""
    captured.taken()
    captured.sealed()
    with (captured.folder / "sealed-flat.vmdk").open("r+b") as file:
        file.write(b"of the earlier try")
    (captured.folder / "sealed.copy-0badcafe.vmdk").write_text("half made")
    for _ in range(2):
        captured.run("vsphere.begin_sealing")
    assert sorted(each.name for each in captured.folder.iterdir()) == ["raw-flat.vmdk", "raw.vmdk"]
    assert captured.sealed().disk_sha256 == HELD


def test_what_nobody_captures_any_more_is_found_and_deleted(captured: Captured) -> None:
    captured.taken()
    target = captured.throw_away(isolated=True)
    assert captured.module.captures("lab-vcenter") == [captured.becomes.capture]
    with pytest.raises(StepFailed, match="is made from what is in"):
        captured.module.forget_capture("lab-vcenter", captured.becomes.capture)
    captured.module.remove(FakeContext(), target)
    for _ in range(2):
        captured.module.forget_capture("lab-vcenter", captured.becomes.capture)
    assert captured.module.captures("lab-vcenter") == []


def test_another_disk_is_in_the_way(captured: Captured) -> None:
    captured.taken()
    captured.sealed()
    captured.published.mkdir()
    (captured.published / "disk.vmdk").write_text("somebody's")
    with pytest.raises(StepFailed, match="is there already, with something else in it"):
        captured.run("vsphere.publish_copy")
    captured.run("vsphere.withdraw_copy")
    assert (captured.published / "disk.vmdk").read_text() == "somebody's"
    (captured.published / "disk.vmdk").unlink()
    captured.published.rmdir()


def test_plans_need_a_guest(captured: Captured) -> None:
    bare = replace(captured.source, guest="")
    for plan in (captured.module.capture, captured.module.hand_back, captured.module.seal, captured.module.boot_test):
        with pytest.raises(StepFailed, match="without a guest"):
            plan(bare)


def test_a_revision_is_not_where_its_parent_is(captured: Captured) -> None:
    """Only its copies hold it: nothing may be made from its parent's master in its name."""
    captured.taken()
    captured.sealed()
    assert captured.run("vsphere.publish_copy").image_data == ImageData().encoded()
    captured.run("vsphere.withdraw_copy")


def test_what_this_capture_has_not_published_stays(captured: Captured) -> None:
    """Also while nothing is sealed yet, and when there is nothing else to be seen of the capture."""
    captured.published.mkdir(parents=True)
    (captured.published / "disk.vmdk").write_text("somebody's")
    for step in ("vsphere.withdraw_copy", "vsphere.begin_sealing"):
        captured.run(step)
        assert (captured.published / "disk.vmdk").read_text() == "somebody's"
    with pytest.raises(StepFailed, match="is there already, with something else in it"):
        captured.run("vsphere.publish_copy")
    (captured.published / "disk.vmdk").unlink()
    captured.published.rmdir()


def test_a_directory_that_an_attempt_has_left_is_no_obstacle(captured: Captured) -> None:
    captured.taken()
    captured.sealed()
    captured.published.mkdir()
    captured.run("vsphere.publish_copy")
    captured.run("vsphere.withdraw_copy")
    assert not captured.published.exists()


def test_where_a_disk_that_has_had_children_can_not_be_deleted(tmp_path: Path) -> None:
    """For ever: it goes with its directory."""
    bench = Bench(tmp_path, keep_parents=True)
    captured = Captured(bench)
    try:
        captured.taken()
        target = captured.throw_away(isolated=True)
        captured.off(target)
        captured.run("vsphere.copy_sealed", target)
        with (captured.folder / "sealed-flat.vmdk").open("r+b") as file:
            file.write(b"a bit has flipped")
        with pytest.raises(StepFailed, match=r"has other bytes than its disk, and was deleted"):
            captured.run("vsphere.verify_sealed", target)
        assert captured.run("vsphere.verify_sealed", target).disk_sha256 == HELD
        captured.module.remove(FakeContext(), target)
        captured.run("vsphere.begin_sealing")
        assert captured.sealed().disk_sha256 == HELD
        captured.run("vsphere.publish_copy")
        captured.run("vsphere.withdraw_copy")
        captured.end()
    finally:
        captured.module.close()
        bench.close()


def test_while_a_disk_is_made_from_it_nothing_is_moved(captured: Captured) -> None:
    """Also while its machine is off: most endpoints would let its parent go then."""
    captured.taken()
    captured.sealed()
    tried = captured.throw_away(isolated=False)
    captured.off(tried)
    with pytest.raises(StepFailed, match=f"the disk of {tried.machine_name} is made from what is in"):
        captured.run("vsphere.publish_copy")
    assert (captured.folder / "sealed.vmdk").exists() and not captured.published.exists()
    captured.module.remove(FakeContext(), tried)


def test_a_disk_that_is_not_as_vclab_has_made_it(captured: Captured) -> None:
    other = replace(captured.source, copy="[ds1] vclab/images.of_vclab/debian-12.9/disk.vmdk")
    with pytest.raises(
        StepFailed, match=r"is made from \[ds1\] masters/.*, not from \[ds1\] vclab/images\.of_vclab/de"
    ):
        captured.run("vsphere.check_machine", other)
    with pytest.raises(StepFailed, match=r"is made from \[ds1\] masters/.*, and should share nothing"):
        captured.run("vsphere.check_machine", replace(captured.source, dedicated=True))


def test_a_machine_with_a_vtpm(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.provisioning.vsphere.capturing.why_sealed", lambda values: "has a vTPM")
    refused(captured, f"{captured.source.machine_name} has a vTPM")


def test_windows_by_its_hardware(captured: Captured) -> None:
    windows = replace(captured.source, hardware=Hardware(guest_id="windows2022srvNext_64Guest"))
    with pytest.raises(StepFailed, match=r"Windows \(windows2022srvNext_64Guest\)"):
        captured.run("vsphere.check_machine", windows)


def test_no_room_for_two_copies(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    free = captured.bench.site().datastore("ds1").free_gb
    monkeypatch.setattr("vclab.provisioning.vsphere.capturing._takes", lambda values: ((free + 1) << 29) - 5)
    refused(captured, f"ds1 has {free} GiB free, and two copies of the disk .* take up to {free + 1} GiB")


def test_the_address_of_the_source_is_not_that_of_the_throw_away_machine(captured: Captured) -> None:
    captured.taken()
    captured.run("vsphere.power_on")
    target = captured.throw_away(isolated=True)

    def report(each: Target, address: str) -> None:
        ips = [{"mac": each.private_mac, "address": address}]
        said = {"uuid": each.instance_uuid, "ips": ips, "hostname": "x", "tools": "guestToolsRunning"}
        captured.bench.simulator.control("POST", "/guest", said)

    for each in (captured.source, target):
        report(each, "10.77.0.9")
    with pytest.raises(NotYet, match=f"has the address 10.77.0.9 of {captured.source.computer}"):
        captured.run("vsphere.find_address", target)
    report(target, "10.78.0.9")
    assert captured.run("vsphere.find_address", target).private_address == "10.78.0.9"
    captured.module.remove(FakeContext(), target)


@pytest.mark.parametrize("step", ["vsphere.verify_raw", "vsphere.publish_copy"])
def test_a_step_that_lost_its_tenure_leaves_nothing(captured: Captured, step: str) -> None:
    captured.taken()
    captured.sealed()
    with pytest.raises(Fenced):
        captured.run(step, context=FakeContext(allowed=0))
    assert not list(captured.folder.parent.glob("read-*")) and not captured.published.exists()


LIFE = ("vsphere.copy_sealed", "vsphere.publish_copy", "vsphere.discard_raw", "vsphere.withdraw_copy")


@pytest.mark.parametrize(("how", "keeps"), [("after", False), ("before", False), ("lost", True)])
@pytest.mark.parametrize("step", LIFE)
def test_cut_off_at_any_act(captured: Captured, wire: Wire, step: str, how: str, keeps: bool) -> None:
    """At each single act of a step; tried again, it ends as if nothing had been."""
    captured.off()
    at, whole = LIFE.index(step), captured.becomes
    for number in itertools.count(1):
        captured.becomes = replace(whole, capture=f"{whole.capture}-{number}", revision=1000 * number + whole.revision)
        for before in LIFE[:at]:
            captured.run(before)

        def work(module: VSphere, context: FakeContext) -> None:
            captured.run(step, context=context, module=module)

        wire.cut(number, how)
        insist(captured.bench, wire, work, keeps)
        done = len(wire.acts) < number
        wire.cut(0, "")
        made, there = _names(captured.folder), _names(captured.published)
        assert made == [["sealed-flat.vmdk", "sealed.vmdk"], [], None, None][at], f"{how} act {number}"
        assert (there is not None and "disk.vmdk" in there) == (0 < at < 3), f"{how} act {number}"
        for after in LIFE[at + 1 :]:
            captured.run(after)
        assert (_names(captured.folder), _names(captured.published)) == (None, None), f"{how} act {number}"
        if done:
            return


def _names(folder: Path) -> list[str] | None:
    """What is in it; None: there is no such folder."""
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else None
