"""The plans of a virtual machine, whoever makes it: the module's steps, and those of the guest, if it has one."""

from dataclasses import replace

from vclab.model.errors import StepFailed
from vclab.model.plans import NodeStatus, Plan, Profile, Status, Step, Target

WAIT_SSH = Step("wait_ssh", "Wait until it answers SSH", Profile.LOOK, in_guest=True)
POST_LOAD = Step("post_load", "Set up firewall, password and host name", in_guest=True)
READ_PUBLIC_ADDRESS = Step("read_public_address", "Read its public address", in_guest=True)
CHECK_CAPTURE = Step("check_capture", "See whether it can be sealed", in_guest=True)
SHUT_DOWN = Step("shut_down", "Tell whoever is there, and shut it down", in_guest=True)
SEAL = Step("seal", "Remove what belongs to one computer or person", Profile.LONG, in_guest=True)
TRY_LOGIN = Step("try_login", "Log in as a user would", in_guest=True)
"""What each guest does; its own name comes before that of the step."""


class VirtualMachines:
    """The steps of a module that makes virtual machines, named ``MODULE.STEP``, and the plans that they make.

    Captures work on the machine's only disk. Their plans raise ``StepFailed`` for a machine without a guest.
    """

    def __init__(self, module: str) -> None:
        def step(name: str, title: str, profile: Profile = Profile.SHORT, undo: str = "") -> Step:
            return Step(f"{module}.{name}", title, profile, undo=f"{module}.{undo}" if undo else "")

        self.remove = step("remove_previous", "Remove what was there before")
        self.copy = step("copy_disk", "Copy the image's disk", Profile.LONG)
        self.create = step("create_vm", "Create the virtual machine")
        self.on = step("power_on", "Power it on")
        self.adopt = step("adopt", "Take over a machine that is ready")
        self.find = step("find_address", "Find its private address", Profile.LOOK)
        self.check = step("check_machine", "See whether it can be captured")
        self.begin = step("begin_sealing", "Remove what an earlier try has sealed")
        self.off = step("await_off", "Wait until it is off", Profile.LOOK)
        self.raw = step("copy_raw", "Copy its disk", Profile.LONG, undo="discard_capture")
        self.verify_raw = step("verify_raw", "Read the copy back", Profile.LONG)
        self.sealed = step("copy_sealed", "Make a disk of what was sealed", Profile.LONG)
        self.verify_sealed = step("verify_sealed", "Read that disk back", Profile.LONG)
        self.published = step("publish_copy", "Make it the copy of its revision", undo="withdraw_copy")
        self.discard_raw = step("discard_raw", "Delete the raw copy")

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The steps from ``status`` on; none of the guest when there is none.

        A machine that is on and never asks for an address has not booted: that is inside too, though it is asked
        outside.
        """
        guest = target.guest
        make = (self.remove, *((self.copy,) if target.dedicated else ()), self.create, self.on)
        found = replace(self.find, in_guest=bool(guest)), *_of(guest, WAIT_SSH)
        prepared, read = _of(guest, POST_LOAD), _of(guest, READ_PUBLIC_ADDRESS)
        if status.status is Status.RELOAD:
            return Plan((*make, *found, *prepared, *read), status)
        if status.status is Status.POST_LOAD:
            return Plan((*((self.adopt,) if target.spare else ()), *found, *prepared, *read), status)
        if target.spare:
            # Its address and host key are known; post-load gives it the new tenure's mark, and root another password.
            return Plan((self.adopt, *prepared, *read), status)
        return Plan((*found, *read), status)

    def capture(self, target: Target) -> Plan:
        """Shut the machine down, and take a raw copy of its disk."""
        inside = sealing(target, WAIT_SSH, CHECK_CAPTURE, SHUT_DOWN)
        steps = self.check, self.find, *inside, self.off, self.raw, self.verify_raw
        return Plan(steps, NodeStatus(Status.POST_LOAD))

    def hand_back(self, target: Target) -> Plan:
        """Power it on again."""
        return Plan((self.on, self.find, *sealing(target, WAIT_SSH)), NodeStatus(Status.POST_LOAD))

    def seal(self, target: Target) -> Plan:
        """Seal a child of the raw copy on a machine of its own, and make a disk of that."""
        make = self.remove, self.begin, self.create, self.on, self.find, *sealing(target, WAIT_SSH, SEAL)
        return Plan((*make, self.off, self.sealed, self.verify_sealed), NodeStatus())

    def boot_test(self, target: Target) -> Plan:
        """Load the sealed copy as for a user."""
        plan = self.load_plan(target, NodeStatus())
        return replace(plan, steps=(*plan.steps, *sealing(target, TRY_LOGIN)))

    def publish(self, target: Target) -> Plan:
        """The sealed copy gets its revision's place; the raw one goes."""
        return Plan((self.published, self.discard_raw), NodeStatus())


def sealing(target: Target, *steps: Step) -> tuple[Step, ...]:
    """Steps of the guest. Raises ``StepFailed`` when there is none."""
    if not target.guest:
        raise StepFailed("a machine without a guest can't be sealed: nobody knows what must go from its disk")
    return tuple(one for step in steps for one in _of(target.guest, step))


def _of(guest: str, step: Step) -> tuple[Step, ...]:
    return (replace(step, name=f"{guest}.{step.name}"),) if guest else ()
