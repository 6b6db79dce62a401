"""For how long records are kept, and what their removal has done."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Periods:
    """How long what is kept. A period counts from when it is over: of a reservation from its end."""

    audit: timedelta
    loads: timedelta
    reservations: timedelta
    feed: timedelta


@dataclass(frozen=True)
class Swept:
    """Rows that one round of the retention has deleted, or made anonymous."""

    audit: int = 0
    loads: int = 0
    reservations: int = 0
    feed: int = 0


@dataclass(frozen=True)
class Forget:
    """Message: forget the person whom this intent names."""

    intent: str


@dataclass(frozen=True)
class Forgotten:
    """What stands for a person from now on, and in how many rows. Nothing in it tells who that was."""

    pseudonym: str
    rows: int
    histories: int = 0  #: of workflows, which were deleted
