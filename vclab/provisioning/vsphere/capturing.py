"""Capturing a machine: its disk, with all that it is made from, becomes a disk of its own, which is read back.

    [ds1] vclab/images.of_INSTALLATION/capture-ID/raw.vmdk       the raw copy
    [ds1] vclab/images.of_INSTALLATION/capture-ID/sealed.vmdk    made of a sealed child of it

Nothing finds them by a name. Published, the sealed one becomes the copy of its revision (``images.py``); an empty
directory beside it, ``of_capture-ID``, proves that this capture has published it, and goes with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vclab.library import vmdk_stream
from vclab.library.telling import stopping
from vclab.model.errors import NotYet, StepFailed, Unreachable
from vclab.model.plans import Becomes, Facts, StepInput, Target
from vclab.model.revisions import GIB, Content
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import carriers, chains, files, images, loading, nfc, reading, removal
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.copying import Copying, copy
from vclab.provisioning.vsphere.data import image_data, master
from vclab.provisioning.vsphere.encryption import KEY, why_encrypted, why_sealed
from vclab.provisioning.vsphere.machines import Machine, present
from vclab.provisioning.vsphere.properties import find_all, read
from vclab.provisioning.vsphere.site import Site, unusable

RAW, SEALED = "raw", "sealed"
_PREFIX = "capture-"
OFF_LOOK = 5.0  #: seconds between looks whether it is off
OFF_SECONDS = 300.0  #: for which a machine may shut down (VCL wait_for_power_off: 300)
_DISK_PATHS = [chains.DEVICES, "snapshot", KEY]
_USAGE = "storage.perDatastoreUsage"


@dataclass(frozen=True)
class Place:
    """Where the disks of a capture are."""

    installation: str
    datastore: str
    becomes: Becomes

    @property
    def directory(self) -> str:
        """It holds nothing else."""
        return f"{carriers.home(self.installation, self.datastore)}/{_PREFIX}{self.becomes.capture}"

    @property
    def published(self) -> str:
        """The directory of the revision's copy."""
        becomes = self.becomes
        return images.directory(self.installation, self.datastore, becomes.image, becomes.revision)

    @property
    def mark(self) -> str:
        """The name in ``published`` of the proof that this capture has made that directory."""
        return f"of_{_PREFIX}{self.becomes.capture}"

    def disk(self, name: str) -> str:
        """A disk of the capture: ``RAW`` or ``SEALED``."""
        return f"{self.directory}/{name}.vmdk"


def place_of(target: Target, becomes: Becomes | None) -> Place:
    """Raises ``StepFailed`` for a step that is not a capture's."""
    if becomes is None:
        raise StepFailed(f"{target.computer} is not being captured")
    return Place(target.installation, target.storage, becomes)


def made_from(given: StepInput) -> str:
    """The disk that a throw-away machine's own is made from; empty: the target says it, or it is none."""
    target, becomes = given.target, given.becomes
    if becomes is None or target.copy or target.computer == becomes.computer:
        return target.copy
    return place_of(target, becomes).disk(RAW if target.isolated else SEALED)


def check_capture(site: Site, given: StepInput, context: StepContext) -> Facts:
    """See whether the machine can be captured, before anything is touched, and have it on. Raises ``StepFailed``."""
    target, place = given.target, place_of(given.target, given.becomes)
    for guest_id in (target.hardware.guest_id, image_data(target).guest_id):
        if guest_id.lower().startswith("win"):
            raise StepFailed(f"{target.computer} has Windows ({guest_id}), and vclab can't seal that yet")
    machine = present(site, target)
    _own_disk(site, machine, given)
    _must_have_room(site, machine, target)
    _must_be_new(site, place)
    _must_have_imaging_network(site, target)
    loading.power_on(site, target, context)
    return Facts()


def await_off(site: Site, given: StepInput, context: StepContext) -> Facts:
    """Look whether the machine has shut down. Raises ``NotYet`` for ``OFF_SECONDS``; then it is powered off hard, if
    that is allowed, else ``StepFailed``.

    Looks are counted, not seconds: a clock that is put right must not end a wait.
    """
    target = given.target
    machine = present(site, target)
    if machine.power == "off":
        return Facts()
    looks = int(context.remembered.get("looks", "0")) + 1
    context.remember(looks=str(looks))
    if looks * OFF_LOOK <= OFF_SECONDS:
        raise NotYet(f"{machine.name} is still shutting down", OFF_LOOK)
    if not (target.isolated or (given.becomes and given.becomes.force_off)):
        raise StepFailed(
            f"{machine.name} does not shut down, after {OFF_SECONDS:.0f} s",
            "shut it down from inside, then resolve it with retry; or capture it with --force-off",
        )
    removal.power_off(site, machine, context)
    if present(site, target).power != "off":
        raise Unreachable(f"{machine.name} is not off after power off; it will be tried again")
    return Facts()


def begin_sealing(site: Site, given: StepInput, context: StepContext) -> Facts:
    """Delete what an earlier try has made, published too: what is sealed now is another child. Harmless without one."""
    withdraw(site, given, context)
    place = place_of(given.target, given.becomes)
    names = {each for each in _names(site, place.datastore, place.directory) if each.startswith(f"{SEALED}.")}
    if names:
        _sweep(site, place, context)
        context.fence()
    whole = f"{SEALED}.vmdk"
    if whole in names:
        _must_be_nobodys(site, place.datastore, place.directory)
        _delete_parent(site, place, SEALED, context)
    for name in sorted(each for each in names - {whole} if each.endswith(".vmdk") and "-flat" not in each):
        files.delete_disk(site, f"{place.directory}/{name}")
    if whole in _names(site, place.datastore, place.directory):
        raise Unreachable(f"{place.disk(SEALED)} is still there after its removal; it will be tried again")
    return Facts()


def copier_of(name: str) -> Callable[[Site, StepInput, StepContext], Facts]:
    """The step that makes the disk of the capture that has this name."""

    def copy_disk(site: Site, given: StepInput, context: StepContext) -> Facts:
        """Have the machine's disk as a disk of its own, whole. Raises as ``copying.copy``, and ``StepFailed`` when the
        machine is not off."""
        _copied(site, given, name, context)
        written = _own_bytes(site, present(site, given.target))
        return Facts(raw_differs=written) if name == RAW else Facts(sealed_differs=written)

    return copy_disk


def verifier_of(name: str) -> Callable[[Site, StepInput, StepContext], Facts]:
    """The step that reads that disk back."""

    def verify(site: Site, given: StepInput, context: StepContext) -> Facts:
        """Read the machine's disk and its copy, which must have the same bytes. One that has not is deleted, and is
        made anew when this is resumed. Raises ``StepFailed``."""
        _copied(site, given, name, context)
        place, machine = place_of(given.target, given.becomes), present(site, given.target)
        capacity = _capacity(_disk(read(site.session, machine.ref, [chains.DEVICES]) or {}))
        _sweep(site, place, context)
        told = nfc.telling(context, "reading the machine's disk", 0, 50)
        with reading.exported(site, machine.ref, capacity, stopping(context), context) as sent:
            held = vmdk_stream.sketch(sent, told=told)
        copied, sketch = _read_back(site, place, name, held.size, context)
        if sketch != held:
            _delete_parent(site, place, name, context)
            raise StepFailed(
                f"the copy of {machine.name} has other bytes than its disk, and was deleted",
                "resolve it with retry: it is copied anew",
            )
        if name == RAW:
            return Facts(raw_sha256=copied.sha256)
        return Facts(disk_sha256=copied.sha256, disk_size=copied.size)

    return verify


def discard(site: Site, given: StepInput, context: StepContext) -> Facts:
    """Delete all disks of the capture that are not published, and verify it; harmless when they are gone. Raises
    ``StepFailed`` when something is made from one of them."""
    _discard(site, place_of(given.target, given.becomes), context)
    return Facts()


def there(site: Site) -> list[str]:
    """The ids of captures that have disks on a datastore that can be asked, which are not published."""
    names = {
        name
        for datastore in _accessible(site)
        for name in _names(site, datastore, carriers.home(site.installation, datastore))
    }
    return sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def forget(site: Site, capture: str, context: StepContext) -> None:
    """Delete them, wherever they are. Raises as ``discard``."""
    for datastore in _accessible(site):
        _discard(site, Place(site.installation, datastore, Becomes(capture, "", 0)), context)


def _discard(site: Site, place: Place, context: StepContext) -> None:
    _sweep(site, place, context)
    datastore = site.datastore(place.datastore)
    if files.listing(site, datastore, place.directory) is None:
        return
    _must_be_nobodys(site, place.datastore, place.directory)
    files.delete_directory(site, datastore, place.directory, context)


def publish(site: Site, given: StepInput, context: StepContext) -> Facts:
    """Have the sealed disk as the copy of its revision. Raises ``StepFailed`` when something else is there, or a disk
    is made from one of this capture's: a parent that is moved is lost to its children."""
    place = place_of(given.target, given.becomes)
    disk = f"{place.published}/{images.DISK}.vmdk"
    if not _is_published(site, place):
        names = _names(site, place.datastore, place.published)
        if names and place.mark not in names:
            raise StepFailed(f"{place.published} is there already, with something else in it")
        files.must_be_there(site, place.disk(SEALED), f"the sealed copy of {place.becomes}")
        _sweep(site, place, context)
        _must_be_nobodys(site, place.datastore, place.directory)
        context.fence()
        if place.mark not in names:
            files.make(site, f"{place.published}/{place.mark}")
        manager, center = site.content.virtualDiskManager, site.datacenter
        site.finish(manager.MoveVirtualDisk_Task(place.disk(SEALED), center, disk, center, False))
    if not _is_published(site, place):
        raise Unreachable(f"{disk} is not there after its move; it will be tried again")
    return Facts(copy=disk, image_data=image_data(given.target).without_content().encoded())


def withdraw(site: Site, given: StepInput, context: StepContext) -> Facts:
    """Delete the copy of the revision that ``publish`` has made; harmless when there is none. What this capture has
    not made stays."""
    place = place_of(given.target, given.becomes)
    if place.mark not in _names(site, place.datastore, place.published):
        return Facts()
    _must_be_nobodys(site, place.datastore, place.published)
    files.delete_directory(site, site.datastore(place.datastore), place.published, context)
    return Facts()


# What there is.


def _own_disk(site: Site, machine: Machine, given: StepInput) -> str:
    """The path of the machine's only disk. Raises ``StepFailed`` for a machine that is not as vclab has made it."""
    values = read(site.session, machine.ref, _DISK_PATHS) or {}
    disks, name = list(chains.disk_chains(values)), machine.name
    if why := why_sealed(values):
        raise StepFailed(f"{name} {why}: no other machine could open what is on its disk")
    if len(disks) != 1 or not disks[0] or not disks[0][0]:
        others = ", ".join(chain[0] for chain in disks[1:] if chain)
        raise StepFailed(f"{name} has {len(disks)} disks, and vclab knows one: {others or 'none'}", "remove the others")
    (chain,) = disks
    if files.split(chain[0])[1] != files.split(machine.path)[1]:
        raise StepFailed(f"{name} has the disk {chain[0]}, which vclab has not made", "remove it")
    if values.get("snapshot") is not None or len(chains.own_part(chain)) != 1:
        raise StepFailed(f"{name} has a snapshot that vclab has not made", "delete it in the vSphere client")
    _must_be_made_from(given, machine, chain[1:])
    mode = _disk(values).backing.diskMode
    if mode != "persistent":
        raise StepFailed(f"the disk of {name} is {mode}: what was written to it is not kept")
    if why := why_encrypted(site, chain[0]):
        raise StepFailed(f"the disk of {name} {why}")
    return chain[0]


def _must_be_made_from(given: StepInput, machine: Machine, parents: list[str]) -> None:
    """The disk's parent is the copy that vclab has made it from; an endpoint that moves a disk may give it none."""
    if not parents:
        return
    text = f"the disk of {machine.name} is made from {parents[0]}"
    if given.target.dedicated:
        raise StepFailed(f"{text}, and should share nothing")
    if parents[0] != (wanted := master(replace(given.target, copy=made_from(given)))):
        raise StepFailed(f"{text}, not from {wanted}, as vclab has made it")


def _must_have_room(site: Site, machine: Machine, target: Target) -> None:
    """For the raw copy and the sealed one."""
    values = read(site.session, machine.ref, [chains.DEVICES, _USAGE]) or {}
    free, needed = site.datastore(target.storage).free_gb, -(-2 * _takes(values) // GIB)
    if free < needed:
        raise StepFailed(
            f"datastore {target.storage} has {free} GiB free, and two copies of the disk of {machine.name} take up to "
            f"{needed} GiB",
            "make room there",
        )


def _takes(values: Mapping[str, Any]) -> int:
    """The bytes that a copy of a machine's only disk takes, at most: of a thin one what it and its parents hold."""
    disk = _disk(values)
    size, backing = _capacity(disk), disk.backing
    if getattr(backing, "parent", None) is None and not getattr(backing, "thinProvisioned", False):
        return size
    return min(size, sum(int(usage.committed) for usage in values.get(_USAGE, [])) or size)


def _own_bytes(site: Site, machine: Machine) -> int:
    """What a machine's disk takes beside its parents; 0: not known."""
    values = read(site.session, machine.ref, [_USAGE]) or {}
    return sum(int(usage.unshared) for usage in values.get(_USAGE, []))


def _disk(values: Mapping[str, Any]) -> Any:
    """A machine's only disk, from its properties ``DEVICES``."""
    return next(each for each in values[chains.DEVICES] if isinstance(each, vim.vm.device.VirtualDisk))


def _capacity(disk: Any) -> int:
    """The bytes of a disk."""
    return int(disk.capacityInBytes or disk.capacityInKB * 1024)


def _must_be_new(site: Site, place: Place) -> None:
    """The revision has no copy on any datastore that can be asked."""
    for datastore in _accessible(site):
        other = replace(place, datastore=datastore)
        if _names(site, datastore, other.published):
            raise StepFailed(
                f"{other.published} is there already, although there is no {place.becomes} yet",
                "delete it if nobody needs it: a capture that was lost has left it, or somebody has put it there",
            )


def _accessible(site: Site) -> list[str]:
    """The datastores that can be asked."""
    found = find_all(site.session, vim.Datastore, ["name", "summary.accessible"], site.datacenter)
    return [values["name"] for _, values in found if values.get("summary.accessible", True)]


def _must_have_imaging_network(site: Site, target: Target) -> None:
    network = site.data.imaging_network
    if not network:
        raise StepFailed(
            f"nothing can be captured on {target.endpoint}: it has no imaging network",
            f"`vclab endpoint edit {target.endpoint} --imaging-network NAME`",
        )
    paths = ["name", "runtime.connectionState", "runtime.inMaintenanceMode"]
    names = [v["name"] for _, v in find_all(site.session, vim.HostSystem, paths, site.datacenter) if not unusable(v)]
    hosts = [site.host(name) for name in names]
    if not any(network in host.networks and target.storage in host.datastores for host in hosts):
        raise StepFailed(
            f"no host of {target.endpoint} has both the network {network} and the datastore {target.storage}"
        )


def _names(site: Site, datastore: str, directory: str) -> set[str]:
    return files.listing(site, site.datastore(datastore), directory) or set()


def _is_published(site: Site, place: Place) -> bool:
    """The revision's copy is there, and was made of this capture's sealed disk, which is not where it was."""
    there = {place.mark, f"{images.DISK}.vmdk"} <= _names(site, place.datastore, place.published)
    return there and f"{SEALED}.vmdk" not in _names(site, place.datastore, place.directory)


def _must_be_nobodys(site: Site, datastore: str, directory: str) -> None:
    if user := chains.child_of(site, datastore, directory):
        raise StepFailed(f"{user} is made from what is in {directory}; that stays as it is")


# What is done.


def _copied(site: Site, given: StepInput, name: str, context: StepContext) -> None:
    """Have the disk of the capture, made of the machine's own."""
    target, place = given.target, place_of(given.target, given.becomes)
    machine = present(site, target)
    if machine.power != "off":
        raise StepFailed(f"{machine.name} was switched on again: its disk can't be copied", "switch it off")
    source = _own_disk(site, machine, given)
    names = _names(site, place.datastore, place.directory) or files.make(site, place.directory)
    copying = Copying(source, f"the disk of {machine.name}", place.datastore, place.directory, name, target.disk_gb)
    copy(site, copying, names, context)


def _read_back(
    site: Site, place: Place, name: str, size: int, context: StepContext
) -> tuple[Content, vmdk_stream.Sketch]:
    """What the copy holds, read through a machine that has a child of it."""
    carrier = carriers.of_capture(place.installation, place.datastore, place.becomes.capture)
    note = f"vclab ({place.installation}) reads back what becomes {place.becomes}; do not edit."
    told = nfc.telling(context, "reading it back", 50, 99)
    with (
        reading.child(site, carrier, place.disk(name), note, context) as machine,
        reading.exported(site, machine, size, stopping(context), context) as sent,
    ):
        return vmdk_stream.read_sketched(sent, size, told)


def _sweep(site: Site, place: Place, context: StepContext) -> None:
    carriers.sweep(site, carriers.of_capture(place.installation, place.datastore, place.becomes.capture), context)


def _delete_parent(site: Site, place: Place, name: str, context: StepContext) -> None:
    """Delete a disk that has had children: some endpoints let such a one go only with its directory."""
    carrier = carriers.of_capture(place.installation, place.datastore, place.becomes.capture)
    manager, center = site.content.virtualDiskManager, site.datacenter
    context.fence()
    carriers.prepare(site, carrier)
    site.finish(manager.MoveVirtualDisk_Task(place.disk(name), center, carrier.disk, center, False))
    files.delete(site, carrier.directory)
