"""What a disk's partition table says of how it boots."""

import json
import subprocess
from pathlib import Path

from vclab.model.errors import Unreachable

PATIENCE = 30.0
"""Seconds for a look at a partition table."""
_ESP, _BIOS_BOOT = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "21686148-6449-6E6F-744E-656564454649"
"""GPT types: an EFI system partition, and GRUB's second stage on a BIOS."""


def firmware(raw: Path) -> str:
    """ "efi" or "bios", as a raw disk's partition table tells; empty: it does not. What boots on both is "bios".

    Raises ``Unreachable`` when ``sfdisk`` (Debian: fdisk) is not there.
    """
    try:
        words = ("sfdisk", "--json", str(raw.resolve()))
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        said = json.loads(ran.stdout) if ran.returncode == 0 else {}
        table = said["partitiontable"]
        kinds = {str(part.get("type", "")).upper() for part in table.get("partitions", [])}
    except FileNotFoundError:
        raise Unreachable("sfdisk is missing", "install it: apt-get install fdisk") from None
    except (subprocess.TimeoutExpired, ValueError, KeyError, AttributeError, TypeError):
        return ""
    if table.get("label") == "dos":
        return "efi" if "EF" in kinds else "bios"
    return "efi" if _ESP in kinds and _BIOS_BOOT not in kinds else "bios"
