"""Messages to workflows: their names, which never change, and one frozen model for each.

An act of a person carries the id of its *intent* (``vclab/model/intents.py``). Its record reads there who acts and with
which rights, and refuses what asks for more. The id also makes a repeat harmless.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vclab.model.revisions import Wanted

WORKFLOW = "Reservation"
PLACE = "place"  #: update, with start: answers ``Placement`` or fails as ``Refused``
ACKNOWLEDGE = "acknowledge"
EXTEND = "extend"  #: update; the signal of that name takes "1h", {"by": "1h"} or {"to": "<ISO time>"}
RESCHEDULE = "reschedule"  #: update
END = "end"
REBOOT = "reboot"
RESOLVE = "resolve"  #: update, while it needs help
CANCEL = "cancel"  #: signal, of whoever has the Temporal UI or CLI
STATUS = "status"  #: query, for the Temporal UI or CLI; vclab's own programs read the memo
DISMISSAL = "Dismissal"  #: the workflow that takes a failed reservation off its user's list
LIVE_STATUS = "live_status"  #: the memo's entry that a reservation's workflow publishes: ``Published``
LOAD = "Load"  #: the workflow of a background load
WAITER = "waiter"  #: signal to it: the id of a reservation that wants the computer
LOADED = "loaded"  #: its signal to those: the computer's name; the store knows whether it ended well


CHECK = "Check"  #: the workflow that checks an idle computer
POWER = "Power"  #: the workflow that switches a computer, or tells its power
ASK_ENDPOINT = "ask_endpoint"  #: an activity without a workflow, on the queue of the endpoint's site
INSPECTION = "Inspection"  #: the workflow that reads what hardware a computer has
CAPTURE = "capture"  #: update
REINSTALL = "reinstall"  #: update
CAPTURE_WORKFLOW = "Capture"  #: the workflow that captures a computer
COPY = "Copy"  #: the workflow that makes a copy of a revision
COPY_REMOVAL = "CopyRemoval"  #: the workflow that deletes one
COPY_VERIFICATION = "CopyVerification"  #: the workflow that reads one back
RETENTION = "Retention"  #: the workflow that removes what is too old
FORGETTING = "Forgetting"  #: the workflow that forgets a person
COPIED = "copied"  #: its signal to those who wait: "IMAGE/REVISION"; the store knows whether it ended well


def workflow_id(reservation: str) -> str:
    """The workflow of a reservation."""
    return f"reservation-{reservation}"


def power_workflow(computer: str) -> str:
    """The workflow that switches a computer: one at a time."""
    return f"power-{computer}"


def console_workflow(computer: str) -> str:
    """The workflow that listens to a computer's console: one at a time. It is switched meanwhile."""
    return f"console-{computer}"


def check_workflow(computer: str) -> str:
    """The workflow that checks an idle computer."""
    return f"check-{computer}"


def inspection_workflow(computer: str) -> str:
    """The workflow that reads what hardware a computer has: one at a time."""
    return f"inspection-{computer}"


def capture_workflow(capture: str) -> str:
    """The workflow of a capture."""
    return f"capture-{capture}"


def copy_workflow(wanted: Wanted) -> str:
    """The workflow that makes a copy."""
    return f"copy-{wanted.image}-{wanted.revision}-{wanted.place.name.replace('/', '-')}"


def copy_removal_workflow(wanted: Wanted) -> str:
    """The workflow that deletes a copy."""
    return f"remove-{copy_workflow(wanted)}"


def copy_verification_workflow(site: str) -> str:
    """The workflow that reads a copy back: one at a time at each site."""
    return f"verify-{site}"


def computer_workflow(computer: str) -> str:
    """The workflow that loads a computer in the background."""
    return f"computer-{computer}"


def site_queue(site: str, long: bool = False) -> str:
    """The queue of a site's hardware work. Long work has a queue of its own, so that copies never delay a look."""
    return f"site-{site}-long" if long else f"site-{site}"


def looks_queue(site: str) -> str:
    """The queue of a site's looks at computers in use. They last as long as the use does."""
    return f"looks-{site}"


@dataclass(frozen=True)
class Reload:
    """Load a computer that nobody holds. With an ``intent``, also one that is loaded already or out of service."""

    computer: str
    image: str = ""  #: empty: the one that it was loaded with before
    intent: str = ""  #: of the operator who asked; empty: vclab itself, after a reservation
    revision: int = 0  #: 0: the one in production


@dataclass(frozen=True)
class Inspect:
    """Read what hardware a computer has that nobody holds, and compare it with the record."""

    computer: str
    accept: bool = False  #: what is found becomes the record
    intent: str = ""


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
    """Connect was pressed at ``address``; empty where there is no guest to connect to."""

    address: str
    intent: str = ""


@dataclass(frozen=True)
class Extend:
    """Move the end to ``end`` (absolute)."""

    end: datetime
    intent: str = ""


@dataclass(frozen=True)
class Reschedule:
    """Move the start to ``start`` (absolute) before it has come. The reservation stays as long as it is."""

    start: datetime
    intent: str = ""


@dataclass(frozen=True)
class End:
    """End the reservation now."""

    intent: str = ""


@dataclass(frozen=True)
class Reboot:
    """Restart the computer: by its operating system, and by force when that fails; ``hard``: by force at once."""

    hard: bool = False
    intent: str = ""


@dataclass(frozen=True)
class Capture:
    """Make a revision of an image of what the computer holds: of a new ``image``, else of the one it was made from."""

    capture: str  #: a new id
    image: str = ""
    title: str = ""
    notes: str = ""
    intent: str = ""
    untried: bool = False  #: it is published without a boot test
    force_off: bool = False  #: a computer that does not shut down may be powered off hard
    release: bool = False  #: its reservation ends when what it holds is taken


@dataclass(frozen=True)
class Reinstall:
    """Bring the computer back to its image: all that is on it is lost."""

    revision: int = 0  #: that one; 0: the one in production
    intent: str = ""


@dataclass(frozen=True)
class Dismiss:
    """Take a failed reservation off the list."""

    reservation: str
    intent: str = ""


class How(StrEnum):
    """How a reservation goes on whose load failed."""

    RETRY = "retry"  #: from the step that failed; those before it do not run again
    ELSEWHERE = "elsewhere"  #: remove what was made, and load in another place
    GIVE_UP = "give-up"  #: end it as failed


@dataclass(frozen=True)
class Resolve:
    """Go on with a load that waits for help. ``how`` is a ``How``."""

    how: str
    intent: str = ""


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
class PublishedStep:
    """A step of the load that runs. Times in seconds."""

    name: str  #: that of its activity
    title: str
    ceiling: float  #: after which it fails
    usual: float = 0.0  #: from past loads; 0 = not known


@dataclass(frozen=True)
class Published:
    """What a reservation's workflow publishes in its memo, so that everybody can read it without asking the workflow.

    While a load runs, its steps are published once. The server knows which of them runs: the pending activity.
    """

    status: StatusView
    steps: tuple[PublishedStep, ...] = ()
