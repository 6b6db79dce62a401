"""Failed loads, and what they count against: a host, a revision of an image, or a lab machine.

- A host **rests** after failed loads of ``Health.images`` different images in a row, without a good load or a
  successful check in between. While it rests nothing is placed on it.
- A revision is **suspect** when it failed in the guest on two hosts since its last good load. From then on its
  failures in the guest count against no host and no lab machine.
- A **lab machine** whose load failed goes out of service when it is given back, unless the revision is suspect.

A failure in the guest counts against the host too until the revision is suspect: on a host with a broken network all
images fail in the guest. Each row says what it still counts against. The rows are kept for a time.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.health import Failure, Suspect
from vclab.model.plans import Target
from vclab.model.rules import Health
from vclab.model.states import OUT_OF_SERVICE, ComputerState
from vclab.store import claims, host_rests
from vclab.store.column_types import utc
from vclab.store.models import Computer, LoadFailure, Revision


def note(
    session: Session,
    target: Target,
    step: str,
    cause: str,
    in_guest: bool,
    now: datetime,
    health: Health | None = None,
    blames_nobody: bool = False,
) -> None:
    """Record that a load's ``step`` failed for good on the target's host. The same moment again changes nothing.

    ``in_guest``, ``blames_nobody``: see ``Step``. After it a host may rest and a revision may be suspect.
    """
    now, health = utc(now), health or Health()
    _alone(session, target)
    known = sa.select(LoadFailure.id).where(
        LoadFailure.reservation == target.reservation,
        LoadFailure.computer == target.computer,
        LoadFailure.generation == target.generation,
        LoadFailure.step == step,
        LoadFailure.at == now,
    )
    if session.scalar(known) is not None:
        return
    names = ("reservation", "computer", "generation", "endpoint", "host", "image", "revision")
    session.add(
        LoadFailure(
            **{name: getattr(target, name) for name in names},
            step=step,
            cause=cause,
            in_guest=in_guest,
            at=now,
            against_host=not blames_nobody,
            against_revision=in_guest,
        )
    )
    session.flush()
    if in_guest and suspect(session, target.image, target.revision) is not None:
        _acquit(session, target.image, target.revision, health, now)
    if not target.traits.lent:
        _consider(session, target.endpoint, target.host, health, now)


def excuse(session: Session, target: Target, health: Health, now: datetime) -> None:
    """The endpoint itself does not answer, so the load that failed there counts against nothing."""
    of_tenure = LoadFailure.computer == target.computer, LoadFailure.generation == target.generation
    here = LoadFailure.endpoint == target.endpoint, LoadFailure.host == target.host
    of_load = sa.update(LoadFailure).where(*here, *of_tenure, LoadFailure.reservation == target.reservation)
    session.execute(of_load.values(against_host=False, against_revision=False))
    _reconsider(session, target.endpoint, target.host, "its endpoint does not answer", health, now)


def loaded_well(session: Session, endpoint: str, host: str, image: str, revision: int, now: datetime) -> None:
    """A load of this revision succeeded on this host: no earlier failure counts against either."""
    of_host, of_revision = _of_host(endpoint, host), _of_revision(image, revision)
    something = sa.or_(
        sa.exists().where(*of_host), sa.exists().where(*of_revision), host_rests.unproven(endpoint, host)
    )
    if not session.scalar(sa.select(something)):
        return  # as nearly always, after one query
    session.execute(sa.update(LoadFailure).where(*of_host).values(against_host=False))
    session.execute(sa.update(LoadFailure).where(*of_revision).values(against_revision=False))
    host_rests.proven(session, endpoint, host, now)


def suspects(session: Session, image: str = "") -> list[Suspect]:
    """All revisions that are suspect, by image and number; only those of an image if one is given."""
    query = sa.select(LoadFailure).where(LoadFailure.against_revision).order_by(LoadFailure.at, LoadFailure.id)
    if image:
        query = query.where(LoadFailure.image == image)
    of: dict[tuple[str, int], list[LoadFailure]] = {}
    for row in session.scalars(query):
        of.setdefault((row.image, row.revision), []).append(row)
    return [
        Suspect(*revision, at, tuple(map(_failure, rows)))
        for revision, rows in sorted(of.items())
        if (at := _turned(rows)) is not None
    ]


def suspect(session: Session, image: str, revision: int) -> Suspect | None:
    """Why the revision is suspect; None when it is not."""
    return next((each for each in suspects(session, image) if each.revision == revision), None)


def trust(session: Session, image: str, revision: int) -> bool:
    """Clear the suspect flag of a revision; False when it was not suspect."""
    was = suspect(session, image, revision) is not None
    session.execute(sa.update(LoadFailure).where(*_of_revision(image, revision)).values(against_revision=False))
    return was


def why_bad(session: Session, target: Target) -> str:
    """Why the target's failed load counts against its place; empty when it does not."""
    return _why_bad(session, target.computer, target.generation)


def _why_bad(session: Session, computer: str, generation: int) -> str:
    newest = (
        sa.select(LoadFailure)
        .where(LoadFailure.computer == computer, LoadFailure.generation == generation, LoadFailure.against_host)
        .order_by(LoadFailure.id.desc())
        .limit(1)
    )
    failed = session.scalar(newest)
    return f"its load failed at {failed.step}: {failed.cause}" if failed is not None else ""


def acquitted(session: Session, computer: str, generation: int) -> bool:
    """Whether the load of that tenure failed, and the revision is to blame."""
    of_tenure = LoadFailure.computer == computer, LoadFailure.generation == generation
    newest = sa.select(LoadFailure).where(*of_tenure).order_by(LoadFailure.id.desc()).limit(1)
    failed = session.scalar(newest)
    return failed is not None and failed.in_guest and not failed.against_host


def of_reservation(session: Session, reservation: str) -> list[Failure]:
    """The failed loads of a reservation, oldest first."""
    query = sa.select(LoadFailure).where(LoadFailure.reservation == reservation).order_by(LoadFailure.id)
    return [_failure(row) for row in session.scalars(query)]


def wake(session: Session, endpoint: str, host: str, by: str, now: datetime) -> bool:
    """Return a resting host to service; earlier failures no longer count against it. False when it did not rest."""
    session.execute(sa.update(LoadFailure).where(*_of_host(endpoint, host)).values(against_host=False))
    return host_rests.end(session, endpoint, host, by, now)


def _of_host(endpoint: str, host: str) -> tuple[sa.ColumnElement[bool], ...]:
    return LoadFailure.against_host.is_(True), LoadFailure.endpoint == endpoint, LoadFailure.host == host


def _of_revision(image: str, revision: int) -> tuple[sa.ColumnElement[bool], ...]:
    return LoadFailure.against_revision.is_(True), LoadFailure.image == image, LoadFailure.revision == revision


def _turned(rows: Iterable[LoadFailure]) -> datetime | None:
    """When it failed in a second place."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        seen.add((row.endpoint, row.host))
        if len(seen) >= 2:
            return row.at
    return None


def _acquit(session: Session, image: str, revision: int, health: Health, now: datetime) -> None:
    """The revision is suspect: its failures count against no host and no lab machine, and these return to service."""
    rows = session.scalars(
        sa.select(LoadFailure).where(
            LoadFailure.in_guest,
            LoadFailure.against_host,
            LoadFailure.image == image,
            LoadFailure.revision == revision,
        )
    ).all()
    for row in rows:
        row.against_host = False
    session.flush()
    for computer, generation in sorted({(row.computer, row.generation) for row in rows}):
        _return_to_service(session, computer, generation)
    for endpoint, host in sorted({(row.endpoint, row.host) for row in rows}):
        _reconsider(session, endpoint, host, f"revision {revision} of {image} is to blame", health, now)
    session.flush()


def _return_to_service(session: Session, name: str, generation: int) -> None:
    """If the load under that tenure took the computer out of service, and no other failure counts against it."""
    failed = Computer.failed_generation == generation, Computer.state.in_(OUT_OF_SERVICE)
    computer = session.scalar(sa.select(Computer).where(Computer.name == name, *failed))
    if computer is not None and not _why_bad(session, name, generation):
        computer.state, computer.failed_generation, computer.why_out_of_service = ComputerState.AVAILABLE, 0, ""


def _alone(session: Session, target: Target) -> None:
    """Lock the revision and the host: two failures recorded at the same time must count each other."""
    revision = sa.select(Revision.id).where(Revision.image == target.image, Revision.number == target.revision)
    session.execute(revision.with_for_update(key_share=True))
    claims.lock_pools(session, [claims.host_pool(target.endpoint, target.host)])


def _reconsider(session: Session, endpoint: str, host: str, why: str, health: Health, now: datetime) -> None:
    """Return a host to service if what still counts against it is no longer enough."""
    if host_rests.by_failures(session, endpoint, host) and _images(_against(session, endpoint, host)) < health.images:
        host_rests.end(session, endpoint, host, why, now)


def _consider(session: Session, endpoint: str, host: str, health: Health, now: datetime) -> None:
    """Let the host rest if enough different images failed on it in a row."""
    rows = _against(session, endpoint, host)
    if _images(rows) < health.images:
        return
    last = rows[-1]
    why = (
        f"{len(rows)} loads of {_images(rows)} different images failed on it in a row, "
        f"last {last.image} of {last.reservation} at {last.step}: {last.cause}"
    )
    host_rests.begin(session, endpoint, host, why, health, now)


def _against(session: Session, endpoint: str, host: str) -> Sequence[LoadFailure]:
    return session.scalars(sa.select(LoadFailure).where(*_of_host(endpoint, host)).order_by(LoadFailure.id)).all()


def _images(rows: Iterable[LoadFailure]) -> int:
    return len({row.image for row in rows})


def _failure(row: LoadFailure) -> Failure:
    return Failure(**{field.name: getattr(row, field.name) for field in dataclasses.fields(Failure)})
