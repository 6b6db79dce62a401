"""Room on datastores for a machine that finds none: copies of images are deleted, in a stated order.

1. Spares make way first (``eviction``).
2. Then copies of retired revisions.
3. Then the copy that was unused longest, of a revision that a repository holds, verified: it can be brought again.

Never one that a machine's disk is made from, that somebody waits for or has asked for, or of an image that is reserved
to start within a day. One copy at a time: it takes a moment until its room is free, and whoever asks again finds it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.revisions import CopyState, RevisionState, Wanted
from vclab.model.states import ReservationState
from vclab.store import audit, copies
from vclab.store.column_types import utc
from vclab.store.copy_sources import key_of
from vclab.store.models import Copy, Reservation, Revision, Tenure

AHEAD = timedelta(days=1)
"""What is reserved to start within this time keeps its image's copies (VCL-671: room was taken from what had just been
assigned)."""

_kept = sa.alias(Copy.metadata.tables[Copy.__tablename__], "kept")
_IS_IN_LIBRARY = sa.exists().where(
    _kept.c.image == Copy.image,
    _kept.c.revision == Copy.revision,
    _kept.c.endpoint.is_(None),
    _kept.c.state == CopyState.USABLE,
    _kept.c.verified_at.is_not(None),
)


def make_room(session: Session, endpoints: Collection[str], holder: str, now: datetime) -> Wanted | None:
    """Have the next copy on these endpoints deleted; None when there is none that may go. It is in the audit."""
    chosen = next(iter(session.execute(_query(endpoints, utc(now)))), None)
    if chosen is None:
        return None
    row = chosen[0]
    wanted = key_of(row)
    copies.leave_use(session, wanted, now)
    what = f"the copy of {wanted} on {wanted.place} is deleted, to make room"
    audit.note(session, holder, "vclab", "room is made", what, utc(now))
    return wanted


def _query(endpoints: Collection[str], now: datetime) -> sa.Select[Copy, RevisionState, datetime]:
    """What may go, the first to go first."""
    used = sa.select(sa.func.max(Tenure.taken_at)).where(Tenure.image == Copy.image, Tenure.revision == Copy.revision)
    last = sa.func.coalesce(used.scalar_subquery(), Copy.since)
    soon = sa.exists().where(
        Reservation.image == Copy.image,
        Reservation.state == ReservationState.SCHEDULED,
        Reservation.starts < now + AHEAD,
    )
    retired = Revision.state == RevisionState.RETIRED
    may_go = sa.and_(
        Copy.ours, Copy.state == CopyState.USABLE, ~Copy.kept, ~copies.HAS_CHILD, ~copies.IS_AWAITED, ~soon
    )
    query = sa.select(Copy, Revision.state, last).join(
        Revision, sa.and_(Revision.image == Copy.image, Revision.number == Copy.revision)
    )
    query = query.where(Copy.endpoint.in_(sorted(endpoints)), may_go, sa.or_(retired, _IS_IN_LIBRARY))
    return query.order_by(sa.case((retired, 0), else_=1), last, Copy.place, Copy.image)
