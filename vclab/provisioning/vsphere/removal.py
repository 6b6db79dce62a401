"""Taking machines away: powered off, destroyed, their directories removed, and all of it verified absent."""

import logging

from vclab.model.errors import NotOurs, Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim, vmodl
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import Machine, all_machines, find
from vclab.provisioning.vsphere.site import AWAY, Site

log = logging.getLogger(__name__)

_UNREADABLE = ("inaccessible", "invalid", "orphaned")  #: connection states in which a machine has no configuration


def make_room(site: Site, target: Target, context: StepContext) -> None:
    """What is done before a load: ``clear``, unless a machine of others has the name that ours is to have.

    A namesake that comes later is no obstacle: names are for people, and ours lives in a folder of its own.
    """
    for machine in all_machines(site):
        readable = machine.connection not in _UNREADABLE
        if machine.name == target.machine_name and readable and not _is_of_computer(machine, target):
            raise _in_the_way(target, machine)
    clear(site, target, context)


def clear(site: Site, target: Target, context: StepContext) -> None:
    """Remove all that the computer is here, of this generation and older ones, and verify that it is absent.

    Of this generation too: content that nobody vouches for is never built upon. Raises ``NotOurs`` for a newer
    generation and for what is in our way without our mark, ``Unreachable`` when a host does not let go of a machine.
    """
    machines = all_machines(site)
    _refuse_others(target, machines)
    for machine in (m for m in machines if _is_of_computer(m, target)):
        destroy(site, machine, context)
    remaining = all_machines(site)
    _verify_absent(site, target, remaining)
    for place in files.leftovers(site, target):
        files.remove(site, place, context, remaining)


def _is_of_computer(machine: Machine, target: Target) -> bool:
    return machine.ours(target.installation) and machine.computer == target.computer


def _refuse_others(target: Target, machines: list[Machine]) -> None:
    """Nothing is touched unless all of it may be."""
    place = files.directory(target)
    for machine in machines:
        if _is_of_computer(machine, target):
            if machine.generation > target.generation:
                raise NotOurs(
                    f"{machine.name} on {target.endpoint} is of a newer tenure of {target.computer} (generation "
                    f"{machine.generation}, ours is {target.generation}); nothing is touched"
                )
        elif machine.name == target.machine_name and machine.connection in _UNREADABLE:
            raise Unreachable(
                f"{machine.name} on {target.endpoint} is {machine.connection}: its mark can't be read now, so it "
                "can't be removed"
            )
        elif machine.instance_uuid == target.instance_uuid or machine.path.startswith(f"{place.path}/"):
            raise _in_the_way(target, machine)


def _in_the_way(target: Target, machine: Machine) -> NotOurs:
    return NotOurs(
        f"{target.endpoint} has a machine {machine.name} ({machine.path}) that is in the way of "
        f"{target.machine_name} and does not carry our mark; rename or remove it by hand"
    )


def destroy(site: Site, machine: Machine, context: StepContext) -> None:
    """Power off and delete one machine of ours, with its files; harmless when it is gone already."""
    context.progress(f"removing {machine.name}")
    _host_answers(site, machine)
    with explained(f"removing {machine.name} on {site.endpoint.name}"):
        try:
            if machine.power != "off":
                power_off(site, machine, context)
            context.fence()
            site.finish(machine.ref.Destroy_Task())
        except vmodl.fault.ManagedObjectNotFound:
            log.info("%s was gone already", machine.name)


def power_off(site: Site, machine: Machine, context: StepContext) -> None:
    """Pull the plug; harmless when it is off."""
    context.fence()
    try:
        site.finish(machine.ref.PowerOffVM_Task())
    except vim.fault.InvalidPowerState as fault:
        if str(fault.existingState) != "poweredOff":
            raise


def _host_answers(site: Site, machine: Machine) -> None:
    """A machine on a host that is away can't be removed, only forgotten: it may still run."""
    host, why = site.host_of(machine.host)
    if why in AWAY or machine.connection == "disconnected":
        raise Unreachable(
            f"host {host} on {site.endpoint.name} is {why or 'disconnected'}: {machine.name} can't be removed until it "
            "is back"
        )


def _verify_absent(site: Site, target: Target, machines: list[Machine]) -> None:
    """By instance UUID and by our marks: an index may lag behind."""
    still = [m.name for m in find(site, target.instance_uuid)]
    still += [m.name for m in machines if _is_of_computer(m, target)]
    if still:
        raise Unreachable(f"{', '.join(sorted(set(still)))} is still on {target.endpoint}; removal will be tried again")


def destroy_orphan(site: Site, instance_uuid: str, context: StepContext) -> None:
    """Remove the machine with this instance UUID, and its directory. Raises ``NotOurs`` without our mark."""
    for machine in find(site, instance_uuid):
        if not machine.ours(site.installation):
            raise NotOurs(f"{machine.name} on {site.endpoint.name} does not carry our mark; it is not touched")
        destroy(site, machine, context)
        _remove_home(site, machine, context)
    if find(site, instance_uuid):
        raise Unreachable(f"machine {instance_uuid} is still on {site.endpoint.name}; removal will be tried again")


def _remove_home(site: Site, machine: Machine, context: StepContext) -> None:
    """Remove the directory of a destroyed machine, if it is one of those that we make."""
    datastore, _, path = machine.path.removeprefix("[").partition("] ")
    root, _, rest = path.partition("/")
    name, _, file = rest.partition("/")
    if root == files.ROOT and name and file and "/" not in file:
        files.remove(site, files.Directory(datastore, name), context, all_machines(site))
