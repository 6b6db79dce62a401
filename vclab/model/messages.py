"""What is said to a running reservation: names that are forever, and one frozen model per message."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

WORKFLOW = "Reservation"
PLACE = "place"  #: update, with start: answers ``Placement`` or fails as ``Refused``
ACKNOWLEDGE = "acknowledge"
EXTEND = "extend"  #: update; an operator's signal of that name takes "1h" or {"by": "1h"} or {"to": "<ISO time>"}
MOVE = "move"  #: update
END = "end"
REBOOT = "reboot"
RESOLVE = "resolve"  #: update; an operator's, while it needs help
CANCEL = "cancel"  #: an operator's signal
STATUS = "status"  #: query, for people at the Temporal UI or CLI: vclab's own programs read the memo
DISMISSAL = "Dismissal"  #: the workflow that takes a reservation that failed off its user's list
TOLD = "told"  #: the memo's entry: what a reservation's workflow says of itself, ``Told``
LOAD = "Load"  #: the workflow that loads a computer for which nobody waits
WAITER = "waiter"  #: signal to it: the id of a reservation that wants the computer
LOADED = "loaded"  #: its signal to those: the computer's name; whether it ended well is in the store


def workflow_id(reservation: str) -> str:
    """The workflow of a reservation."""
    return f"reservation-{reservation}"


def computer_workflow(computer: str) -> str:
    """The workflow that works on a computer for nobody's reservation."""
    return f"computer-{computer}"


def site_queue(site: str, long: bool = False) -> str:
    """The queue of a site's hardware work; long work has one of its own, so that copies never delay a look."""
    return f"site-{site}-long" if long else f"site-{site}"


@dataclass(frozen=True)
class Reload:
    """Load a computer that nobody holds. ``by`` an operator: also one that is loaded already, or that is out of use."""

    computer: str
    image: str = ""  #: empty: what it was loaded with before
    by: str = ""  #: empty: by itself, after a reservation


@dataclass(frozen=True)
class Placement:
    """The answer to ``place``."""

    reservation: str
    computer: str
    host: str
    end: datetime
    start: datetime | None = None  #: None: at once


@dataclass(frozen=True)
class Acknowledge:
    """Connect was pressed at ``address``; ``request_id`` makes a repeat harmless."""

    address: str
    request_id: str = ""


@dataclass(frozen=True)
class Extend:
    """Move the end to ``end`` (absolute)."""

    end: datetime
    by: str
    operator: bool = False
    request_id: str = ""


@dataclass(frozen=True)
class Move:
    """Move the start to ``start`` (absolute), before it has come; the reservation stays as long as it is."""

    start: datetime
    by: str
    operator: bool = False
    request_id: str = ""


@dataclass(frozen=True)
class End:
    """End the reservation now."""

    by: str
    request_id: str = ""


@dataclass(frozen=True)
class Reboot:
    """Restart the computer: softly, and by force when that fails; ``hard``: by force at once."""

    by: str
    hard: bool = False
    request_id: str = ""


@dataclass(frozen=True)
class Dismiss:
    """Take a reservation that failed off the list."""

    reservation: str
    by: str


class How(StrEnum):
    """What is to be done about a load that failed."""

    RETRY = "retry"  #: go on from the step that failed; those before it do not run again
    ELSEWHERE = "elsewhere"  #: remove what was made, and load in another place
    GIVE_UP = "give-up"  #: end it as failed


@dataclass(frozen=True)
class Resolve:
    """Go on with a load that waits for help. ``how`` is a ``How``."""

    by: str
    how: str
    request_id: str = ""


@dataclass(frozen=True)
class Done:
    """The answer to an act: where the reservation stands after it."""

    state: str
    end: datetime
    ending: str = ""


@dataclass(frozen=True)
class StatusView:
    """What runs or is waited for, since when, until when, and what happens then."""

    state: str
    word: str
    ending: str = ""
    step: int = 0
    steps: int = 0
    waits_for: str = ""
    since: datetime | None = None
    until: datetime | None = None
    then: str = ""
    seconds_left: float = 0.0  #: of the load, counted from ``since``, from past loads; 0 = not known
    access_open: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ToldStep:
    """A step of the load that goes on. Times in seconds."""

    name: str  #: that of its activity
    title: str
    ceiling: float  #: after which it is given up
    usual: float = 0.0  #: from past loads; 0 = not known


@dataclass(frozen=True)
class Told:
    """What a reservation's workflow keeps in its memo, for everybody to read without asking it.

    While a load goes on, its steps are told once, and which one runs is for the server to say: its pending activity.
    """

    status: StatusView
    steps: tuple[ToldStep, ...] = ()
