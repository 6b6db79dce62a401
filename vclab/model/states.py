"""The states of reservations and computers, the endings, and the nine words that people see."""

from enum import StrEnum
from types import MappingProxyType


class ReservationState(StrEnum):
    """Where a reservation is in its life."""

    SCHEDULED = "scheduled"  #: placed, but its time has not come
    NEW = "new"  #: a computer is being found and loaded
    RESERVED = "reserved"  #: ready; waits for Connect and for the first connection
    INUSE = "inuse"  #: the user has connected
    RECLAIM = "reclaim"  #: ended for the user; the computer is being taken back
    COMPLETE = "complete"  #: ended, and the computer is verified clean or gone
    FAILED = "failed"  #: ended by a failure; kept visible with its reason


OPEN_STATES = (
    ReservationState.SCHEDULED,
    ReservationState.NEW,
    ReservationState.RESERVED,
    ReservationState.INUSE,
)
"""The states in which the reservation is still the user's."""


class Ending(StrEnum):
    """Why a reservation ended (VCL log.ending)."""

    DELETED = "deleted"  #: by its owner or an operator, before Connect
    RELEASED = "released"  #: by its owner or an operator, after Connect
    NOACK = "noack"  #: nobody pressed Connect in time
    NOLOGIN = "nologin"  #: Connect, but no connection in time
    TIMEOUT = "timeout"  #: disconnected for too long
    EOR = "EOR"  #: the end of the reservation was reached
    FAILED = "failed"  #: it could not be made ready


_ENDING_WORDS = MappingProxyType(
    {
        Ending.DELETED: "deleted before Connect",
        Ending.RELEASED: "released",
        Ending.NOACK: "nobody pressed Connect (noack)",
        Ending.NOLOGIN: "nobody connected (nologin)",
        Ending.TIMEOUT: "disconnected for too long (timeout)",
        Ending.EOR: "its time was over (EOR)",
        Ending.FAILED: "failed",
    }
)


def ending_words(ending: Ending | None) -> str:
    """An ending for people; ``list`` and programs have its name alone. Nothing for what has not ended."""
    return _ENDING_WORDS[ending] if ending else ""


class ComputerState(StrEnum):
    """What a computer can be used for now."""

    AVAILABLE = "available"
    RELOADING = "reloading"
    RESERVED = "reserved"
    INUSE = "inuse"
    MAINTENANCE = "maintenance"
    FAILED = "failed"


OUT_OF_SERVICE = (ComputerState.MAINTENANCE, ComputerState.FAILED)
"""The states in which nobody is given the computer."""


class Purpose(StrEnum):
    """What a computer is held for."""

    RESERVATION = "reservation"
    LOAD = "load"  #: a background load: no reservation waits for it
    REMOVAL = "removal"  #: the machine on it is removed
    CAPTURE = "capture"  #: what was captured is sealed or tried on it
    POWER = "power"  #: it is switched
    INSPECTION = "inspection"  #: what hardware it has is read
    CHECK = "check"  #: it is idle, and looked at


BRIEF = (Purpose.POWER, Purpose.CHECK)
"""What a computer is held for by vclab itself, for minutes: whoever wants it waits."""


class Word(StrEnum):
    """The nine words in which people are told a reservation's state."""

    SCHEDULED = "Scheduled"
    WAITING = "Waiting for a computer"
    PREPARING = "Preparing"
    READY = "Ready"
    INUSE = "In use"
    ENDING_SOON = "Ending soon"
    SAVING = "Saving image"
    ENDED = "Ended"
    NEEDS_HELP = "Needs help"


_WORDS = {
    ReservationState.SCHEDULED: Word.SCHEDULED,
    ReservationState.RESERVED: Word.READY,
    ReservationState.INUSE: Word.INUSE,
    ReservationState.RECLAIM: Word.ENDED,
    ReservationState.COMPLETE: Word.ENDED,
    ReservationState.FAILED: Word.ENDED,
}


def word(
    state: ReservationState,
    step: int = 0,
    steps: int = 0,
    ending_soon: bool = False,
    needs_help: bool = False,
    saving: bool = False,
) -> str:
    """The word for a state: ``Preparing (3/8)`` while step 3 of 8 runs; ``Waiting for a computer`` before the first.
    ``saving``: it is being captured."""
    if needs_help and state in OPEN_STATES:
        return str(Word.NEEDS_HELP)
    if saving and state in OPEN_STATES:
        return f"{Word.SAVING} ({step}/{steps})" if steps else str(Word.SAVING)
    if state is ReservationState.NEW:
        return f"{Word.PREPARING} ({step}/{steps})" if steps else str(Word.WAITING)
    if state is ReservationState.INUSE and ending_soon:
        return str(Word.ENDING_SOON)
    return str(_WORDS[state])
