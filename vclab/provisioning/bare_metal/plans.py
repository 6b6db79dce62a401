"""The plans of a node: the module's steps, and those of the guest, if it has one."""

from dataclasses import replace

from vclab.model.plans import NodeStatus, Plan, Profile, Status, Step, Target
from vclab.provisioning.virtual import POST_LOAD, READ_PUBLIC_ADDRESS, WAIT_SSH


def _step(name: str, title: str, profile: Profile = Profile.SHORT) -> Step:
    return Step(f"bare-metal.{name}", title, profile)


CHECK_BMC = _step("check_bmc", "See whether its BMC answers")
SET_NETWORK = _step("set_network", "Have the imaging environment ready for it")
BOOT_NETWORK = _step("boot_network", "Start it from the network")
AWAIT_IMAGING = _step("await_imaging", "Wait for the imaging environment", Profile.LOOK)
FIND_DISK = _step("find_disk", "Look at its hardware, and find its disk")
CLEAN = _step("clean", "Clean all its disks", Profile.LONG)
WRITE = _step("write", "Write the image to its disk", Profile.LONG)
READ_BACK = _step("read_back", "Read the disk back", Profile.LONG)
FIT = _step("fit", "Fit partitions to the disk")
SET_BOOT_ENTRY = _step("set_boot_entry", "Set what its firmware boots")
BOOT_DISK = _step("boot_disk", "Start it from its disk")
POWER_ON = _step("power_on", "Power it on")
AWAIT_SYSTEM = _step("await_system", "Wait until its own system answers", Profile.LOOK)

_TO_IMAGING = (CHECK_BMC, SET_NETWORK, BOOT_NETWORK, AWAIT_IMAGING)
_TO_DISK = (FIND_DISK, CLEAN, WRITE, READ_BACK, FIT, SET_BOOT_ENTRY)


def load_plan(target: Target, status: NodeStatus, shared: bool) -> Plan:
    """The steps from ``status`` on; none of the guest when there is none. ``shared``: tenants are in the provisioning
    network, and the load says that nobody can tell who answers there."""
    guest = tuple(
        replace(step, name=f"{target.guest}.{step.name}")
        for step in (WAIT_SSH, POST_LOAD, READ_PUBLIC_ADDRESS)
        if target.guest
    )
    # A system that is on and never answers has not booted: that is of the image, though it is asked from outside.
    await_system = replace(AWAIT_SYSTEM, in_guest=bool(target.guest))
    if status.status is not Status.RELOAD:
        return Plan((POWER_ON, await_system, *guest), status)
    steps = [*_TO_IMAGING, *_TO_DISK, BOOT_DISK, await_system, *guest]
    if shared:
        said = f"{AWAIT_IMAGING.title} (unverified: tenants are in the provisioning network)"
        steps[steps.index(AWAIT_IMAGING)] = replace(AWAIT_IMAGING, title=said)
    return Plan(tuple(steps), status)
