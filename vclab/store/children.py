"""Disks that are children of a copy. A row is written while the copy is usable, before the disk is made, and goes when
the disk is verified gone: so a copy without rows has no children that vclab knows of."""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.plans import Target
from vclab.model.revisions import CopyState, Wanted
from vclab.store import copies, pools
from vclab.store.column_types import utc
from vclab.store.models import DiskChild


def hold(session: Session, target: Target, now: datetime) -> Target:
    """The target with the copy that its disk is made from, which has its child's row from now on; or the target awaits
    that copy, which is to be made. Only under a tenure."""
    if not target.traits.copies or not target.generation or target.spare:
        return target
    if not copies.known(session, target.image, target.revision):
        return target  # nobody knows where it is: it is made from where the image's data says
    if not target.dedicated and not pools.is_linked(session, target.endpoint, target.storage):
        target = replace(target, dedicated=True)
    wanted = target.made_from
    # Pools are locked before copies, and only what is to be made needs room.
    row = copies.lock(session, wanted, shared=True) if copies.is_usable(session, wanted) else None
    if row is None or row.state is not CopyState.USABLE:
        row = copies.begin(session, wanted, now)
    if row.state is not CopyState.USABLE:
        copies.await_(session, wanted, target.reservation, now)
        return replace(target, awaits_copy=True)
    copies.leave(session, target.reservation)
    child = {"computer": target.computer, "generation": target.generation}
    if session.get(DiskChild, child) is None:
        place = {"image": target.image, "revision": target.revision, "place": wanted.place.name}
        session.add(DiskChild(**child, **place, since=utc(now)))
        session.flush()
    return replace(target, copy=row.path, awaits_copy=False)


def gone(session: Session, target: Target) -> None:
    """All that the computer was at the target's endpoint is verified gone, of this generation and older ones."""
    copies.leave(session, target.reservation)
    if target.traits.copies:
        forget(session, target.computer, target.generation, target.endpoint)


def forget(session: Session, computer: str, generation: int, endpoint: str) -> None:
    """What the computer had there up to this generation needs no copy any more: it is gone, or a whole disk now."""
    here = DiskChild.place.startswith(f"{endpoint}/", autoescape=True)
    older = sa.and_(DiskChild.computer == computer, DiskChild.generation <= generation)
    session.execute(sa.delete(DiskChild).where(older, here))


def of(session: Session, wanted: Wanted) -> list[DiskChild]:
    """The children of a copy, by computer."""
    which = (DiskChild.image == wanted.image, DiskChild.revision == wanted.revision)
    query = sa.select(DiskChild).where(*which, DiskChild.place == wanted.place.name)
    return list(session.scalars(query.order_by(DiskChild.computer, DiskChild.generation)))
