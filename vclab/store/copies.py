"""Copies of revisions: machines are placed where one is, or where one can be made.

Of a revision of which no copy was ever seen nothing is known: it was added unchecked, or nobody can be asked. It is
placed anywhere. Lock a copy's row after pools and computers.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.errors import NotFound, Refused
from vclab.model.inventory import Amounts
from vclab.model.messages import copy_workflow
from vclab.model.revisions import (
    Copied,
    CopyState,
    Place,
    RevisionState,
    Wanted,
)
from vclab.store import audit, catalog, claims
from vclab.store.column_types import utc
from vclab.store.copy_sources import has_source, key_of, revision_of
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import Claim, Copy, CopyWaiter, DiskChild, Repository, Revision

_LONGEST = timedelta(days=7)
"""For which a copy that is being made has its room."""
_REASON = 500  # characters
HAS_CHILD = sa.exists().where(
    DiskChild.image == Copy.image, DiskChild.revision == Copy.revision, DiskChild.place == Copy.place
)
"""A disk is made from the copy: for queries of copies."""
_WAITS_FOR_IT = sa.and_(
    CopyWaiter.image == Copy.image, CopyWaiter.revision == Copy.revision, CopyWaiter.place == Copy.place
)
IS_AWAITED = sa.exists().where(_WAITS_FOR_IT)
"""Somebody waits for the copy: for queries of copies."""
_table = Copy.metadata.tables[Copy.__tablename__]


@dataclass(frozen=True)
class Places:
    """Where a revision is."""

    storages: Mapping[str, Mapping[str, CopyState]]  #: by endpoint and storage
    sites: frozenset[str]  #: in whose repositories it is

    def endpoints(self) -> tuple[str, ...]:
        """Those on which it is, by name."""
        return tuple(sorted(name for name, there in self.storages.items() if CopyState.USABLE in there.values()))

    def can_be_at(self, endpoint: model.Endpoint) -> bool:
        """Whether machines can be made there, at once or when it was brought."""
        return endpoint.name in self.endpoints() or endpoint.site in self.sites


_OF = (
    sa.select(Copy.endpoint, Copy.storage, Copy.state, Repository.site)
    .outerjoin(Repository, sa.and_(Copy.endpoint.is_(None), Repository.name == Copy.storage))
    .where(Copy.image == sa.bindparam("of"), Copy.revision == sa.bindparam("which"))
)


def of(session: Session, image: model.Image) -> Places | None:
    """Where the image's revision is; None: nothing is known."""
    found, sites = defaultdict[str, dict[str, CopyState]](dict), set[str]()
    rows = session.execute(_OF, {"of": image.name, "which": image.revision}).all()
    for endpoint, storage, state, site in rows:
        if endpoint is not None:
            found[endpoint][storage] = state
        elif state is CopyState.USABLE and site is not None:
            sites.add(site)
    return Places(dict(found), frozenset(sites)) if rows else None


def seen(session: Session, image: model.Image, endpoint: str, storages: Collection[str], now: datetime) -> None:
    """Which copies that are not ours an endpoint has now: these and no others. One that machines are made from and that
    is not there any more is broken."""
    now = utc(now)
    theirs = sa.select(Copy).where(
        Copy.image == image.name, Copy.revision == image.revision, Copy.endpoint == endpoint, Copy.ours.is_(False)
    )
    known = {row.storage: row for row in session.scalars(theirs)}
    for storage, row in known.items():
        if storage in storages:
            row.seen_at = now
            if row.state is CopyState.BROKEN:
                _is(row, CopyState.USABLE, now)
        elif session.scalar(sa.select(sa.exists().where(*_children_of(row)))):
            _is(row, CopyState.BROKEN, now, "it is not there any more")
        else:
            session.delete(row)
    session.flush()
    for storage in sorted(set(storages) - set(known)):
        wanted = Wanted(image.name, image.revision, Place(endpoint, storage))
        _insert(session, wanted, state=CopyState.USABLE, since=now, seen_at=now)


def begin(session: Session, wanted: Wanted, now: datetime, kept: bool = False) -> Copy:
    """The copy's row, locked. One that is not there, or could not be made, is to be made from now on.

    ``kept``: whoever waits for it. That there is no room for it is found in its row.
    """
    if wanted.place.endpoint:
        claims.lock_pools(session, [claims.datastore_pool(wanted.place.endpoint, wanted.place.storage)])
    _insert(session, wanted, state=CopyState.COPYING, since=utc(now), ours=True)
    row = lock(session, wanted)
    assert row is not None
    if row.state is CopyState.BROKEN and row.ours and not row.path:
        _is(row, CopyState.COPYING, utc(now))
    row.kept = row.kept or kept
    if row.state is CopyState.COPYING:
        _claim_room(session, row, wanted, now)
    session.flush()
    return row


def find(session: Session, wanted: Wanted) -> Copy | None:
    """Its row."""
    return session.scalar(sa.select(Copy).where(*_is_copy(Copy, wanted)))


def lock(session: Session, wanted: Wanted, shared: bool = False) -> Copy | None:
    """The copy's row, locked: ``shared`` against changes only. None: there is none."""
    query = sa.select(Copy).where(*_is_copy(Copy, wanted)).execution_options(populate_existing=True)
    return session.scalar(query.with_for_update(read=shared))


def is_usable(session: Session, wanted: Wanted) -> bool:
    """Whether machines can be made from it, at this moment: nothing is locked."""
    usable = sa.exists().where(*_is_copy(Copy, wanted), Copy.state == CopyState.USABLE)
    return bool(session.scalar(sa.select(usable)))


def is_retiring(session: Session, wanted: Wanted) -> bool:
    """Whether it is to be deleted, at this moment."""
    retiring = sa.exists().where(*_is_copy(Copy, wanted), Copy.state == CopyState.RETIRING)
    return bool(session.scalar(sa.select(retiring)))


def known(session: Session, image: str, revision: int) -> bool:
    """Whether anything is known of where the revision is."""
    there = sa.exists().where(Copy.image == image, Copy.revision == revision)
    return bool(session.scalar(sa.select(there)))


def any_ours(session: Session, image: str) -> bool:
    """Whether vclab has made a copy of any of the image's revisions."""
    return bool(session.scalar(sa.select(sa.exists().where(Copy.image == image, Copy.ours))))


def await_(session: Session, wanted: Wanted, reservation: str, now: datetime) -> None:
    """The reservation waits for the copy."""
    row = {"image": wanted.image, "revision": wanted.revision, "place": wanted.place.name}
    session.execute(
        insert(dialect_of(session), CopyWaiter.metadata.tables[CopyWaiter.__tablename__])
        .values(**row, reservation=reservation, since=utc(now))
        .on_conflict_do_nothing()
    )


def leave(session: Session, reservation: str) -> None:
    """The reservation waits for no copy any more."""
    session.execute(sa.delete(CopyWaiter).where(CopyWaiter.reservation == reservation))


def waiters(session: Session, wanted: Wanted) -> list[str]:
    """The reservations that wait for the copy, in the order in which they came."""
    query = sa.select(CopyWaiter.reservation).where(*_is_copy(CopyWaiter, wanted))
    return list(session.scalars(query.order_by(CopyWaiter.since, CopyWaiter.reservation)))


def awaited_by(session: Session, reservation: str) -> tuple[Wanted, int] | None:
    """The copy that a reservation waits for, and how many wait for it beside this one; None: it waits for none."""
    query = sa.select(Copy).join(CopyWaiter, _WAITS_FOR_IT)
    row = session.scalar(query.where(CopyWaiter.reservation == reservation))
    if row is None:
        return None
    wanted = key_of(row)
    return wanted, len(waiters(session, wanted)) - 1


def is_wanted(session: Session, wanted: Wanted) -> bool:
    """Whether the copy is still to be made: somebody waits for it, or has asked for it."""
    row = find(session, wanted)
    if row is None or row.state is not CopyState.COPYING:
        return False
    return row.kept or bool(waiters(session, wanted))


def why_broken(session: Session, wanted: Wanted) -> str:
    """Why the copy can't be used, nor waited for; empty when it can, or when there is none."""
    row = session.scalar(sa.select(Copy).where(*_is_copy(Copy, wanted)).execution_options(populate_existing=True))
    if row is None or row.state in (CopyState.USABLE, CopyState.COPYING):
        return ""
    what = "is being deleted" if row.state is CopyState.RETIRING else f"can't be used: {row.why}"
    return f"the copy of {wanted} on {wanted.place} {what}"


def made(session: Session, wanted: Wanted, copied: Copied, now: datetime) -> list[str]:
    """It is made and can be used. What its revision holds is known from now on, if its bytes were read. Returns who
    waits for it."""
    why = _learn(session, wanted, copied)
    row = lock(session, wanted)
    if row is not None and row.state is CopyState.COPYING:
        _is(row, CopyState.BROKEN if why else CopyState.USABLE, utc(now), why)
        row.path, row.seen_at = copied.path, utc(now)
        row.verified_at = utc(now) if copied.sha256 and not why else None
    claims.release(session, copy_workflow(wanted), now)
    return waiters(session, wanted)


def captured(session: Session, wanted: Wanted, path: str, now: datetime) -> None:
    """A copy that a capture has made, and whose bytes were read: it is there from now on."""
    times = dict.fromkeys(("since", "seen_at", "verified_at"), utc(now))
    _insert(session, wanted, state=CopyState.USABLE, path=path, ours=True, **times)


def not_made(session: Session, wanted: Wanted, why: str, now: datetime) -> list[str]:
    """It could not be made; or nobody wanted it any more (no ``why``). Nothing is left of it. Returns who waits.

    For those who came when it had been given up it is still to be made: whoever looks next begins it anew.
    """
    row, waiting = lock(session, wanted), waiters(session, wanted)
    if row is not None and row.state is CopyState.COPYING:
        if not why and (waiting or row.kept):
            return waiting
        if why:
            _is(row, CopyState.BROKEN, utc(now), why)
        else:
            session.delete(row)
    claims.release(session, copy_workflow(wanted), now)
    session.flush()
    return waiting


def leave_use(session: Session, wanted: Wanted, now: datetime) -> None:
    """Nothing new is made from the copy from now on: it is to be deleted. Only one that vclab has made.

    Raises ``NotFound``, and ``Refused`` while it is being made, or a computer's disk is its child.
    """
    row = lock(session, wanted)
    if row is None:
        raise NotFound(f"there is no copy of {wanted} on {wanted.place}")
    if not row.ours:
        raise Refused(f"the copy of {wanted} on {wanted.place} was not made by vclab", "delete it by hand")
    if row.state is CopyState.COPYING:
        raise Refused(f"the copy of {wanted} on {wanted.place} is being made", "try again when it is there")
    children = list(session.scalars(sa.select(DiskChild.computer).where(*_children_of(row)).distinct()))
    if children:
        raise Refused(f"the disks of {', '.join(sorted(children))} are made from {wanted} on {wanted.place}")
    _is(row, CopyState.RETIRING, utc(now))
    session.flush()


def gone(session: Session, wanted: Wanted, now: datetime) -> None:
    """It is verified gone. One that is to be there all the same, and was broken, is made again."""
    row = lock(session, wanted)
    if row is None or row.state is not CopyState.RETIRING:
        return
    retired = session.scalars(revision_of(row)).one().state is RevisionState.RETIRED
    if (row.kept or row.endpoint is None) and not retired and has_source(session, wanted):
        _is(row, CopyState.COPYING, utc(now))
        row.path, row.kept, row.verified_at = "", True, None
    else:
        session.delete(row)
    session.flush()


def stays(session: Session, wanted: Wanted, why: str, now: datetime) -> None:
    """It can't be deleted, for its endpoint says that something needs it: it can be used as before."""
    row = lock(session, wanted)
    if row is not None and row.state is CopyState.RETIRING:
        _is(row, CopyState.USABLE, utc(now), why)
    session.flush()


def retire_idle(session: Session, now: datetime) -> list[Wanted]:
    """Copies that vclab has made of retired revisions, and that nobody's disk is made from, are to be deleted: nothing
    will ever be made from them. Returns them; each is in the audit."""
    retired = sa.exists().where(
        Revision.image == Copy.image, Revision.number == Copy.revision, Revision.state == RevisionState.RETIRED
    )
    ours = sa.and_(Copy.ours, Copy.state == CopyState.USABLE, Copy.endpoint.is_not(None))
    found = []
    for row in session.scalars(sa.select(Copy).where(ours, retired, ~HAS_CHILD).order_by(Copy.place)).all():
        wanted = key_of(row)
        with suppress(Refused, NotFound):
            leave_use(session, wanted, now)
            audit.note(session, f"image-{row.image}", "vclab", "copy deleted", f"{wanted} on {wanted.place}", utc(now))
            found.append(wanted)
    return found


def lost(session: Session, wanted: Wanted, why: str, now: datetime) -> None:
    """It is not there, or has other bytes: nothing is made from it any more. It is in the audit."""
    row = lock(session, wanted)
    if row is not None and row.state is CopyState.USABLE:
        _is(row, CopyState.BROKEN, utc(now), why)
        audit.note(
            session, f"image-{row.image}", "vclab", "copy broken", f"{wanted} on {wanted.place}: {why}", utc(now)
        )
    session.flush()


def found_right(session: Session, wanted: Wanted, now: datetime) -> None:
    """All of its bytes were read, and are right."""
    row = lock(session, wanted)
    if row is not None and row.state in (CopyState.USABLE, CopyState.BROKEN):
        _is(row, CopyState.USABLE, utc(now))
        row.verified_at = utc(now)
    session.flush()


def to_be_made(session: Session, at_night: bool) -> list[Wanted]:
    """The copies that are to be made, each by a workflow. ``at_night``: also those that nobody waits for."""
    query = sa.select(Copy).where(Copy.state == CopyState.COPYING)
    query = query if at_night else query.where(IS_AWAITED)
    return [key_of(row) for row in session.scalars(query.order_by(Copy.place, Copy.image))]


def in_state(session: Session, state: CopyState) -> list[Wanted]:
    """The copies that are in this state."""
    query = sa.select(Copy).where(Copy.state == state).order_by(Copy.place, Copy.image)
    return [key_of(row) for row in session.scalars(query)]


# Inside.


def _insert(session: Session, wanted: Wanted, **columns: object) -> None:
    """Insert the row unless there is one: another transaction may do so at this moment."""
    row = {"image": wanted.image, "revision": wanted.revision, "place": wanted.place.name}
    row |= {"endpoint": wanted.place.endpoint or None, "storage": wanted.place.storage}
    row |= {"path": "", "ours": False, "why": "", "kept": False}
    row |= dict.fromkeys(("seen_at", "verified_at", "tried_at"))
    session.execute(insert(dialect_of(session), _table).values(**{**row, **columns}).on_conflict_do_nothing())


def _is(row: Copy, state: CopyState, now: datetime, why: str = "") -> None:
    if row.state is not state:
        row.state, row.since = state, now
    row.why = why[:_REASON]


def _claim_room(session: Session, row: Copy, wanted: Wanted, now: datetime) -> None:
    """Unless it has some. The copy is not larger than the image's disk."""
    holder = copy_workflow(wanted)
    if row.endpoint is None or session.scalar(sa.select(sa.exists().where(Claim.holder == holder, ~Claim.released))):
        return
    image = catalog.revision(session, wanted.image, wanted.revision)
    room = {claims.datastore_pool(row.endpoint, row.storage): Amounts(disk_gb=image.disk_gb)}
    try:
        claims.claim_pools(session, holder, now, now + _LONGEST, room)
    except claims.NoRoom as refused:
        _is(row, CopyState.BROKEN, utc(now), str(refused))
    except NotFound:  # nobody has asked the endpoint yet: there is nothing to claim of
        return


def _learn(session: Session, wanted: Wanted, copied: Copied) -> str:
    """The bytes of the copy were read: if nobody knew the revision's, they are its own. Why the copy is broken
    otherwise; empty: it is not."""
    if not copied.sha256:
        return ""
    revision = session.scalar(revision_of(wanted).with_for_update(key_share=True))
    if revision is None or revision.sha256 == copied.sha256:
        return ""
    if revision.sha256:  # another copy was read meanwhile
        return f"it has other bytes: SHA-256 {copied.sha256}"
    revision.sha256, revision.size = copied.sha256, copied.size
    return ""


def _is_copy(table: type[Copy] | type[CopyWaiter], wanted: Wanted) -> tuple[sa.ColumnElement[bool], ...]:
    return table.image == wanted.image, table.revision == wanted.revision, table.place == wanted.place.name


def _children_of(row: Copy) -> tuple[sa.ColumnElement[bool], ...]:
    return DiskChild.image == row.image, DiskChild.revision == row.revision, DiskChild.place == row.place
