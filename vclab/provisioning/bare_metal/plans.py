"""The plans of a node: the module's steps, and those of the guest, if it has one."""

from collections.abc import Sequence
from dataclasses import replace

from vclab.model.plans import NodeStatus, Plan, Profile, Status, Step, Target
from vclab.provisioning.virtual import CHECK_CAPTURE as CHECK_IN_GUEST
from vclab.provisioning.virtual import POST_LOAD, READ_PUBLIC_ADDRESS, SEAL, SHUT_DOWN, TRY_LOGIN, WAIT_SSH, sealing


def _step(name: str, title: str, profile: Profile = Profile.SHORT, undo: str = "") -> Step:
    return Step(f"bare-metal.{name}", title, profile, undo=f"bare-metal.{undo}" if undo else "")


CHECK_BMC = _step("check_bmc", "See whether its BMC answers")
SET_NETWORK = _step("set_network", "Have the imaging environment ready for it")
BOOT_NETWORK = _step("boot_network", "Start it from the network")
AWAIT_IMAGING = _step("await_imaging", "Wait for the imaging environment", Profile.LOOK)
FIND_DISK = _step("find_disk", "Look at its hardware, and find its disk", Profile.LONG)  # it may read the whole image
CLEAN = _step("clean", "Clean all its disks", Profile.LONG)
WRITE = _step("write", "Write the image to its disk", Profile.LONG)
READ_BACK = _step("read_back", "Read the disk back", Profile.LONG)
FIT = _step("fit", "Fit partitions to the disk", Profile.LONG)
SET_BOOT_ENTRY = _step("set_boot_entry", "Set what its firmware boots")
BOOT_DISK = _step("boot_disk", "Start it from its disk")
POWER_ON = _step("power_on", "Power it on")
POWER_OFF = _step("power_off", "Switch it off")
LEAVE_NETWORK = _step("leave_network", "Serve it no imaging environment any more")
INSPECT = _step("inspect", "Read its hardware")
AWAIT_SYSTEM = _step("await_system", "Wait until its own system answers", Profile.LOOK)

CHECK_CAPTURE = _step("check_capture", "See whether it can be captured")
AWAIT_OFF = _step("await_off", "Wait until it is off", Profile.LOOK)
SET_NETWORK_TO_READ = _step("set_network_to_read", "Have the imaging environment ready to read its disk")
BOOT_NETWORK_TO_READ = _step("boot_network_to_read", "Start it from the network to read its disk")
AWAIT_IMAGING_TO_READ = _step("await_imaging_to_read", "Wait for the imaging environment that reads it", Profile.LOOK)
FIND_DISK_TO_READ = _step("find_disk_to_read", "Find the disk that is read")
READ_RAW = _step("read_raw", "Read its disk, and read the copy back", Profile.LONG, undo="discard_capture")
READ_SEALED = _step("read_sealed", "Read the sealed disk, and read the copy back", Profile.LONG)
SWITCH_OFF = _step("switch_off", "Switch it off")
RETURN = _step("return", "Start it from its disk again")
BEGIN_SEALING = _step("begin_sealing", "Remove what an earlier try has sealed")
PUBLISH = _step("publish_copy", "Make it the copy of its revision", undo="withdraw_copy")
DISCARD = _step("discard_raw", "Delete the raw copy")

SLOWEST = 50e6
"""Bytes a second. A disk that does less on the whole is broken, and is given up in the end."""
UNRECORDED = 2e12
"""Bytes that a node's largest disk is taken to have while its hardware is not recorded."""


def given_time(steps: Sequence[Step], image: float, disk: float) -> tuple[Step, ...]:
    """The steps with the time that they may take for their bytes: of the image's disk, and of the node's largest. All
    disks are cleaned at one time; what is read of one for a capture is read back."""
    needed = {
        **{step.name: image or disk for step in (FIND_DISK, WRITE, READ_BACK)},
        **{step.name: 2 * disk for step in (READ_RAW, READ_SEALED)},
        CLEAN.name: disk,
    }
    return tuple(replace(step, least_seconds=needed.get(step.name, 0.0) / SLOWEST) for step in steps)


_TO_IMAGING = (CHECK_BMC, SET_NETWORK, BOOT_NETWORK)
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
    return Plan((*_to_imaging(shared), *_TO_DISK, BOOT_DISK, await_system, *guest), status)


def inspection_plan(status: NodeStatus, shared: bool) -> Plan:
    """Its hardware is read in the imaging environment. One that was on starts from its disk again at the end; any other
    is off."""
    back = BOOT_DISK if status.power == "on" else POWER_OFF
    undone = {SET_NETWORK.name: LEAVE_NETWORK.name, BOOT_NETWORK.name: back.name}
    steps = (*_to_imaging(shared), INSPECT)
    return Plan(tuple(replace(step, blames_nobody=True, undo=undone.get(step.name, "")) for step in steps), status)


def _to_imaging(shared: bool) -> tuple[Step, ...]:
    said = f"{AWAIT_IMAGING.title} (unverified: tenants are in the provisioning network)"
    return (*_TO_IMAGING, replace(AWAIT_IMAGING, title=said) if shared else AWAIT_IMAGING)


# --- captures -----------------------------------------------------------------------------------------------------

_TO_READ = (SET_NETWORK_TO_READ, BOOT_NETWORK_TO_READ, AWAIT_IMAGING_TO_READ, FIND_DISK_TO_READ)


def capture(target: Target) -> Plan:
    """Shut it down, and read its disk in the imaging environment."""
    inside = sealing(target, WAIT_SSH, CHECK_IN_GUEST, SHUT_DOWN)
    return Plan((CHECK_CAPTURE, *inside, AWAIT_OFF, *_TO_READ, READ_RAW, SWITCH_OFF), NodeStatus(Status.POST_LOAD))


def hand_back(target: Target) -> Plan:
    """Start it from its disk again."""
    return Plan((RETURN, AWAIT_SYSTEM, *sealing(target, WAIT_SSH)), NodeStatus(Status.POST_LOAD))


def seal(target: Target, shared: bool) -> Plan:
    """Write the raw disk to another node, seal that, and read it. Nothing is fitted: it is to be read as it was."""
    whole = load_plan(target, NodeStatus(), shared).steps
    onto = tuple(step for step in whole[: whole.index(BOOT_DISK) + 1] if step is not FIT)
    steps = *onto, AWAIT_SYSTEM, *sealing(target, WAIT_SSH, SEAL), AWAIT_OFF, *_TO_READ, READ_SEALED, SWITCH_OFF
    return Plan((BEGIN_SEALING, *steps), NodeStatus())


def boot_test(target: Target, shared: bool) -> Plan:
    """Load the sealed disk as for a user."""
    plan = load_plan(target, NodeStatus(), shared)
    return replace(plan, steps=(*plan.steps, *sealing(target, TRY_LOGIN)))


def publish(target: Target) -> Plan:
    """The sealed disk becomes its revision's; the raw one goes."""
    return Plan((PUBLISH, DISCARD), NodeStatus())
