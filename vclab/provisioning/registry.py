"""All provisioning modules of this release. A new one is registered by one line, here."""

from collections.abc import Mapping

from vclab.model.traits import Traits
from vclab.provisioning import bare_metal, fake, fake_metal, standalone, toy, vsphere
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.kind import Kind, Surroundings

KINDS: tuple[Kind, ...] = (
    vsphere.KIND,
    standalone.KIND,
    bare_metal.KIND,
    fake.KIND,
    fake_metal.KIND,
    toy.KIND,
)
"""Importing these imports no library of theirs: the command line asks for traits, and starts in 0.3 s."""


def traits() -> Mapping[str, Traits]:
    """What each module can do, by its name."""
    return {kind.name: kind.traits for kind in KINDS}


def kind(name: str) -> Kind | None:
    """The kind of that name; None when this release has none."""
    return next((each for each in KINDS if each.name == name), None)


def build(surroundings: Surroundings, pretended: bool) -> dict[str, ProvisioningModule]:
    """The modules that a worker offers, by name; those of the pretended world only if it is wanted."""
    return {kind.name: kind.build(surroundings) for kind in KINDS if pretended or not kind.pretended}
