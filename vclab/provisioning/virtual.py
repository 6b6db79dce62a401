"""The plan of a virtual machine, whoever makes it: the module's steps, then those of the guest, if it has one."""

from collections.abc import Sequence
from dataclasses import replace

from vclab.model.errors import StepFailed
from vclab.model.plans import NodeStatus, Plan, Profile, Status, Step

WAIT_SSH = Step("wait_ssh", "Wait until it answers SSH", Profile.LOOK, in_guest=True)
POST_LOAD = Step("post_load", "Set up firewall, password and host name", in_guest=True)
READ_PUBLIC_ADDRESS = Step("read_public_address", "Read its public address", in_guest=True)
CHECK_CAPTURE = Step("check_capture", "See whether it can be sealed", in_guest=True)
SHUT_DOWN = Step("shut_down", "Tell whoever is there, and shut it down", in_guest=True)
SEAL = Step("seal", "Remove what belongs to one computer or person", Profile.LONG, in_guest=True)
TRY_LOGIN = Step("try_login", "Log in as a user would", in_guest=True)
"""What each guest does; its own name comes before that of the step."""


def load_plan(guest: str, status: NodeStatus, spare: bool, make: Sequence[Step], adopt: Step, find: Step) -> Plan:
    """The steps from ``status`` on; none of the guest when there is none (``guest`` is empty).

    ``make`` makes the machine, ``adopt`` takes over a ``spare`` that is there, ``find`` finds its private address. A
    machine that is on and never asks for an address has not booted: that is inside too, though it is asked outside.
    """
    found = replace(find, in_guest=bool(guest)), *_of(guest, WAIT_SSH)
    prepared, read = _of(guest, POST_LOAD), _of(guest, READ_PUBLIC_ADDRESS)
    if status.status is Status.RELOAD:
        return Plan((*make, *found, *prepared, *read), status)
    if status.status is Status.POST_LOAD:
        return Plan((*((adopt,) if spare else ()), *found, *prepared, *read), status)
    if spare:
        # Its address and host key are known; post-load gives it the new tenure's mark, and root another password.
        return Plan((adopt, *prepared, *read), status)
    return Plan((*found, *read), status)


def capturing_steps(guest: str, *steps: Step) -> tuple[Step, ...]:
    """Steps of the guest. Raises ``StepFailed`` when there is none."""
    if not guest:
        raise StepFailed("a machine without a guest can't be sealed: nobody knows what must go from its disk")
    return tuple(one for step in steps for one in _of(guest, step))


def _of(guest: str, step: Step) -> tuple[Step, ...]:
    return (replace(step, name=f"{guest}.{step.name}"),) if guest else ()
