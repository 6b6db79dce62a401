"""The tables of the feed: what has changed, in the order in which it was committed."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from vclab.store.table_base import Base

_LONG = BigInteger().with_variant(Integer, "sqlite")


class Change(Base):
    """Something has changed (``feed``). Only triggers write it, in the transaction of the change (first migration).

    Small: it says that a thing changed, never how. Who wants to know reads the thing.
    """

    __tablename__ = "feed"
    __table_args__ = (
        Index("uq_feed_number", "number", unique=True),
        Index(
            "ix_feed_unnumbered",
            "id",
            sqlite_where=text("number IS NULL"),
            postgresql_where=text("number IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(_LONG, primary_key=True)  #: in the order of writing; commits come in another one
    number: Mapped[int | None] = mapped_column(_LONG)  #: in the order of commits; None: nobody has read it yet
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    thing: Mapped[str]
    owner: Mapped[str]  #: whose it is; empty: nobody's


class FeedState(Base):
    """How far the feed is numbered, and up to where it was pruned: one row. Who numbers locks it."""

    __tablename__ = "feed_state"

    id: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(_LONG)
    pruned: Mapped[int] = mapped_column(_LONG)


SILENT = {
    "addresses": "comes with a change of its reservation",
    "claims": "a promise: what is shown of it is in reservations",
    "device_codes": "known to a program and a browser only",
    "disk_children": "bookkeeping of copies",
    "emergency_codes": "known to root only; its use is a token",
    "events": "says of a change what is in the feed already",
    "failed_steps": "comes with a change of its reservation",
    "feed": "is the feed",
    "feed_state": "is the feed",
    "fences": "asked by drivers only",
    "freed_logins": "what they were is not told",
    "intents": "the audit: operators ask for it",
    "inventories": "measured anew all the time",
    "keyed_acts": "what its act changes is told",
    "load_failures": "what follows of it is in host_rests and revisions",
    "local_passwords": "a change ends tokens",
    "orphans": "seen anew in each round",
    "pending_sign_ins": "known to one browser only",
    "pools": "measured anew all the time",
    "removals": "the audit of the audit",
    "refused_requests": "the answer says it",
    "sign_in_attempts": "counts",
}
"""Tables of which the feed tells nothing, and why. All others have triggers: a test walks them."""
