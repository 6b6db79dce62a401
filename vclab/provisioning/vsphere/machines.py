"""The machines on an endpoint, and the mark that tells ours from others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vclab.model import reported
from vclab.model.errors import NotOurs, StepFailed
from vclab.model.plans import Target
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.properties import find_all, read_all
from vclab.provisioning.vsphere.site import Site

MARKS = ("installation", "instance", "reservation", "member", "generation", "computer", "image")
PREFIX = "vclab."
"""Of the marks' keys. Not "guestinfo.": what has such a key can be written by the machine itself."""

_PATHS = {mark: f'config.extraConfig["{PREFIX}{mark}"]' for mark in MARKS}
_LONGEST = 200  #: characters of a mark
PATHS = [
    "name",
    "config.instanceUuid",
    "config.files.vmPathName",
    "config.template",
    "runtime.powerState",
    "runtime.connectionState",
    "runtime.host",
    *_PATHS.values(),
]


def marks(target: Target) -> dict[str, str]:
    """What is written on a machine to name its owner."""
    owner = {
        "installation": target.installation,
        "instance": target.instance_uuid,
        "reservation": target.reservation,
        "member": str(target.member),
        "generation": str(target.generation),
        "computer": target.computer,
        "image": image_mark(target),
    }
    return {f"{PREFIX}{key}": value for key, value in owner.items()}


def image_mark(target: Target) -> str:
    """The image and its revision, as written on the machine."""
    return f"{target.image}/{target.revision}"


@dataclass(frozen=True)
class Machine:
    """A virtual machine as it is now. Marks are empty, and the generation -1, where there is no mark."""

    ref: Ref
    name: str
    instance_uuid: str
    path: str  #: of its definition: "[ds1] vclab/vm01-r1-g1/vm01-r1-g1.vmx"
    power: str  #: "on", "off" or "suspended"
    connection: str
    host: Ref
    installation: str = ""
    instance: str = ""  #: the instance UUID, as the mark has it
    reservation: str = ""
    member: str = ""
    generation: int = -1
    computer: str = ""
    image: str = ""

    def ours(self, installation: str) -> bool:
        """Whether it carries this installation's mark, whole, and is the machine that was given it.

        A clone has all marks of its original, but an instance UUID of its own.
        """
        marked = self.installation == installation and self.computer and self.generation >= 0
        return bool(marked) and self.instance_uuid == self.instance

    def is_of(self, target: Target) -> bool:
        """Whether it was made for this very tenure."""
        return (
            self.ours(target.installation)
            and self.instance_uuid == target.instance_uuid
            and (self.computer, self.generation) == (target.computer, target.generation)
        )

    def is_spare_for(self, target: Target) -> bool:
        """Whether it is what the target takes over from an earlier tenure of its computer: not marked again yet."""
        return (
            self.ours(target.installation)
            and bool(target.spare)
            and self.instance_uuid == target.spare
            and self.computer == target.computer
            and self.generation < target.generation
        )


def all_machines(site: Site) -> list[Machine]:
    """Every machine in the datacenter, ours and others', wherever it was moved to."""
    return [_machine(ref, v) for ref, v in find_all(site.session, vim.VirtualMachine, PATHS, site.datacenter)]


def find(site: Site, instance_uuid: str) -> list[Machine]:
    """The machines with an instance UUID, marked or not."""
    refs = site.content.searchIndex.FindAllByUuid(None, instance_uuid, True, True)
    return [_machine(ref, values) for ref, values in read_all(site.session, refs or [], PATHS)]


def of_target(site: Site, target: Target) -> Machine | None:
    """The target's machine, or None. Raises ``NotOurs`` when something else carries its instance UUID."""
    machine = of_target_or_spare(site, target)
    if machine is not None and not machine.is_of(target):
        raise _not_marked(machine, target)
    return machine


def present(site: Site, target: Target) -> Machine:
    """As ``of_target``. Raises ``StepFailed`` when it is not there any more."""
    machine = of_target(site, target)
    if machine is None:
        raise StepFailed(gone(target))
    return machine


def gone(target: Target) -> str:
    """That its machine is not there any more, for people."""
    return (
        f"{target.computer} is gone: {target.machine_name} is no longer on {target.endpoint}. Somebody has deleted it, "
        "with all that was on it: end the reservation, and make another"
    )


def of_target_or_spare(site: Site, target: Target) -> Machine | None:
    """As ``of_target``; also a spare that the target takes over and that still has its earlier mark."""
    found = find(site, target.instance_uuid)
    for machine in found:
        if not (machine.is_of(target) or machine.is_spare_for(target)):
            raise _not_marked(machine, target)
    return found[0] if found else None


def _not_marked(machine: Machine, target: Target) -> NotOurs:
    return NotOurs(
        f"{machine.name} on {target.endpoint} has the instance UUID of {target.machine_name} but not its mark; "
        "it is not touched"
    )


def _machine(ref: Ref, values: Mapping[str, Any]) -> Machine:
    mark = {name: reported.line(values[path].value, _LONGEST) for name, path in _PATHS.items() if path in values}
    generation = reported.number(mark.pop("generation", None))
    return Machine(
        ref=ref,
        name=reported.line(values.get("name")),
        instance_uuid=values.get("config.instanceUuid", ""),
        path=values.get("config.files.vmPathName", ""),
        power={"poweredOn": "on", "poweredOff": "off"}.get(values.get("runtime.powerState", ""), "suspended"),
        connection=values.get("runtime.connectionState", "connected"),
        host=values.get("runtime.host"),
        generation=-1 if generation is None else generation,
        **mark,
    )
