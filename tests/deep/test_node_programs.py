"""What is done to a node, on a machine with a real UEFI and controllers: inspected, cleaned, its boot order set."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deep.rig import FURTHER_SIZE, Machine, Rig, output, rig
from tests.netboot.bench import run
from vclab.imaging import reading
from vclab.imaging.booting import set_boot_entry
from vclab.imaging.cleaning import clean
from vclab.imaging.inspecting import inspect
from vclab.imaging.node import Node, copy
from vclab.model.nodes import DiskReport, NodeReport, chosen, differences
from vclab.netboot import environment
from vclab.netboot.nodes import publish

pytestmark = [
    pytest.mark.deep,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]
MARK = b"what somebody has written"
ESP = "label: gpt\nsize=70000,type=U\n"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Rig, str]]:
    """A rig, and the name of its imaging environment."""
    built = environment.environment(lambda text: print(text, file=sys.stderr))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"))
    with rig(tmp_path / "machines", tmp_path / "key") as found:
        yield found, publish(found.network.network.root, built)


def test_a_machine_is_inspected_cleaned_and_told_what_to_boot(made: tuple[Rig, str], tmp_path: Path) -> None:
    machine = made[0].machine("ahci", "efi", "nvme", "virtio-scsi", "virtio-blk")
    node = machine.to_imaging(made[1])
    found = inspect(node)
    is_known(machine, found)
    disks = {disk.serial: disk for disk in found.disks}
    is_cleaned(machine, node, found.disks)
    first = disks[machine.build.serial]
    boots_first_from_the_network(replace(node, disk=first.path), found, tmp_path)
    is_read(replace(node, disk=disks[f"{machine.build.serial}-3"].path), machine.further(3), tmp_path)
    machine.start_again()
    again = inspect(node)
    assert [entry.label for entry in again.boot_entries].count("vclab") == 1
    assert differences(found, again) == ()


def is_known(machine: Machine, found: NodeReport) -> None:
    serial = machine.build.serial
    disks = {disk.serial: disk for disk in found.disks}
    assert set(disks) == {serial, f"{serial}-1", f"{serial}-2", f"{serial}-3"}
    assert [disks[name].transport for name in sorted(disks)] == ["ata", "nvme", "virtio", "virtio"]
    assert [disks[name].size for name in sorted(disks)] == [machine.build.disk, *(FURTHER_SIZE,) * 3]
    places = [disks[name].by_path for name in sorted(disks)]
    for place, end in zip(places, ("-ata-1", "-nvme-1", "-scsi-0:0:0:0", ""), strict=True):
        assert place.startswith("pci-0000:") and place.endswith(end), places
    assert len(set(places)) == 4
    assert all(chosen(f"path=/dev/disk/by-path/{disk.by_path}", found.disks) == disk for disk in found.disks)
    assert (found.cpus, found.firmware, found.secure_boot) == (1, "efi", False)
    assert 800 < found.memory_mib <= 1024 and found.vendor == "QEMU" and found.firmware_version
    assert [(card.mac, card.driver, card.link) for card in found.cards] == [(machine.build.mac, "virtio_net", True)]
    assert any(entry.is_network for entry in found.boot_entries) and found.boot_order


def is_cleaned(machine: Machine, node: Node, disks: tuple[DiskReport, ...]) -> None:
    for disk in disks:
        write = f"echo '{MARK.decode()}' | dd of={disk.path} bs=4096 seek=$((n * 2000))"
        script = f"for n in 0 1 2 3 4 5 6 7; do {write}; done; sync"
        output(node, "sh", "-c", script)
    files = [machine.disk, *(machine.further(number) for number in (1, 2, 3))]
    assert all(MARK in file.read_bytes() for file in files)
    kept = f"{machine.build.serial}-3"
    how = {one.serial: one.how for one in clean(node, [kept])}
    assert how.pop(kept) == "kept" and how[f"{machine.build.serial}-1"] == "formatted"
    assert set(how.values()) <= {"formatted", "discarded", "overwritten"}
    assert [MARK in file.read_bytes() for file in files] == [False, False, False, True]


def esp(folder: Path) -> bytes:
    """An EFI system partition with a boot loader."""
    made = folder / "esp"
    run("mkfs.fat", "-F", "16", "-C", str(made), "20000")
    for name in ("EFI", "EFI/debian"):
        run("mtools", "-c", "mmd", "-i", str(made), f"::/{name}")
    (folder / "loader").write_text("loader")
    run("mtools", "-c", "mcopy", "-i", str(made), str(folder / "loader"), "::/EFI/debian/shimx64.efi")
    return made.read_bytes()


def boots_first_from_the_network(node: Node, before: NodeReport, folder: Path) -> None:
    output(node, "sh", "-c", f"echo '{ESP}' | sfdisk --quiet {node.disk}")
    copy(node, "esp", esp(folder))
    output(node, "dd", f"if={node.folder}/esp", f"of={node.disk}", "bs=1M", "seek=1", "conv=fsync")
    done = set_boot_entry(node)
    assert (done.firmware, done.loader) == ("efi", "\\EFI\\debian\\shimx64.efi")
    after = inspect(node)
    entries = {entry.number: entry for entry in after.boot_entries}
    kinds = ["network" if entries[n].is_network else entries[n].label for n in after.boot_order]
    assert "network" in kinds and kinds.index("vclab") == kinds.count("network"), kinds
    assert entries[done.number].on_disk and set(before.boot_order) < set(after.boot_order)
    assert set_boot_entry(node) == done


def is_read(node: Node, disk: Path, folder: Path) -> None:
    """The disk that was kept."""
    source = reading.look(node)
    assert source.size == FURTHER_SIZE
    reading.read(node, source, folder / "read")
    held = (folder / "read").read_bytes()
    assert MARK in held and held == disk.read_bytes()
