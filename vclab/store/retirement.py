"""Disabling, enabling and removing what an administrator keeps: users, images and endpoints; removing computers.

- Nothing new uses what is **disabled**; what uses it already goes on. Computers go out of service (``maintenance``).
- What is in use can't be **removed**. A removed row is deleted, or stays, hidden, while the history refers to it; a
  person's stays for good, for login and uid are never given to another one.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import ComputerKind, Thing
from vclab.model.errors import NotFound, Refused
from vclab.model.states import OUT_OF_SERVICE
from vclab.store import access, catalog, copies, host_rests, identities, locks, models, revisions, tokens, usage
from vclab.store.column_types import FOREVER, utc

_KINDS: dict[Thing, type[models.User | models.Image | models.Endpoint]] = {
    Thing.USER: models.User,
    Thing.IMAGE: models.Image,
    Thing.ENDPOINT: models.Endpoint,
}
_USES = {
    Thing.USER: usage.of_user,
    Thing.IMAGE: usage.of_image,
    Thing.ENDPOINT: usage.of_endpoint,
    Thing.COMPUTER: usage.of_computer,
}


def disable(session: Session, thing: Thing, name: str, why: str, now: datetime) -> None:
    """From now on nothing new uses it; a person's tokens end for good. Again: only the reason changes. Raises
    ``NotFound``."""
    row = _row(session, thing, name)
    row.disabled_at, row.disabled_why = row.disabled_at or utc(now), why
    session.flush()
    if thing is Thing.USER:
        tokens.end_all(session, "the person was disabled", now, user=name)


def enable(session: Session, thing: Thing, name: str) -> None:
    """It can be used again; harmless when it can. Raises as ``disable``."""
    row = _row(session, thing, name)
    row.disabled_at, row.disabled_why = None, ""
    session.flush()


def remove(session: Session, thing: Thing, name: str, now: datetime) -> None:
    """Remove it. Raises ``NotFound``, and ``Refused`` while something uses it."""
    row: Any = locks.computer(session, name) if thing is Thing.COMPUTER else _row(session, thing, name)
    if row.removed_at is not None:
        raise NotFound(f"there is no {thing} {name}")
    why_not, hint = _why_not_remove(session, thing, name, now)
    if why_not:
        raise Refused(f"the {thing} {name} can't be removed: {why_not}", hint)
    if thing is Thing.ENDPOINT:
        host_rests.end_all(session, name, "its endpoint was removed", now)
        for table in (models.Orphan, models.Copy):
            session.execute(sa.delete(table).where(table.endpoint == name))
    if thing is Thing.IMAGE:
        revisions.retire_all(session, name, now)
    access.forget(session, thing, name)
    if thing is Thing.USER:
        tokens.end_all(session, "the person was removed", now, user=name)
    if _is_in_history(session, thing, name):
        row.removed_at = utc(now)
        if isinstance(row, models.Computer):
            row.stay()
            row.forget_load()
    else:
        _delete(session, thing, name, row)
    session.flush()
    session.expire_all()


_HINTS = {
    Thing.USER: "end their reservations first, or disable the user",
    Thing.IMAGE: "wait until they have ended, or disable the image",
    Thing.ENDPOINT: "wait until they have ended, or disable the endpoint",
    Thing.COMPUTER: "wait until they have ended, or take the computer out of service",
}


def _why_not_remove(session: Session, thing: Thing, name: str, now: datetime) -> tuple[str, str]:
    """Why it can't be removed, and what to do; the first is empty when it can."""
    users = _USES[thing](session, name)
    if users:
        return f"it is used by {usage.shown(users)}", _HINTS[thing]
    if thing is Thing.ENDPOINT:
        return _belongings(session, name), "remove them first, or disable the endpoint"
    return _why_not_identity(session, name, now) if thing is Thing.COMPUTER else "", _HINTS[thing]


def _belongings(session: Session, name: str) -> str:
    """Its lab machines and its own images go first: without it they would be good for nothing."""
    machines = [computer.name for computer in catalog.group(session, name)]
    if machines:
        return f"the lab machines {usage.shown(machines)} belong to it"
    images = [image.name for image in catalog.images(session) if image.endpoint == name]
    return f"the images {usage.shown(images)} are only there" if images else ""


def _why_not_identity(session: Session, name: str, now: datetime) -> str:
    """An identity has been promised to nobody in particular, but there must be enough."""
    computer = catalog.computer(session, name)
    if computer.kind is not ComputerKind.VIRTUAL or computer.state in OUT_OF_SERVICE:
        return ""
    identities.lock(session)
    short = identities.shortage(session, now, FOREVER)
    return f"all identities are promised at {short:%Y-%m-%d %H:%M} UTC" if short else ""


def _is_in_history(session: Session, thing: Thing, name: str) -> bool:
    """Whether a row that is kept for good refers to it, or a copy that is still to be deleted. Of people: always."""
    if thing is Thing.USER:
        return True
    if thing is Thing.IMAGE and copies.any_ours(session, name):
        return True
    return any(session.scalar(sa.select(sa.exists().where(one == name))) for one in _HISTORY[thing])


_HISTORY: dict[Thing, tuple[Any, ...]] = {
    Thing.IMAGE: (models.Reservation.image, models.Tenure.image, models.LoadStep.image),
    Thing.ENDPOINT: (models.Reservation.endpoint, models.LoadFailure.endpoint, models.HostRest.endpoint),
    Thing.COMPUTER: (models.Reservation.computer, models.Tenure.computer, models.Claim.computer),
}


def _delete(session: Session, thing: Thing, name: str, row: models.Base) -> None:
    if thing is Thing.IMAGE:
        for table in (models.Copy, models.Revision):
            session.execute(sa.delete(table).where(table.image == name))
    session.delete(row)


def _row(session: Session, thing: Thing, name: str) -> Any:
    row: Any = session.get(_KINDS[thing], name, with_for_update={"key_share": True}, populate_existing=True)
    if row is None or row.removed_at is not None:
        raise NotFound(f"there is no {thing} {name}")
    return row
