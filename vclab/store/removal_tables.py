"""The table of removals: which records were deleted or made anonymous, by their age or for a person."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from vclab.store.table_base import Base, words


class Kept(StrEnum):
    """What is kept for a time."""

    AUDIT = "audit"  #: intents and events
    LOADS = "loads"  #: the load log, with failed steps and what they count against
    RESERVATIONS = "reservations"  #: what tells whose a reservation was, and from where they came
    PERSON = "person"  #: all that tells who somebody was


class Removal(Base):
    """One transaction that deleted records, or made them anonymous (``removals``). Kept for good, and never changed.

    Triggers of the audit's tables refuse every change and every deletion, but while such a row is open, which is so
    within its own transaction only: so nothing of the audit goes without a record of that (first migration).
    """

    __tablename__ = "removals"

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[Kept] = mapped_column(words(Kept))
    at: Mapped[datetime]
    before: Mapped[datetime | None]  #: what is older; None: it went by something else than its age
    by: Mapped[str]  #: the intent of it; empty: by age, as the settings say
    rows: Mapped[int] = mapped_column(default=0)
    pseudonym: Mapped[str] = mapped_column(default="")  #: what stands where a person's name stood
    ended_at: Mapped[datetime | None]
