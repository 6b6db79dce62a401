"""Captures of pretended machines: copies of disks in the pretended world, named as the vSphere module names its own.

[fake-ds] capture-ID/raw.vmdk         the raw copy
[fake-ds] capture-ID/sealed.vmdk      made of a sealed child of it
[fake-ds] IMAGE/REVISION/disk.vmdk    the published one

Those of computers without a storage of their endpoint lie in a pretended repository.
"""

from vclab.fake_world import Disk, Held, Machine, World, now
from vclab.model.errors import NotOurs, NotYet, StepFailed
from vclab.model.plans import Becomes, Facts, StepInput, Target
from vclab.model.steps import StepContext

OFF_LOOK = 1.0  #: seconds between looks whether it is off
OFF_LOOKS = 10  #: after so many it is powered off hard, if that is allowed


class Captures:
    """The steps of captures. Each observes, acts and confirms; twice is harmless. Thread-safe."""

    def __init__(self, world: World) -> None:
        self._world = world

    def check(self, context: StepContext, given: StepInput) -> Facts:
        """See that the machine can be captured, and have it on. Raises ``StepFailed``, and ``NotOurs`` when a newer
        tenure has it."""
        target, becomes = given.target, _becomes(given)
        machine = self._present(target)
        if machine.generation > target.generation:
            raise NotOurs(f"{machine.name} is of generation {machine.generation}, newer than {target.generation}")
        path = published(target, becomes)
        if self._world.find_disk(target.endpoint, path):
            raise StepFailed(f"{path} is there already, although there is no {becomes} yet")
        if not machine.on:
            context.fence()
            self._world.change(machine.uuid, powered_on_at=now(), boots=machine.boots + 1)
        return Facts()

    def await_off(self, context: StepContext, given: StepInput) -> Facts:
        """Look whether the machine is off. Raises ``NotYet`` for ``OFF_LOOKS`` looks; then it is powered off hard, if
        that is allowed, else ``StepFailed``."""
        machine = self._present(given.target)
        if not machine.on:
            return Facts()
        looks = int(context.remembered.get("looks", "0")) + 1
        context.remember(looks=str(looks))
        if looks <= OFF_LOOKS:
            raise NotYet(f"{machine.name} is still shutting down", OFF_LOOK)
        if not (given.target.isolated or _becomes(given).force_off):
            raise StepFailed(f"{machine.name} does not shut down", "capture it with --force-off")
        context.fence()
        self._world.change(machine.uuid, powered_on_at=0.0)
        return Facts()

    def begin_sealing(self, context: StepContext, given: StepInput) -> Facts:
        """Delete what an earlier try has made, published too; harmless without one."""
        self.withdraw(context, given)
        self._delete(context, given.target, sealed(given.target, _becomes(given)))
        return Facts()

    def copy_raw(self, context: StepContext, given: StepInput) -> Facts:
        """Have a raw copy of the machine's disk. Raises ``StepFailed`` when it is on."""
        self._copied(context, given, raw(given.target, _becomes(given)))
        return Facts()

    def verify_raw(self, context: StepContext, given: StepInput) -> Facts:
        """Have it, and learn what it holds."""
        held = self._copied(context, given, raw(given.target, _becomes(given)))
        return Facts(raw_sha256=held.sha256)

    def copy_sealed(self, context: StepContext, given: StepInput) -> Facts:
        """Have a copy of the sealed machine's disk. Raises ``StepFailed`` when it is on."""
        self._copied(context, given, sealed(given.target, _becomes(given)))
        return Facts()

    def verify_sealed(self, context: StepContext, given: StepInput) -> Facts:
        """Have it, and learn what it holds."""
        held = self._copied(context, given, sealed(given.target, _becomes(given)))
        return Facts(disk_sha256=held.sha256, disk_size=given.target.disk_gb << 30)

    def publish(self, context: StepContext, given: StepInput) -> Facts:
        """Have the sealed copy at its revision's path. Raises ``StepFailed`` when something else is there."""
        target, becomes = given.target, _becomes(given)
        path, made = published(target, becomes), sealed(target, becomes)
        there, disk = self._world.find_disk(target.endpoint, path), self._world.find_disk(target.endpoint, made)
        if there and there.capture != becomes.capture:
            raise StepFailed(f"{path} is there already, and is not this capture's")
        if not there and not disk:
            raise StepFailed(f"there is no {made}: the step fake.copy_sealed makes it")
        context.fence()
        if not there and disk:
            self._world.put_disk(Disk(path, target.endpoint, becomes.capture, disk.holds))
        self._world.remove_disk(target.endpoint, made)
        return Facts(copy=path)

    def withdraw(self, context: StepContext, given: StepInput) -> Facts:
        """Delete what ``publish`` has made; harmless when there is none."""
        target, becomes = given.target, _becomes(given)
        path = published(target, becomes)
        there = self._world.find_disk(target.endpoint, path)
        if there and there.capture == becomes.capture:
            self._delete(context, target, path)
        return Facts()

    def discard(self, context: StepContext, given: StepInput) -> Facts:
        """Delete the raw copy and the sealed one; harmless when they are gone. Raises ``StepFailed`` when a machine is
        made from one of them."""
        target, becomes = given.target, _becomes(given)
        for path in (sealed(target, becomes), raw(target, becomes)):
            self._delete(context, target, path)
        return Facts()

    def there(self, endpoint: str) -> list[str]:
        """The ids of captures that have disks there which are not published."""
        return sorted({each.capture for each in self._world.disks(endpoint) if _is_hidden(each)})

    def forget(self, endpoint: str, capture: str) -> None:
        """Delete them; harmless when they are gone. Raises ``StepFailed`` when a machine is made from one of them."""
        for each in self._world.disks(endpoint):
            if each.capture == capture and _is_hidden(each):
                self._must_be_nobodys(endpoint, each.path)
                self._world.remove_disk(endpoint, each.path)

    def _must_be_nobodys(self, endpoint: str, path: str) -> None:
        users = [machine.name for machine in self._world.all(endpoint) if machine.made_from == path]
        if users:
            raise StepFailed(f"{', '.join(users)} is made from {path}; that is not deleted")

    def _copied(self, context: StepContext, given: StepInput, path: str) -> Held:
        """Have what is on the machine's disk at that path. A copy that holds something else is made anew."""
        target, machine = given.target, self._present(given.target)
        if machine.on:
            raise StepFailed(f"{machine.name} is on: its disk can't be copied", "switch it off")
        there = self._world.find_disk(target.endpoint, path)
        if there is None or there.holds != machine.holds:
            context.fence()
            self._world.put_disk(Disk(path, target.endpoint, _becomes(given).capture, machine.holds))
        return machine.holds

    def _delete(self, context: StepContext, target: Target, path: str) -> None:
        self._must_be_nobodys(target.endpoint, path)
        if self._world.find_disk(target.endpoint, path):
            context.fence()
            self._world.remove_disk(target.endpoint, path)

    def _present(self, target: Target) -> Machine:
        machine = self._world.find(target.instance_uuid)
        if machine is None:
            raise StepFailed(f"{target.machine_name} is not on {target.endpoint}")
        return machine


def made_from(world: World, given: StepInput) -> Disk | None:
    """The disk that a throw-away machine's own is a child of; None for other machines. Raises ``StepFailed`` when it is
    not there."""
    target, becomes = given.target, given.becomes
    if becomes is None or target.computer == becomes.computer:
        return None
    path = raw(target, becomes) if target.isolated else sealed(target, becomes)
    disk = world.find_disk(target.endpoint, path)
    if disk is None:
        raise StepFailed(f"there is no {path} that {target.machine_name} could be made from")
    return disk


def _is_hidden(disk: Disk) -> bool:
    return f"capture-{disk.capture}/" in disk.path


def raw(target: Target, becomes: Becomes) -> str:
    """Where the raw copy is."""
    return f"[{_storage(target)}] capture-{becomes.capture}/raw.vmdk"


def sealed(target: Target, becomes: Becomes) -> str:
    """Where the sealed copy is until it is published."""
    return f"[{_storage(target)}] capture-{becomes.capture}/sealed.vmdk"


def published(target: Target, becomes: Becomes) -> str:
    """Where the revision's copy is."""
    return f"[{_storage(target)}] {becomes.image}/{becomes.revision}/disk.vmdk"


def _storage(target: Target) -> str:
    return target.storage or "repository"


def _becomes(given: StepInput) -> Becomes:
    if given.becomes is None:
        raise StepFailed(f"{given.target.computer} is not being captured")
    return given.becomes
