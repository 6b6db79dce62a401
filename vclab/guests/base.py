"""The interface of an OS module ("guest"): what is done inside a computer, over SSH, from the management node."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vclab.model.computer_checks import Inside
from vclab.model.errors import Unreachable
from vclab.model.plans import Access, Facts, NodeStatus, Target
from vclab.model.sealing import EndState, SealedPart
from vclab.model.steps import AsyncStep


@dataclass(frozen=True)
class Connections:
    """Who is connected: addresses with an open session or an established connection on a connect port."""

    addresses: tuple[str, ...] = ()
    facts: Facts = field(default=Facts(), compare=False)
    """The computer's public address and boot id as it told them; empty what it did not tell."""

    def __bool__(self) -> bool:
        return bool(self.addresses)


Fence = Callable[[], None] | None
"""Asked before each change, in a thread: it raises when the tenure does not hold the computer any more."""


class Guest(Protocol):
    """An OS module. All methods but ``steps`` are coroutines; ``facts`` must hold the private address and the pinned
    host key.

    They raise ``Unreachable`` when the computer can't be looked at (which is never "not connected") and ``StepFailed``
    when trying again is useless. ``fence`` is asked before each change.
    """

    name: str

    def steps(self) -> Mapping[str, AsyncStep]:
        """Name the guest's steps: those of loads, and of captures if its computers can be sealed.

        Called by: the worker, when it starts: each becomes an activity.
        Answers: each step by its recorded name, ``<guest>.<verb>``, which is forever. A plan names ``wait_ssh``,
            ``post_load`` and ``read_public_address``; that of a lab machine also ``check_free`` and ``prepare``; that
            of a capture ``check_capture``, ``shut_down``, ``seal`` and ``try_login``.
        """

    async def grant_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> Facts:
        """Let a user in: make the account (keys, one-time password, sudo if allowed), and open the connect ports to the
        addresses only.

        Begins: prepared by post-load.
        Ends: these addresses are let in, and no others. Twice is harmless.
        Called by: the reservation, when its user presses Connect, or is let in further.
        Answers: the public address and boot id as they are now, as far as the computer tells them: somebody is about to
            come.
        """

    async def close_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> None:
        """Close the connect ports to everybody but the management node.

        Ends: nobody else is let in. Twice is harmless.
        Called by: the reservation, at its end.
        """

    async def connections(self, target: Target, facts: Facts, access: Access, within: float = 0.0) -> Connections:
        """Look who is connected now, or was at some time in the last ``within`` seconds.

        Ends: nothing is changed.
        Called by: the reservation's looks.
        Answers: the addresses; none: nobody is. Unknown is no answer: it raises ``Unreachable``.
        """

    async def notify(self, target: Target, facts: Facts, text: str) -> None:
        """Show a notice on the computer's consoles.

        Called by: the reservation, before its end.
        """

    async def read_public_address(self, target: Target, facts: Facts) -> Facts:
        """Read the public address as the computer has it now, with its boot id.

        Ends: nothing is changed.
        Called by: the reservation's looks, when the computer was restarted.
        """

    async def reboot(self, target: Target, facts: Facts) -> None:
        """Ask the computer to restart.

        Ends: it has begun to. Whether it came back is looked at afterwards.
        Called by: ``vclab reboot``.
        """

    async def console(self, target: Target, facts: Facts) -> Sequence[str]:
        """Read the last lines that the computer wrote about itself: evidence when its load has failed.

        Ends: nothing is changed.
        Called by: ``gather_evidence``.
        Answers: the lines, newest last.
        """

    async def health(self, target: Target, facts: Facts) -> Inside:
        """Read the computer's clock, and what its kernel says of errors of its disks since it was booted.

        Ends: nothing is changed.
        Called by: the check of computers that nobody has.
        Answers: by how much the clock is fast; the lines, newest last.
        """

    async def taint(self, target: Target, facts: Facts, reason: str) -> None:
        """Write into the computer's currentimage.txt that a user may have logged in (VCL vcld_tainted).

        Ends: the computer itself says that it must be loaded anew. Twice is harmless.
        Called by: the reservation's looks, when its user is there; whoever keeps spares.
        """

    async def why_tainted(self, target: Target, facts: Facts, access: Access, opened_seconds: float) -> str:
        """Close the computer to its users, then read who has been connected or logged in since access was opened, at
        most so long ago.

        Ends: nobody but the management node is let in.
        Called by: whoever keeps spares, when a reservation ends.
        Answers: why it can't be ruled out that somebody was; empty when it is. What can't be read is a reason.
        """

    async def node_status(self, target: Target, facts: Facts) -> NodeStatus:
        """Read what the computer says it is.

        Ends: nothing is changed.
        Called by: ``make_plan``, before each load.
        Answers: READY (the target's revision, post-load done, untainted, the pinned host key), POST_LOAD (the tag of
            post-load is missing) or RELOAD (anything else, and what can't be read).
        """

    async def sanitize(
        self,
        target: Target,
        facts: Facts,
        access: Access | None = None,
        opened: bool = True,
        fence: Fence = None,
    ) -> None:
        """Remove all that the tenure's users could have left, close the computer, and verify that it is clean.

        ``access``: who was let in; ``opened``: that they were, or that it can't be ruled out.

        Ends: it is clean. Twice is harmless.
        Called by: ``remove`` of a module whose computers are lent; whoever keeps spares.
        Raises: ``StepFailed``, naming what stays; always so when a user had root rights.
        """

    async def pre_capture(
        self,
        target: Target,
        facts: Facts,
        access: Access,
        end_state: EndState,
        password_ref: str,
        fence: Fence = None,
    ) -> tuple[SealedPart, ...]:
        """Seal the computer, so that an image can be made of its disk, then leave it as ``end_state`` says.

        ``access``: who was let in. ``password_ref``: the secret of the revision (``revision/…``) that becomes root's
        password; made up if there is none.

        Begins: a throw-away machine: what belongs to one computer or person is destroyed.
        Ends: sealed; off, on, or restarting. Twice is harmless, wherever it was cut off, until the end state is begun
            or the computer restarts: then it has other host keys, if it answers at all.
        Called by: nobody yet; the guest's step ``seal`` does the same.
        Answers: what each part did, in their order.
        Raises: ``StepFailed``, naming the part that failed.
        """


def known_guest(guests: Mapping[str, Guest], name: str) -> Guest:
    """The guest of that name. Raises ``Unreachable`` when this worker has none: another, or the same with other
    settings, may have it. Whether a computer has a guest at all is asked of its traits before."""
    guest = guests.get(name)
    if guest is None:
        raise Unreachable(f"this worker has no guest {name}: switch it on in its settings, and restart it")
    return guest
