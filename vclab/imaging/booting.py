"""Whether a node can boot an image, and its firmware's boot entry for it (vclab/imaging/boot_entry.py)."""

from dataclasses import dataclass

from vclab.imaging.node import Node, followed, place_programs, text
from vclab.library.content import Told, nobody
from vclab.library.partitions import Boots
from vclab.model import reported
from vclab.model.errors import StepFailed, Unreachable


@dataclass(frozen=True)
class EntrySet:
    """What a firmware boots now, in words; of UEFI also the entry's number and the loader that it names."""

    firmware: str  #: "efi" or "bios"
    number: str
    loader: str
    text: str


def must_fit(firmware: str, disk: Boots) -> None:
    """Look whether firmware of this kind ("bios", "efi"; empty: not known) can boot a disk that is made like this,
    before it is written. Raises ``StepFailed``."""
    if firmware == "efi" and not disk.esp:
        raise StepFailed(
            "the image does not boot on this node: it has no EFI system partition, and the node boots by UEFI",
            "choose an image for UEFI, or set the node's firmware to BIOS (legacy)",
        )
    only_efi = disk.label == "gpt" and disk.esp and not disk.bios_boot
    if firmware == "bios" and (not disk.code or only_efi):
        lacks = "boot code in its first sector" if not disk.code else "BIOS boot partition"
        raise StepFailed(
            f"the image does not boot on this node: it has no {lacks}, and the node boots by BIOS",
            "choose an image for BIOS, or set the node's firmware to UEFI",
        )


def set_boot_entry(node: Node, told: Told = nobody) -> EntrySet:
    """Have the node boot from the network first, as before, and then from ``node.disk``, which was written. A BIOS is
    left as it is. Harmless when it is repeated.

    Raises ``StepFailed`` when the disk has no boot loader for UEFI, or the firmware does not do what it says;
    ``Unreachable``.
    """
    place_programs(node)
    said = followed(node.program("boot_entry", node.disk), told)
    if (firmware := said.get("firmware")) not in ("bios", "efi"):
        raise Unreachable("the node says what is not understood: its firmware")
    return EntrySet(firmware, reported.line(said.get("number"), 4), reported.line(said.get("loader")), text(said))
