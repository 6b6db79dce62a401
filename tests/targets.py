"""Targets for tests: what is not said is that of a small virtual machine."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from vclab.model.plans import Becomes, Target
from vclab.model.revisions import RevisionRecord
from vclab.model.traits import Traits
from vclab.provisioning import registry


def recorded(becomes: Becomes) -> RevisionRecord:
    """The record of what is captured, as the store would tell it."""
    made_at = datetime(2026, 11, 28, tzinfo=UTC)
    return RevisionRecord(
        becomes.image, becomes.revision, "Captured", "", 0, "bare-metal", "linux", 1, 1024, made_at, "alice"
    )


def target_of(**said: Any) -> Target:
    """A target with the traits of its module, if this release has it."""
    module, guest = said.get("module", "vsphere"), said.get("guest", "linux")
    traits = registry.traits().get(module, Traits())
    values: dict[str, Any] = {
        "reservation": "r",
        "computer": "vm01",
        "generation": 1,
        "installation": "vclab",
        "module": module,
        "guest": guest,
        "endpoint": "vc",
        "host": "esx1",
        "storage": "",
        "image": "i",
        "revision": 1,
        "cpus": 1,
        "memory_mb": 1,
        "disk_gb": 1,
        "private_mac": "",
        "public_mac": "",
        "traits": replace(traits, guest=bool(guest)),
    }
    return Target(**{**values, **said})
