"""Disks that machines can't be made from: encrypted ones, and those of a machine that is encrypted or has a vTPM.

A child needs its parent's key, and what a system has sealed with its vTPM no other machine can open.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vclab.model import reported
from vclab.model.errors import Unreachable
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.chains import DEVICES, disk_chains, own_part
from vclab.provisioning.vsphere.properties import find_all
from vclab.provisioning.vsphere.site import Site

KEY = "config.keyId"
_KEYS = re.compile(r"^\s*encryptionKeys\s*=", re.MULTILINE | re.IGNORECASE)
_TODO = "make the image on a machine without encryption and vTPM"


def sealed_disks(site: Site) -> dict[str, str]:
    """The disks of machines that are encrypted or have a vTPM, by path: what is wrong, and what to do. Not the disk of
    others that one of them is made from."""
    found = {}
    for _, values in find_all(site.session, vim.VirtualMachine, ["name", KEY, DEVICES], site.datacenter):
        if why := why_sealed(values):
            text = f"is a disk of {reported.line(values.get('name'))}, which {why}: {_TODO}"
            found.update({path: text for chain in disk_chains(values) for path in own_part(chain)})
    return found


def why_encrypted(site: Site, path: str) -> str:
    """That a disk's descriptor says that it is encrypted, and what to do; empty: it does not, or can't be read."""
    with suppress(Unreachable):
        if _KEYS.search(files.read_text(site, path, files.LONGEST_DESCRIPTOR)):
            return f"is encrypted: {_TODO}"
    return ""


def why_sealed(machine: Mapping[str, Any]) -> str:
    """That a machine has a vTPM or is encrypted, from its properties ``DEVICES`` and ``KEY``; empty: neither."""
    if any(isinstance(device, vim.vm.device.VirtualTPM) for device in machine.get(DEVICES, [])):
        return "has a vTPM"
    return "is encrypted" if machine.get(KEY) is not None else ""
