"""The table of the API server: acts that were asked for with a key."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from vclab.store.table_base import Base


class KeyedAct(Base):
    """An act that somebody asked for with a key of their own, and its first answer (``keyed_acts``)."""

    __tablename__ = "keyed_acts"

    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    asked: Mapped[str]  #: a hash of what is asked for, without secrets
    intent: Mapped[str]  #: the id of its intent, whichever server does it, and however often
    reservation: Mapped[str]  #: the id of what it makes, if it makes a reservation
    began_at: Mapped[datetime] = mapped_column(index=True)
    held_until: Mapped[datetime | None]  #: a server is at it until then; None: none is
    status: Mapped[int] = mapped_column(default=0)  #: of the answer; 0: there is none
    answer: Mapped[str] = mapped_column(default="")
