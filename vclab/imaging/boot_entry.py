"""Has a UEFI firmware know the disk that was written. It runs on the node (``on_node.py``), in the imaging environment.

    boot_entry DISK

The firmware's order becomes: what boots from the network, as it was; then the disk's boot loader; then all else.
Entries that it has made before are replaced. What it has written it reads again. A BIOS has no entries: nothing is
done.

    {"event": "done", "firmware": "efi", "number": "0004", "loader": "\\\\EFI\\\\debian\\\\shimx64.efi", "text": "..."}
"""

import json
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vclab.imaging import efi, fat
from vclab.imaging.efi import Entry, Variables, file_on_disk, load_option
from vclab.imaging.fat import NoFat
from vclab.imaging.on_node import Trouble, attempt, carry_out, must_be_environment, take_over

LABEL = "vclab"
"""Entries of this label are ours."""
_ESP = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef")
_LOADERS = (
    r"/efi/debian/shimx64\.efi",
    r"/efi/(?!boot/)[^/]+/shimx64\.efi",
    r"/efi/microsoft/boot/bootmgfw\.efi",
    r"/efi/(?!boot/)[^/]+/grubx64\.efi",
    r"/efi/systemd/systemd-bootx64\.efi",
    r"/efi/boot/bootx64\.efi",
)
"""Of one system each: the first that is there. The last is what firmware takes of a disk that it does not know."""
_SIGNATURE = 440
"""Byte of a disk's identifier in an MBR."""


def set_entry(disk: str, root: Path = Path("/")) -> dict[str, Any]:
    """What was done. Raises ``Trouble``."""
    if not (root / "sys/firmware/efi").is_dir():
        return {"firmware": "bios", "number": "", "loader": "", "text": "it boots by BIOS, which has no boot entries"}
    variables = efi.variables(root)
    if variables is None:
        raise Trouble("failing", "the variables of its firmware can't be read: efivarfs is empty")
    loader, path = _found(disk)
    option = load_option(LABEL, path)
    try:
        number, others = _written(variables, option)
    except OSError as error:
        raise Trouble("failing", f"its firmware does not take a boot entry: {error.strerror}") from None
    has_network = "the network, then" if others else "nothing from the network (it has no such entry): only"
    return {
        "firmware": "efi",
        "number": number,
        "loader": loader,
        "text": f"it boots from {has_network} {loader} of {disk}, by its entry {number}",
    }


# --- the disk -------------------------------------------------------------------------------------------------------


def _found(disk: str) -> tuple[str, bytes]:
    """The boot loader's name on the disk, and its device path."""
    ran = attempt(["sfdisk", "--json", disk])
    table = json.loads(ran.stdout)["partitiontable"] if ran.returncode == 0 else {}
    sector = int(table.get("sectorsize", 512))
    systems = [part for part in table.get("partitions", []) if str(part.get("type", "")).lower() in _ESP]
    for part in systems:
        if loader := chosen_loader(_files(disk, int(part["start"]) * sector)):
            name = loader.replace("/", "\\")
            return name, _device_path(disk, table, part, name)
    if systems:
        raise Trouble("failing", f"the EFI system partition of {disk} has no boot loader for x86-64")
    raise Trouble("failing", f"the disk {disk} has no EFI system partition, so this node can't boot from it")


def _device_path(disk: str, table: dict[str, Any], part: dict[str, Any], loader: str) -> bytes:
    number = int(re.sub(r".*?([0-9]+)$", r"\1", part["node"]))
    is_gpt = table["label"] == "gpt"
    if is_gpt:
        signature = uuid.UUID(part["uuid"]).bytes_le
    else:
        with Path(disk).open("rb") as held:
            signature = os.pread(held.fileno(), 4, _SIGNATURE) + bytes(12)
    return file_on_disk(number, int(part["start"]), int(part["size"]), signature, is_gpt, loader)


def _files(disk: str, at: int) -> list[str]:
    """All files of the file system's folder EFI."""
    try:
        return fat.files(disk, at, "EFI")
    except NoFat as why:
        raise Trouble("failing", f"the EFI system partition of {disk} can't be read: {why}") from None


def chosen_loader(files: Sequence[str]) -> str:
    """Of these the one to boot; empty: there is none."""
    for wanted in _LOADERS:
        for file in sorted(files):
            if re.fullmatch(wanted, file.lower()):
                return file
    return ""


# --- the firmware ---------------------------------------------------------------------------------------------------


def _written(variables: Variables, option: bytes) -> tuple[str, list[str]]:
    """The number of the entry, and those before it. What is as it should be is not written again."""
    entries = variables.entries()
    ours = [entry for entry in entries if entry.label == LABEL]
    number = ours[0].number if ours else _free(entries)
    network = [each for each in variables.order() if each in {e.number for e in entries if e.is_network}]
    gone = [entry.number for entry in ours if entry.number != number]
    rest = [each for each in variables.order() if each not in (*network, *gone, number)]
    order = [*network, number, *rest]
    if not ours or ours[0].held != option:
        variables.write(f"Boot{number}", option)
    if variables.order() != order:
        variables.set_order(order)
    for old in gone:
        variables.delete(f"Boot{old}")
    _compare(variables, number, option, order)
    return number, network


def _free(entries: Sequence[Entry]) -> str:
    taken = {entry.number for entry in entries}
    return next(name for number in range(0x10000) if (name := f"{number:04X}") not in taken)


def _compare(variables: Variables, number: str, option: bytes, order: list[str]) -> None:
    if variables.read(f"Boot{number}") != option:
        raise Trouble("failing", f"its firmware took the boot entry {number}, but it reads otherwise")
    if (found := variables.order()) != order:
        read, wanted = ", ".join(found), ", ".join(order)
        raise Trouble("failing", f"its firmware took the boot order {wanted}, but it reads {read}")


def main(words: Sequence[str]) -> int:
    """As its words say. It has no leash: what it has begun it ends, within a second."""
    return carry_out(lambda: _work(words[0]))


def _work(disk: str) -> dict[str, Any]:
    must_be_environment()
    take_over()
    return set_entry(disk)
