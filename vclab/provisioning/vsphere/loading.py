"""The load steps that define and start a machine. Each observes, acts if needed, and confirms."""

import logging
import time

from vclab.model.errors import NotOurs, StepFailed, Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import files, removal, storage_drs, tasks
from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.data import master
from vclab.provisioning.vsphere.definition import definition, renaming
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.folder import machine_folder
from vclab.provisioning.vsphere.machines import Machine, of_target, of_target_or_spare, present
from vclab.provisioning.vsphere.site import Site

log = logging.getLogger(__name__)

_APPEAR_SECONDS = 3.0
"""How long a machine that is being made by an attempt that was cut off may take to show itself with its marks."""


def create_vm(site: Site, target: Target, context: StepContext) -> None:
    """Have the target's machine defined on its host. One that is there already is adopted.

    A second one is impossible: the definition's path is fixed, and the endpoint refuses to overwrite it.
    """
    _await_earlier(site, context)
    machine = _settled(site, target)  # wherever it is: that a machine is moved to another host is normal
    if machine is None:
        machine = _create(site, target, context)
        host, _ = site.host_of(machine.host)
        if host != target.host:
            log.info("%s is on host %s, not on %s: it was moved", machine.name, host, target.host)
    storage_drs.leave_out(site, target, machine, context)


def _await_earlier(site: Site, context: StepContext) -> None:
    """Wait for the task of an earlier attempt; whether it worked is observed, not asked."""
    if context.remembered:
        try:
            tasks.finish(site.session, tasks.adopt(site.session, context.remembered))
        except (tasks.TaskGone, vmodl.MethodFault) as error:
            log.info("an earlier attempt's task: %s", type(error).__name__)


def _settled(site: Site, target: Target) -> Machine | None:
    """The target's machine. One that is being made shows its instance UUID a moment before its marks."""
    until = time.monotonic() + _APPEAR_SECONDS
    while True:
        try:
            return of_target(site, target)
        except NotOurs:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)


def _create(site: Site, target: Target, context: StepContext) -> Machine:
    place, linked = files.directory(target), not target.dedicated
    names = files.prepare(site, target)
    if not linked and f"{place.name}.vmdk" not in names:
        raise StepFailed(f"the disk {place.disk} is not there: the step vsphere.copy_disk makes it")
    if f"{place.name}.vmx" in names:
        machine = _appears(site, target)
        if machine:
            return machine
    if names:
        _remove_unfinished(site, target, names, linked, context)
    folder = machine_folder(site)
    try:
        _call(site, target, folder, linked, context)
    except (vim.fault.DuplicateName, vim.fault.AlreadyExists, vim.fault.FileAlreadyExists) as fault:
        log.info("%s: %s; looking whose it is", target.machine_name, type(fault).__name__)
    machine = _appears(site, target)
    if machine is None:
        raise Unreachable(f"{target.machine_name} is not visible on {target.endpoint} yet; it will be tried again")
    return machine


def _call(site: Site, target: Target, folder: Ref, linked: bool, context: StepContext) -> None:
    """Ask the endpoint to make the machine, and wait. Raises faults that say that one is there already."""
    host = site.host(target.host)
    spec = definition(site, target, host, files.directory(target), linked)
    context.fence()
    try:
        task = folder.CreateVM_Task(spec, host.pool, host.ref)
        context.remember(**tasks.details(site.session, task))
        site.finish(task)
    except vim.fault.NoDiskSpace:
        free = site.datastore(target.storage).free_gb
        raise files.no_space(target.storage, free, target.machine_name) from None
    except (vim.fault.DuplicateName, vim.fault.AlreadyExists, vim.fault.FileAlreadyExists):
        raise
    except vmodl.MethodFault as fault:
        if linked:
            files.must_be_there(site, master(target), f"the copy of {target.image}, revision {target.revision}")
        with explained(f"host {target.host} does not take {target.machine_name}"):
            raise fault


def _appears(site: Site, target: Target) -> Machine | None:
    """The target's machine, waited for a little: the attempt that makes it may be another one."""
    until = time.monotonic() + _APPEAR_SECONDS
    while (machine := _settled(site, target)) is None and time.monotonic() < until:
        time.sleep(0.2)
    return machine


def _remove_unfinished(site: Site, target: Target, names: set[str], linked: bool, context: StepContext) -> None:
    """Delete what an attempt has made that was never finished: a child too, but not a disk that was copied."""
    place = files.directory(target)
    leftover = [name for name in names if linked or not name.endswith(".vmdk")]
    if leftover:
        context.fence()
    if f"{place.name}.vmdk" in leftover:
        files.delete_disk(site, place.disk)
    for name in leftover:
        files.delete(site, f"{place.path}/{name}")


def adopt(site: Site, target: Target, context: StepContext) -> None:
    """Have the spare that is there carry this tenure's mark and name. Its instance UUID stays: it is the same machine.

    Name and marks are written by one call, so an attempt that was cut off has done all of it or nothing.
    """
    machine = of_target_or_spare(site, target)
    if machine is None:
        raise StepFailed(f"the spare machine of {target.computer} is no longer on {target.endpoint}")
    if machine.is_of(target) and machine.name == target.machine_name:
        return
    context.fence()
    site.finish(machine.ref.ReconfigVM_Task(renaming(target)))
    if of_target(site, target) is None:
        raise Unreachable(f"{target.machine_name} is not visible on {target.endpoint} yet; it will be tried again")


def power_on(site: Site, target: Target, context: StepContext) -> None:
    """Have the target's machine powered on. Raises ``StepFailed`` when its host refuses for good."""
    machine = _present(site, target)
    if machine.power == "on":
        return
    host, _ = site.host_of(machine.host)
    context.fence()
    try:
        site.finish(machine.ref.PowerOnVM_Task(None))
    except vim.fault.InvalidPowerState:
        pass  # an earlier attempt's call has succeeded meanwhile; what counts is read below
    except vmodl.MethodFault as fault:
        _, why = site.host_of(machine.host)
        if why:
            raise StepFailed(f"host {host} refuses to power on {machine.name}: it is {why}") from fault
        with explained(f"host {host} refuses to power on {machine.name}"):
            raise fault
    if _present(site, target).power != "on":
        raise Unreachable(f"{machine.name} on host {host} is not on after power on; it will be tried again")


def power_off(site: Site, target: Target, context: StepContext) -> None:
    """Have the target's machine powered off, hard; harmless when it is off or gone."""
    machine = of_target(site, target)
    if machine and machine.power != "off":
        with explained(f"powering off {machine.name}"):
            removal.power_off(site, machine, context)


def power_reset(site: Site, target: Target, context: StepContext) -> None:
    """Reset the target's machine, hard; one that is off is powered on."""
    machine = present(site, target)
    if machine.power != "on":
        power_on(site, target, context)
        return
    context.fence()
    with explained(f"resetting {machine.name}"):
        site.finish(machine.ref.ResetVM_Task())


def _present(site: Site, target: Target) -> Machine:
    machine = of_target(site, target)
    if machine is None:
        raise StepFailed(f"{target.machine_name} is not on {target.endpoint}: the step vsphere.create_vm makes it")
    return machine
