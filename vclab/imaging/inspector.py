"""Tells what hardware a node has. It runs on the node (``on_node.py``), reads only, and says:

    {"event": "disk", ...}    for each disk
    {"event": "card", ...}    for each network card
    {"event": "entry", ...}   for each boot entry of a UEFI firmware
    {"event": "done", ...}    all else, and the boot order

The environment has no udev: what a disk is called by its identity and its place is read from sysfs, by udev's rules. A
disk of a virtual machine that has none of these is known by the links that somebody made in /dev/disk.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vclab.imaging import efi
from vclab.imaging.on_node import carry_out, leashed, say

MOST = 256
"""Disks, and cards, of each."""
_LONGEST = 200
_NO_DISKS = re.compile(r"(ram|zram|dm-|md|sr|fd|nbd)[0-9]|mmcblk[0-9]+(boot[0-9]+|rpmb)")
_CD = "5"
_ETHERNET = "1"
_SECTOR = 512
"""Bytes: sysfs counts sizes by it, whatever a disk's sectors are."""
_SERIAL_IN_LINK = re.compile(r"(?:ata|nvme|scsi|usb)-(?P<model>.*)_(?P<serial>[^_]+)|virtio-(?P<only>[^_]+)")

Said = dict[str, Any]


def disks(root: Path = Path("/")) -> list[Said]:
    """All disks that are there, by name."""
    links = {kind: _links(root / "dev/disk" / kind) for kind in ("by-id", "by-path")}
    found = []
    for entry in sorted((root / "sys/block").iterdir(), key=_natural):
        device = root / "dev" / entry.name.replace("!", "/")
        names = links["by-id"].get(device.name, [])
        if _is_disk(entry, device, names):
            by_path = links["by-path"].get(device.name, [])
            found.append(_disk(entry, f"/dev/{device.relative_to(root / 'dev')}", names, by_path))
    return found[:MOST]


def _natural(entry: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", entry.name)]


def _links(folder: Path) -> dict[str, list[str]]:
    """By the device's name: the links to it, without those of partitions."""
    found: dict[str, list[str]] = {}
    with contextlib.suppress(OSError):
        for link in sorted(folder.iterdir()):
            if link.is_symlink() and not re.search(r"-part[0-9]+$", link.name):
                found.setdefault(link.readlink().name, []).append(link.name)
    return found


def _is_disk(entry: Path, device: Path, links: Sequence[str]) -> bool:
    """Whether it is one that holds anything, and that this node has: a device of that number is there. A loop device
    counts where a link says that it is a disk."""
    if _NO_DISKS.match(entry.name) or _read(entry / "device/type") == _CD or _read(entry / "hidden") == "1":
        return False
    if not (entry / "device").exists() and not links:
        return False
    try:
        status = device.stat()
    except OSError:
        return False
    numbers = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return stat.S_ISBLK(status.st_mode) and numbers == _read(entry / "dev") and _number(entry / "size") > 0


def _disk(entry: Path, path: str, links: Sequence[str], by_path: Sequence[str]) -> Said:
    where, queue = entry.resolve(), entry / "queue"
    model, serial = _named(entry, links)
    made = [f"wwn-{wwn}"] if (wwn := _wwn(entry, links)) else []
    return {
        "path": path,
        "size": _number(entry / "size") * _SECTOR,
        "serial": serial,
        "wwn": wwn,
        "model": model,
        "transport": _transport(where),
        "by_path": (list(by_path) or [_place(where)])[0],
        "by_id": (list(links) or made)[:16],
        "sector": _number(queue / "logical_block_size") or _SECTOR,
        "discarded_by": _number(queue / "discard_granularity"),
        "rotational": _read(queue / "rotational") == "1",
        "read_only": _read(entry / "ro") == "1",
    }


def _named(entry: Path, links: Sequence[str]) -> tuple[str, str]:
    """Model and serial number."""
    device = entry / "device"
    vendor, model = _read(device / "vendor"), _read(device / "model") or _read(device / "name")
    page = _bytes(device / "vpd_pg80")  # SPC-4, 7.8.12: unit serial number, behind four bytes
    serial = _clean(page[4:]) or _read(device / "serial") or _read(entry / "serial")
    in_link = next(filter(None, map(_SERIAL_IN_LINK.fullmatch, links)), None)
    if not serial and in_link:
        serial, model = in_link["serial"] or in_link["only"], model or in_link["model"] or ""
    named = "" if vendor == "ATA" or vendor.startswith("0x") else vendor
    return f"{named} {model}".strip(), serial


def _wwn(entry: Path, links: Sequence[str]) -> str:
    """Empty also where it is all zeros, which names no disk."""
    found = _said_wwn(entry, links)
    return found if re.sub(r"^(0x|[a-z]+\.)", "", found).strip("0-") else ""


def _said_wwn(entry: Path, links: Sequence[str]) -> str:
    said = _read(entry / "device/wwid") or _read(entry / "wwid")
    if said.startswith("naa."):
        return f"0x{said[4:]}"
    if said.startswith(("eui.", "uuid.")):
        return said
    return next((link.removeprefix("wwn-") for link in links if link.startswith("wwn-")), "")


def _transport(where: Path) -> str:
    text = f"{where}/"
    kinds = {
        r"/usb[0-9]+/": "usb",
        r"/ata[0-9]+/": "ata",
        r"/end_device-": "sas",
        r"/nvme[0-9]*/|/nvme-subsystem/": "nvme",
        r"/mmc_host/": "mmc",
        r"/virtio[0-9]+/": "virtio",
        r"/host[0-9]+/": "scsi",
    }
    return next((kind for pattern, kind in kinds.items() if re.search(pattern, text)), "")


def _place(where: Path) -> str:
    """Where it is plugged in, as udev's path_id names it; empty where that is not known here."""
    parts, found = where.parts, ""
    for index in range(len(parts) - 1, -1, -1):
        part, folder = parts[index], Path(*parts[: index + 1])
        if re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]", part):
            return f"pci-{part}{found}"
        found = _place_part(part, folder) + found
    return ""


def _place_part(part: str, folder: Path) -> str:
    text = str(folder)
    if ata := re.fullmatch(r"ata[0-9]+", part):
        number = _read(folder / "ata_port" / ata[0] / "port_no")
        return f"-ata-{number}" if number else ""
    if unit := re.fullmatch(r"([0-9]+):([0-9]+):([0-9]+):([0-9]+)", part):
        if "/ata" in text or "/end_device-" in text:
            return ""
        first = min(_hosts(folder), default=int(unit[1]))
        return f"-scsi-{int(unit[1]) - first}:{unit[2]}:{unit[3]}:{unit[4]}"
    if re.fullmatch(r"end_device-[0-9:]+", part):
        address = _read(folder / "sas_device" / part / "sas_address")
        return f"-sas-{address}-lun-0" if address else ""
    if usb := re.fullmatch(r"[0-9]+-([0-9.]+):([0-9]+\.[0-9]+)", part):
        return f"-usb-0:{usb[1]}:{usb[2]}"
    if nvme := re.fullmatch(r"nvme[0-9]+n([0-9]+)", part):
        return f"-nvme-{nvme[1]}"
    return ""


def _hosts(unit: Path) -> Iterator[int]:
    """The numbers of all SCSI hosts of the controller that has this unit: udev counts from the first one."""
    host = next((parent for parent in unit.parents if re.fullmatch(r"host[0-9]+", parent.name)), None)
    if host:
        for beside in host.parent.iterdir():
            if re.fullmatch(r"host[0-9]+", beside.name):
                yield int(beside.name.removeprefix("host"))


def cards(root: Path = Path("/")) -> list[Said]:
    """All network cards of Ethernet."""
    found = []
    for card in sorted((root / "sys/class/net").iterdir(), key=_natural):
        if _read(card / "type") == _ETHERNET:
            driver = card / "device/driver"
            carrier = _read(card / "carrier")  # of a card that is down it can't be read
            found.append(
                {
                    "mac": _read(card / "address"),
                    "name": card.name,
                    "driver": driver.resolve().name if driver.exists() else "",
                    "link": carrier == "1" if carrier else None,
                }
            )
    return found[:MOST]


def machine(root: Path = Path("/")) -> Said:
    """Processors, memory, firmware and names."""
    model = re.search(r"^model name\s*: (.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+([0-9]+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    names = root / "sys/class/dmi/id"
    variables = efi.variables(root)
    return {
        "cpus": os.cpu_count() or 0,
        "cpu_model": model[1].strip()[:_LONGEST] if model else "",
        "memory_mib": int(memory[1]) // 1024 if memory else 0,
        "firmware": "efi" if (root / "sys/firmware/efi").is_dir() else "bios",
        "firmware_vendor": _read(names / "bios_vendor"),
        "firmware_version": _read(names / "bios_version"),
        "secure_boot": variables.secure_boot() if variables else None,
        "vendor": _read(names / "sys_vendor"),
        "product": _read(names / "product_name"),
        "serial": _read(names / "product_serial"),
        "boot_order": variables.order() if variables else [],
    }


def entries(root: Path = Path("/")) -> list[Said]:
    """The boot entries of a UEFI firmware."""
    variables = efi.variables(root)
    return [entry.said() for entry in variables.entries()][:MOST] if variables else []


# --- files of the kernel --------------------------------------------------------------------------------------------


def _read(file: Path) -> str:
    """Its first line, on one line; empty when it is not there."""
    return _clean(_bytes(file).partition(b"\n")[0])


def _clean(held: bytes) -> str:
    text = held.decode("utf-8", "replace").strip("\0 \n")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST]


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as held:
            return held.read(4096)
    except OSError:
        return b""


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _number(file: Path) -> int:
    said = _read(file)
    return int(said) if said.isdecimal() else 0


def main(words: Sequence[str]) -> int:
    """It takes no words."""
    leashed()
    return carry_out(_report)


def _report() -> Said:
    for event, found in (("disk", disks()), ("card", cards()), ("entry", entries())):
        for one in found:
            say(event=event, **one)
    return machine()
