"""What hardware a node has, as it was found and as it is recorded; which of its disks takes an image. Pure.

What a node says of itself is a claim: ``report_of`` takes it with bounds, and what is not as it should be is not known.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vclab.model import reported
from vclab.model.errors import Refused

MOST = 256
"""Disks, cards and boot entries of a node, of each."""
LARGEST = 1 << 63
MIB = 1 << 20
_SHORT, _LONG = 80, 200
"""Characters of a name or number, and of a path."""
_CLOSE = 0.05
"""By which share a disk's size may differ from that of a rule: makers' gigabytes differ."""
_MEMORY_SLACK = 0.02
"""By which share the memory that a kernel leaves differs without a cause."""
_UNITS = {"GB": 10**9, "TB": 10**12, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(GB|TB|GiB|TiB)")
_RULE = re.compile(r"(serial|wwn|size|path)=(.{1,200})")
_RULES = "serial=SERIAL, wwn=WWN, size=480GB, path=/dev/disk/by-path/…, or nothing: its only disk"
_WWN_PREFIXES = ("0x", "naa.", "eui.", "wwn-")
_FIRMWARES = ("bios", "efi")
_IN_FIRMWARE = "firmware"
"""In the device path of what is in the firmware itself, such as a shell."""
_LINKS = "/dev/disk/"
_ATA = re.compile(r"(-ata-[0-9]+)\.0$")
"""udev names the first device of a port in two ways."""


@dataclass(frozen=True)
class DiskReport:
    """A disk. ``path`` is its device there, which another boot may call otherwise; ``size`` and ``sector`` in bytes."""

    path: str
    size: int
    serial: str = ""
    wwn: str = ""
    model: str = ""
    transport: str = ""  #: ata, sas, scsi, nvme, usb, virtio, mmc; empty: not known
    by_path: str = ""  #: where it is plugged in, as udev names that
    by_id: tuple[str, ...] = ()
    sector: int = 512
    rotational: bool = False
    read_only: bool = False

    @property
    def identity(self) -> str:
        """What it is known by again."""
        return self.serial or _plain_wwn(self.wwn) or self.by_path or self.path

    def __str__(self) -> str:
        """For people, who look for one of them."""
        marks = [f"serial {self.serial}" if self.serial else "", f"wwn {self.wwn}" if self.wwn else "", self.by_path]
        what = [f"{self.size / 10**9:.4g} GB", self.model, *marks, "read-only" if self.read_only else ""]
        return f"{self.path} ({', '.join(filter(None, what))})"


@dataclass(frozen=True)
class CardReport:
    """A network card. ``link``: whether a cable carries a signal; None: not known."""

    mac: str
    name: str = ""
    driver: str = ""
    link: bool | None = None


@dataclass(frozen=True)
class BootEntry:
    """An entry of a UEFI firmware. ``where``: the kinds of its device path, in order; ``on_disk``: of a disk."""

    number: str  #: four hexadecimal digits
    label: str = ""
    active: bool = True
    where: str = ""
    on_disk: bool = False

    @property
    def is_network(self) -> bool:
        """Whether it boots from the network."""
        return bool({"mac", "ipv4", "ipv6", "uri"} & set(self.where.split("/")))


@dataclass(frozen=True)
class NodeReport:
    """A node. What is empty, 0 or None is not known."""

    cpus: int = 0
    cpu_model: str = ""
    memory_mib: int = 0
    firmware: str = ""  #: "bios" or "efi", as it booted
    firmware_vendor: str = ""
    firmware_version: str = ""
    secure_boot: bool | None = None
    vendor: str = ""
    product: str = ""
    serial: str = ""
    disks: tuple[DiskReport, ...] = ()
    cards: tuple[CardReport, ...] = ()
    boot_entries: tuple[BootEntry, ...] = ()
    boot_order: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As ``report_of`` takes it."""
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """Something that differs from the record, in words. ``too_little``: the node can do less than it should.
    ``guarded``: who had root rights on it may have changed it, and would still be in there after a load."""

    text: str
    too_little: bool = False
    guarded: bool = False

    @property
    def grave(self) -> bool:
        """Nobody gets the node before somebody has looked at it."""
        return self.too_little or self.guarded


# --- a claim --------------------------------------------------------------------------------------------------------


def report_of(said: object) -> NodeReport:
    """What a node or a record says, with bounds; a disk without a path or a size, and a card without a MAC, are left
    out."""
    given = said if isinstance(said, Mapping) else {}
    firmware, order = _text(given, "firmware"), given.get("boot_order")
    numbers = [reported.line(one, 4) for one in order[:MOST]] if isinstance(order, list | tuple) else []
    return NodeReport(
        cpus=_number(given, "cpus", 1 << 20),
        cpu_model=_text(given, "cpu_model"),
        memory_mib=_number(given, "memory_mib", 1 << 40),
        firmware=firmware if firmware in _FIRMWARES else "",
        firmware_vendor=_text(given, "firmware_vendor"),
        firmware_version=_text(given, "firmware_version"),
        secure_boot=_flag(given, "secure_boot"),
        vendor=_text(given, "vendor"),
        product=_text(given, "product"),
        serial=_text(given, "serial"),
        disks=tuple(disk for one in _objects(given, "disks") if (disk := _disk(one)).path and disk.size),
        cards=tuple(card for one in _objects(given, "cards") if (card := _card(one)).mac),
        boot_entries=tuple(entry for one in _objects(given, "boot_entries") if (entry := _entry(one)).number),
        boot_order=tuple(filter(None, numbers)),
    )


def _disk(said: Mapping[str, Any]) -> DiskReport:
    path, links = reported.line(said.get("path"), _LONG), said.get("by_id")
    sector = _number(said, "sector", 1 << 20)
    return DiskReport(
        path=path if path.startswith("/dev/") and " " not in path and ".." not in path else "",
        size=_number(said, "size", LARGEST),
        serial=_text(said, "serial"),
        wwn=_text(said, "wwn"),
        model=_text(said, "model"),
        transport=_text(said, "transport"),
        by_path=reported.line(said.get("by_path"), _LONG),
        by_id=tuple(reported.line(one, _LONG) for one in links[:16]) if isinstance(links, list | tuple) else (),
        sector=sector if sector in (512, 1024, 2048, 4096) else 512,
        rotational=_flag(said, "rotational") or False,
        read_only=_flag(said, "read_only") or False,
    )


def _card(said: Mapping[str, Any]) -> CardReport:
    return CardReport(reported.mac(said.get("mac")), _text(said, "name"), _text(said, "driver"), _flag(said, "link"))


def _entry(said: Mapping[str, Any]) -> BootEntry:
    where, active = reported.line(said.get("where"), _LONG), _flag(said, "active")
    on_disk = _flag(said, "on_disk") or False
    return BootEntry(reported.line(said.get("number"), 4), _text(said, "label"), active is not False, where, on_disk)


def _objects(said: Mapping[str, Any], key: str) -> Iterable[Mapping[str, Any]]:
    listed = said.get(key)
    return reported.objects(list(listed[:MOST])) if isinstance(listed, list | tuple) else ()


def _text(said: Mapping[str, Any], key: str) -> str:
    return reported.line(said.get(key), _SHORT)


def _number(said: Mapping[str, Any], key: str, most: int) -> int:
    return reported.number(said.get(key), most) or 0


def _flag(said: Mapping[str, Any], key: str) -> bool | None:
    found = said.get(key)
    return found if isinstance(found, bool) else None


# --- what differs ---------------------------------------------------------------------------------------------------


def differences(recorded: NodeReport, found: NodeReport) -> tuple[Difference, ...]:
    """What is otherwise than it is recorded, the worst first. What either does not know is not compared."""
    every = (
        *_amounts(recorded, found),
        *_disks(recorded.disks, found.disks),
        *_cards(recorded.cards, found.cards),
        *_texts(recorded, found),
        *_boot_order(recorded, found),
    )
    return tuple(sorted(every, key=lambda one: (not one.too_little, not one.guarded)))


def _amounts(recorded: NodeReport, found: NodeReport) -> Iterator[Difference]:
    if recorded.cpus and found.cpus and recorded.cpus != found.cpus:
        yield Difference(f"it has {found.cpus} CPUs, recorded are {recorded.cpus}", found.cpus < recorded.cpus)
    slack = max(64, recorded.memory_mib * _MEMORY_SLACK)
    if recorded.memory_mib and found.memory_mib and abs(recorded.memory_mib - found.memory_mib) > slack:
        text = f"it has {found.memory_mib} MiB of memory, recorded are {recorded.memory_mib} MiB"
        yield Difference(text, found.memory_mib < recorded.memory_mib)


def _disks(recorded: Sequence[DiskReport], found: Sequence[DiskReport]) -> Iterator[Difference]:
    there, known = {disk.identity: disk for disk in found}, {disk.identity: disk for disk in recorded}
    for identity, old in known.items():
        if (new := there.get(identity)) is None:
            yield Difference(f"the disk {old} is not there", too_little=True)
            continue
        if new.size != old.size:
            yield Difference(f"the disk {new} has {new.size} bytes, recorded are {old.size}", new.size < old.size)
        if new.read_only and not old.read_only:
            yield Difference(f"the disk {new} can't be written any more", too_little=True)
        if new.sector != old.sector:
            yield Difference(f"the disk {new} has sectors of {new.sector} bytes, recorded are {old.sector}")
    for identity, new in there.items():
        if identity not in known:
            yield Difference(f"the disk {new} is not recorded")


def _cards(recorded: Sequence[CardReport], found: Sequence[CardReport]) -> Iterator[Difference]:
    there, known = {card.mac for card in found}, {card.mac for card in recorded}
    for mac in sorted(known - there):
        yield Difference(f"the network card {mac} is not there")
    for mac in sorted(there - known):
        yield Difference(f"the network card {mac} is not recorded")


def _texts(recorded: NodeReport, found: NodeReport) -> Iterator[Difference]:
    said = {
        "firmware": "it booted by",
        "serial": "its serial number is",
        "vendor": "its maker is",
        "product": "its model is",
        "cpu_model": "its processor is",
        "firmware_vendor": "the maker of its firmware is",
        "firmware_version": "the version of its firmware is",
    }
    for name, text in said.items():
        old, new = getattr(recorded, name), getattr(found, name)
        if old and new and old != new:
            yield Difference(f"{text} {new}, recorded is {old}", guarded=name.startswith("firmware"))
    if None not in (recorded.secure_boot, found.secure_boot) and recorded.secure_boot != found.secure_boot:
        yield Difference(f"Secure Boot is {'on' if found.secure_boot else 'off'}, not as it is recorded", guarded=True)


def _boot_order(recorded: NodeReport, found: NodeReport) -> Iterator[Difference]:
    """Of entries of the network and of the firmware itself. Those of disks come and go with what is written there, and
    with how thoroughly firmware looks at a start. As if the network came first, for each load puts it there."""
    old, new = _own_order(recorded), _own_order(found)
    if old and new and old != new:
        text = f"the boot order of its firmware is {', '.join(new)}; recorded is {', '.join(old)}"
        yield Difference(text, guarded=True)


def _own_order(report: NodeReport) -> list[str]:
    entries = {entry.number: entry for entry in report.boot_entries if not entry.on_disk}
    known = [entries[number] for number in report.boot_order if number in entries]
    known = [entry for entry in known if entry.is_network or _IN_FIRMWARE in entry.where.split("/")]
    return [entry.label for entry in sorted(known, key=lambda entry: not entry.is_network)]


# --- the disk that takes the image ----------------------------------------------------------------------------------


def check_rule(rule: str) -> None:
    """Raises ``Refused`` when it is no rule for disks."""
    found = _RULE.fullmatch(rule)
    if rule and (found is None or (found[1] == "size" and not _SIZE.fullmatch(found[2]))):
        raise Refused(f"{reported.line(rule, 60)!r} is no rule for a disk", f"write {_RULES}")


def chosen(rule: str, disks: Sequence[DiskReport], keep: Sequence[str] = ()) -> DiskReport:
    """The one disk that the rule names; one whose serial number is in ``keep`` is never it.

    Raises ``Refused`` with all disks that there are when it names none or several.
    """
    check_rule(rule)
    found = [disk for disk in disks if _fits(rule, disk)]
    free = [disk for disk in found if not disk.serial or disk.serial not in keep]
    if len(free) == 1:
        return free[0]
    what = f"the rule {rule} names" if rule else "no rule names its disk, and it has"
    if found and not free:
        why = f"{what} only disks that are kept"
    else:
        why = f"{what} {f'{len(free)} disks' if free else 'no disk'}"
    raise Refused(f"{why}; it has {_listed(disks)}", "change the rule of the computer" if disks else "")


def _fits(rule: str, disk: DiskReport) -> bool:
    what, _, value = rule.partition("=")
    match what:
        case "serial":
            return disk.serial == value
        case "wwn":
            return bool(disk.wwn) and _plain_wwn(disk.wwn) == _plain_wwn(value)
        case "size":
            return abs(disk.size - (wanted := _bytes(value))) <= _CLOSE * wanted
        case "path":
            name = value.removeprefix(f"{_LINKS}by-path/").removeprefix(f"{_LINKS}by-id/")
            return _ATA.sub(r"\1", name) in (_ATA.sub(r"\1", disk.by_path), disk.path, *disk.by_id)
    return True


def _bytes(size: str) -> float:
    found = _SIZE.fullmatch(size)
    return float(found[1]) * _UNITS[found[2]] if found else 0.0


def _plain_wwn(text: str) -> str:
    plain = text.lower()
    for prefix in _WWN_PREFIXES:
        plain = plain.removeprefix(prefix)
    return plain


def _listed(disks: Sequence[DiskReport]) -> str:
    shown = [str(disk) for disk in disks[:16]]
    more = [f"{len(disks) - 16} more"] if len(disks) > 16 else []
    return "; ".join(shown + more) or "no disk at all"
