"""Acts on reservations: reserve, connect, extend, reschedule, reboot, resolve, end, dismiss."""

from datetime import datetime

from pydantic import field_validator

from vclab.contract.reservations import Named
from vclab.contract.use_case import Question, act, needs, post
from vclab.contract.views import Reservation, View
from vclab.model.access import Permission, ResourceKind
from vclab.model.addresses import checked_address

OPENING = 300.0
"""Seconds that opening a computer may take: a slow one needs ten for each of a dozen commands."""

MOST_REVISIONS = 999_999_999

LONGEST_LINE = 200
"""Characters of the title and of the notes of a capture."""


# --- reserve --------------------------------------------------------------------------------------------------------


class Reserve(Question):
    """A computer with an image, for a time. ``reservation``: a new id; asking again with it is harmless."""

    reservation: str
    image: str
    seconds: float
    start: datetime | None = None  #: None: now
    revision: int = 0  #: an image maker may try one that is not in production; only at once
    dedicated: bool = False  #: its disk is a full copy of the image's; else as the image says
    imaging: bool = False  #: it may be captured
    capture_at_end: bool = False  #: and is, as a revision of its image, if it was not before its end


reserve = act(
    "acts.reserve",
    needs(Permission.RESERVE, ResourceKind.IMAGE, "image", users=True),
    Reserve,
    Reservation,
    post("/reservations"),
    "Reserve a computer. The answer comes when it has a place; its load takes longer.",
    long=True,
)


# --- times ----------------------------------------------------------------------------------------------------------


class Extend(Named):
    """A later end: ``by`` that many seconds, or ``to`` that moment."""

    by: float | None = None
    to: datetime | None = None


extend = act(
    "acts.extend",
    needs(Permission.EXTEND, ResourceKind.RESERVATION),
    Extend,
    Reservation,
    post("/reservations/{reservation}/extend"),
    "Keep a computer longer. A refusal names the latest end that is possible.",
)


class Reschedule(Named):
    """Another start, before it has come."""

    start: datetime


reschedule = act(
    "acts.reschedule",
    needs(Permission.EXTEND, ResourceKind.RESERVATION),
    Reschedule,
    Reservation,
    post("/reservations/{reservation}/reschedule"),
    "Move the start of a reservation that has not started. It stays as long as it is.",
)


# --- connect --------------------------------------------------------------------------------------------------------


class Connect(Named):
    """From which address or prefix; not needed for what has no operating system to log in to."""

    address: str = ""

    @field_validator("address")
    @classmethod
    def _shortest(cls, address: str) -> str:
        """Raises ``Invalid`` and ``Refused``."""
        return checked_address(address) if address else ""


connect = act(
    "acts.connect",
    needs(Permission.CONNECT, ResourceKind.RESERVATION),
    Connect,
    Reservation,
    post("/reservations/{reservation}/connect"),
    "Open the computer to an address, and wait until it is open. What has no guest is handed out.",
    long=True,
)


class Password(View):
    """A one-time password."""

    password: str


password = act(
    "acts.password",
    needs(Permission.CONNECT, ResourceKind.RESERVATION),
    Named,
    Password,
    post("/reservations/{reservation}/password"),
    "Read the password of a computer. It is an act: the audit tells who has read it.",
)


# --- the computer, and the end --------------------------------------------------------------------------------------


class Reboot(Named):
    """``hard``: by force at once, also when the computer is off."""

    hard: bool = False


reboot = act(
    "acts.reboot",
    needs(Permission.REBOOT, ResourceKind.RESERVATION),
    Reboot,
    Reservation,
    post("/reservations/{reservation}/reboot"),
    "Restart a computer that its user has connected to. The answer comes at once; its status tells when it is back.",
)


class Reinstall(Named):
    """``revision``: that one; None: the one in production."""

    revision: int | None = None


reinstall = act(
    "acts.reinstall",
    needs(Permission.END, ResourceKind.RESERVATION),
    Reinstall,
    Reservation,
    post("/reservations/{reservation}/reinstall"),
    "Bring a computer back to its image. All that is on it is lost, and the clock goes on. The answer comes at once; "
    "its status tells how far it is. It is opened to the same addresses again.",
)


class Capture(Named):
    """``image``: a new one; empty: a new revision of the image that the computer was made from. ``capture``: a new
    id; asking again with it is harmless."""

    capture: str
    image: str = ""
    title: str = ""
    notes: str = ""
    untried: bool = False  #: it is published without a boot test
    force_off: bool = False  #: a computer that does not shut down may be powered off hard
    release: bool = False  #: the reservation ends when what the computer holds is taken


capture = act(
    "acts.capture",
    needs(Permission.CONNECT, ResourceKind.RESERVATION, of_image=Permission.CAPTURE),
    Capture,
    Reservation,
    post("/reservations/{reservation}/capture"),
    "Make a revision of an image of what the computer holds. The answer comes at once; its status tells how far it is. "
    "Nobody uses the computer until what it holds is taken; then it is its user's again, unless it is released.",
)


class Resolve(Named):
    """How a failed load goes on: ``retry``, ``elsewhere`` or ``give-up``."""

    how: str


resolve = act(
    "acts.resolve",
    needs(Permission.OPERATE, ResourceKind.RESERVATION),
    Resolve,
    Reservation,
    post("/reservations/{reservation}/resolve"),
    "Go on with a load that needs help, or give it up.",
)


class Ended(Reservation):
    """A reservation that has ended."""

    already: bool  #: it had ended before


end = act(
    "acts.end",
    needs(Permission.END, ResourceKind.RESERVATION),
    Named,
    Ended,
    post("/reservations/{reservation}/end"),
    "End a reservation now, also while it is prepared. Ending it again is harmless.",
)


dismiss = act(
    "acts.dismiss",
    needs(Permission.END, ResourceKind.RESERVATION),
    Named,
    Reservation,
    post("/reservations/{reservation}/dismiss"),
    "Take a reservation that failed off the list. Dismissing it again is harmless.",
)
