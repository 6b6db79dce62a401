"""A firmware is told of the disk that was written; and an image for another firmware is refused before."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.imaging.disks import MIB, blank, partitioned, run
from tests.imaging.test_inspect import NETWORK
from vclab.imaging import boot_entry
from vclab.imaging.boot_entry import chosen_loader, set_entry
from vclab.imaging.booting import must_fit, set_boot_entry
from vclab.imaging.efi import FOLDER, Variables, load_option
from vclab.imaging.node import Node
from vclab.imaging.on_node import Trouble
from vclab.library import partitions
from vclab.library.partitions import Boots
from vclab.model.errors import StepFailed, Unreachable

BEGIN = 1 << 20
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
END = b"\x7f\xff\x04\x00"
SHIM, REMOVABLE = "EFI/debian/shimx64.efi", "EFI/BOOT/BOOTX64.EFI"


def disk_with(folder: Path, files: Sequence[str], label: str = "gpt") -> Path:
    """An EFI system partition with these files, and one more partition."""
    disk = blank(folder / "disk", 80 * MIB)
    given = f"label: {label}\nstart=2048,size=90000,type={'U' if label == 'gpt' else 'ef'}\n,\n"
    run("sfdisk", "--quiet", str(disk), given=given)
    run("mkfs.fat", "-F", "32", "--offset", "2048", str(disk), "45000")
    place = f"{disk}@@{BEGIN}"
    for folder_in_it in sorted({str(parent) for file in files for parent in Path(file).parents if str(parent) != "."}):
        run("env", "MTOOLS_SKIP_CHECK=1", "mtools", "-c", "mmd", "-i", place, f"::/{folder_in_it}")
    (folder / "loader").write_text("loader")
    for file in files:
        run("env", "MTOOLS_SKIP_CHECK=1", "mtools", "-c", "mcopy", "-i", place, str(folder / "loader"), f"::/{file}")
    return disk


def firmware(folder: Path) -> Variables:
    """One that boots its disk, a shell, then two cards of the network."""
    (folder / FOLDER).mkdir(parents=True)
    found = Variables(folder / FOLDER)
    for number, label, path in (("0000", "old disk", END), ("0001", "Shell", END), ("0003", "PXE 1", NETWORK)):
        found.write(f"Boot{number}", load_option(label, path))
    found.write("Boot0004", load_option("PXE 2", NETWORK))
    found.set_order(["0000", "0004", "0001", "0003"])
    return found


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_the_disk_comes_behind_the_network(tmp_path: Path, label: str) -> None:
    variables, disk = firmware(tmp_path), disk_with(tmp_path, (SHIM, REMOVABLE), label)
    done = set_entry(str(disk), tmp_path)
    assert (done["number"], done["loader"]) == ("0002", "\\EFI\\debian\\shimx64.efi")
    assert variables.order() == ["0004", "0003", "0002", "0000", "0001"]
    mine = next(entry for entry in variables.entries() if entry.number == "0002")
    assert (mine.label, mine.active, mine.said()["where"]) == ("vclab", True, "disk/file")
    before = _times(variables)
    assert set_entry(str(disk), tmp_path) == done
    assert _times(variables) == before, "the second time nothing was to be written"


def _times(variables: Variables) -> list[tuple[str, int]]:
    return sorted((file.name, file.stat().st_mtime_ns) for file in variables._folder.iterdir())


def test_another_tool_reads_the_entry_as_it_is_meant(tmp_path: Path) -> None:
    """``efibootmgr``, where it is installed."""
    firmware(tmp_path)
    disk = disk_with(tmp_path, (SHIM,))
    set_entry(str(disk), tmp_path)
    table = partitions.read(disk)
    words = ("env", f"EFIVARFS_PATH={tmp_path / FOLDER}/", "efibootmgr", "-v")
    ran = subprocess.run(words, capture_output=True, text=True)
    if ran.returncode:
        pytest.skip(f"efibootmgr: {ran.stderr}")
    line = next(line for line in ran.stdout.splitlines() if line.startswith("Boot0002"))
    guid = run("sfdisk", "--part-uuid", str(disk), "1").strip().lower()
    assert f"HD(1,GPT,{guid},0x800,0x{90000:x})" in line
    assert "\\EFI\\debian\\shimx64.efi" in line and table.partitions[0].begin == BEGIN
    assert "BootOrder: 0004,0003,0002,0000,0001" in ran.stdout


def test_an_entry_of_a_disk_that_was_there_before_is_replaced(tmp_path: Path) -> None:
    variables = firmware(tmp_path)
    for number in ("0007", "0009"):
        variables.write(f"Boot{number}", load_option("vclab", b""))
    variables.set_order(["0009", "0003", "0007", "0000"])
    set_entry(str(disk_with(tmp_path, (REMOVABLE,))), tmp_path)
    assert variables.order() == ["0003", "0007", "0000"]
    assert [entry.number for entry in variables.entries() if entry.label == "vclab"] == ["0007"]


def test_a_firmware_that_does_not_do_what_it_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware(tmp_path)
    disk = disk_with(tmp_path, (SHIM,))
    monkeypatch.setattr(Variables, "set_order", lambda self, numbers: None)
    with pytest.raises(Trouble, match="took the boot order 0004, 0003, 0002, 0000, 0001, but it reads 0000, 0004"):
        set_entry(str(disk), tmp_path)
    monkeypatch.setattr(boot_entry, "load_option", lambda label, path: b"x" * 70_000)
    with pytest.raises(Trouble, match="took the boot entry 0002, but it reads otherwise"):
        set_entry(str(disk), tmp_path)


@pytest.mark.parametrize(
    ("files", "loader"),
    [
        ((REMOVABLE, SHIM, "EFI/ubuntu/shimx64.efi"), SHIM),
        ((REMOVABLE, "EFI/ubuntu/grubx64.efi", "EFI/ubuntu/shimx64.efi"), "EFI/ubuntu/shimx64.efi"),
        ((REMOVABLE, "EFI/Microsoft/Boot/bootmgfw.efi"), "EFI/Microsoft/Boot/bootmgfw.efi"),
        ((REMOVABLE, "EFI/arch/grubx64.efi"), "EFI/arch/grubx64.efi"),
        ((REMOVABLE, "EFI/BOOT/shimx64.efi", "EFI/BOOT/grubx64.efi"), REMOVABLE),
        (("EFI/BOOT/BOOTAA64.EFI",), ""),
        ((), ""),
    ],
)
def test_the_loader_of_a_system_comes_before_that_of_removable_disks(files: Sequence[str], loader: str) -> None:
    assert chosen_loader([f"/{file}" for file in files]) == (f"/{loader}" if loader else "")


def test_a_disk_without_a_loader_is_told(tmp_path: Path) -> None:
    firmware(tmp_path)
    disk = disk_with(tmp_path, ())
    with pytest.raises(Trouble, match="has no boot loader for x86-64"):
        set_entry(str(disk), tmp_path)
    partitioned(str(disk), "gpt", "20M")
    with pytest.raises(Trouble, match="has no EFI system partition"):
        set_entry(str(disk), tmp_path)


def test_a_bios_is_left_as_it_is(tmp_path: Path) -> None:
    assert set_entry("/nonexistent", tmp_path)["text"] == "it boots by BIOS, which has no boot entries"


def test_a_machine_that_has_not_booted_the_imaging_environment_is_left_alone(tmp_path: Path) -> None:
    if Path("/etc/vclab/environment").exists():
        pytest.skip("this machine has booted it")
    with pytest.raises(StepFailed, match="not in the imaging environment"):
        set_boot_entry(Node("/dev/null", folder=str(tmp_path / "node")))


def test_what_a_node_says_is_a_claim(tmp_path: Path) -> None:
    (tmp_path / "said").write_text('{"event": "done", "firmware": "coreboot"}\n')
    script = f'case "$1" in sh*) cat >/dev/null;; *) cat {tmp_path}/said;; esac'
    with pytest.raises(Unreachable, match="its firmware"):
        set_boot_entry(Node("/dev/sda", ("sh", "-c", script, "node")))


# --- before it is written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "disk", "why"),
    [
        ("efi", Boots("gpt", esp=True), ""),
        ("efi", Boots("dos", esp=True), ""),
        ("efi", Boots("gpt", esp=False, bios_boot=True, code=True), "it has no EFI system partition"),
        ("efi", Boots(), "it has no EFI system partition"),
        ("bios", Boots("gpt", esp=True, bios_boot=True, code=True), ""),
        ("bios", Boots("gpt", code=True), ""),
        ("bios", Boots("dos", code=True), ""),
        ("bios", Boots("dos"), "it has no boot code"),
        ("bios", Boots("gpt", esp=True, code=True), "it has no BIOS boot partition"),
        ("", Boots(), ""),
    ],
)
def test_an_image_for_another_firmware_is_refused(kind: str, disk: Boots, why: str) -> None:
    if not why:
        must_fit(kind, disk)
        return
    with pytest.raises(StepFailed, match=f"does not boot on this node: {why}"):
        must_fit(kind, disk)


def test_a_disk_shows_how_it_boots(tmp_path: Path) -> None:
    disk = disk_with(tmp_path, ())
    assert partitions.boots(disk) == Boots("gpt", esp=True)
    with disk.open("r+b") as file:
        file.write(b"\xeb\x63")
    assert partitions.boots(disk) == Boots("gpt", esp=True, code=True)
    assert partitions.boots(blank(tmp_path / "empty", MIB)) == Boots()
    run(
        "sfdisk",
        "--quiet",
        "--wipe",
        "always",
        str(disk),
        given="label: gpt\n,2M,21686148-6449-6E6F-744E-656564454649\n",
    )
    assert partitions.boots(disk).bios_boot
