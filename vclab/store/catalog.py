"""The catalog that an administrator keeps: users, images with their revisions, endpoints and computers."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.errors import NotFound, Refused
from vclab.model.plans import GIVEN
from vclab.model.revisions import Hardware, Origin, RevisionState
from vclab.model.states import ComputerState
from vclab.store import inventories, locks, models, usage

Model = TypeVar("Model")

_MOST_IDENTITIES = 4096


def put_user(session: Session, user: model.User) -> None:
    """Add or change a user. Raises ``Refused`` when another login has that uid."""
    other = session.scalar(sa.select(models.User.login).where(models.User.uid == user.uid))
    if other not in (None, user.login):
        raise Refused(f"the uid {user.uid} of {user.login} belongs to {other}")
    _put(session, models.User(**_columns(user, public_keys=list(user.public_keys))))


def user(session: Session, login: str) -> model.User:
    """A user. Raises ``NotFound``, for one that was removed too."""
    row = session.get(models.User, login)
    if row is None or row.removed_at is not None:
        raise NotFound(f"{login} is not a user of this lab")
    return _user(row)


def users(
    session: Session,
    affiliation: str = "",
    after: str = "",
    limit: int | None = None,
    logins: Collection[str] | None = None,
) -> list[model.User]:
    """All users, by login; or of an affiliation, and the first ``limit`` after one of them. ``logins``: no others."""
    user = models.User
    query = sa.select(user).where(user.removed_at.is_(None), user.login > after).order_by(user.login).limit(limit)
    if affiliation:
        query = query.where(user.affiliation == affiliation)
    if logins is not None:
        query = query.where(user.login.in_(logins))
    return [_user(row) for row in session.scalars(query)]


def users_called(session: Session, logins: Collection[str]) -> dict[str, model.User]:
    """Those of the logins that are users."""
    query = sa.select(models.User).where(models.User.login.in_(logins), models.User.removed_at.is_(None))
    return {row.login: _user(row) for row in session.scalars(query)}


def uids(session: Session) -> set[int]:
    """All uids that are taken, by removed users too: computers and files may still have them."""
    return set(session.scalars(sa.select(models.User.uid)))


def affiliation(session: Session, login: str) -> str:
    """Where a user belongs; empty for somebody unknown."""
    return session.scalar(sa.select(models.User.affiliation).where(models.User.login == login)) or ""


def affiliation_of(session: Session, reservation: str) -> str:
    """Where the user of a reservation belongs; empty for an unknown one."""
    users, made = models.User, models.Reservation
    query = sa.select(users.affiliation).join(made, made.user == users.login).where(made.id == reservation)
    return session.scalar(query) or ""


def put_image(
    session: Session,
    image: model.Image,
    lent: bool = False,
    state: RevisionState = RevisionState.PRODUCTION,
    origin: Origin | None = None,
) -> None:
    """Add an image, or a revision of it, or change one, which is in that state afterwards. ``origin``: of a new one.
    What was in production before is a test revision then.

    ``lent``: its computers are claimed as a whole, so its sizes may be zero. Raises ``Refused`` for other images that
    leave a size at zero.
    """
    revision = models.Revision
    sizes = image.cpus, image.memory_mb, image.disk_gb
    if min(sizes) < 0 or (0 in sizes and not lent):
        raise Refused(f"the image {image.name} needs CPUs, memory and disk greater than zero")
    _put(session, models.Image(name=image.name, title=image.title))
    if state is RevisionState.PRODUCTION:
        leave_production(session, image.name)
    known = session.scalar(
        sa.select(revision.id).where(revision.image == image.name, revision.number == image.revision)
    )
    given = {"image": image.name, "number": image.revision, "state": state, "retired_at": None}
    columns = _columns(image, ports=list(image.ports), hardware=dataclasses.asdict(image.hardware), **given)
    if origin is not None:
        columns |= dataclasses.asdict(origin)
    for name in ("name", "title", "revision"):
        del columns[name]
    session.merge(revision(id=known, **columns))
    session.flush()


def leave_production(session: Session, image: str) -> None:
    """No revision of the image is in production any more."""
    revision = models.Revision
    here = sa.and_(revision.image == image, revision.state == RevisionState.PRODUCTION)
    session.execute(sa.update(revision).where(here).values(state=RevisionState.TEST))


def image(session: Session, name: str) -> model.Image:
    """An image in its production revision. Raises ``NotFound``."""
    row = session.execute(_IN_PRODUCTION, {"of": name}).one_or_none()
    if row is None:
        raise NotFound(f"there is no image {name}")
    return _image(row[0], row[1])


def images(
    session: Session,
    module: str = "",
    after: str = "",
    limit: int | None = None,
    hidden: Collection[str] = (),
) -> list[model.Image]:
    """All images in their production revisions, by name; or of a module, and the first ``limit`` after one of them.
    ``hidden``: without these."""
    query = _production().where(models.Image.name > after).order_by(models.Image.name).limit(limit)
    if module:
        query = query.where(models.Revision.module == module)
    if hidden:
        query = query.where(models.Image.name.not_in(hidden))
    return [_image(row[0], row[1]) for row in session.execute(query)]


def image_names(session: Session) -> list[str]:
    """The names of all images, in order."""
    return list(session.scalars(_production().with_only_columns(models.Image.name).order_by(models.Image.name)))


def names_of_all_images(session: Session) -> list[str]:
    """Also of those that have no revision in production."""
    return list(session.scalars(sa.select(models.Image.name).where(models.Image.removed_at.is_(None))))


def revision(session: Session, name: str, number: int) -> model.Image:
    """An image in one of its revisions. Raises ``NotFound``."""
    row = session.execute(_REVISION, {"of": name, "which": number}).one_or_none()
    if row is None:
        raise NotFound(f"there is no revision {number} of image {name}")
    return _image(row[0], row[1])


def revisions(session: Session, name: str) -> list[tuple[model.Image, RevisionState]]:
    """All revisions of an image, oldest first, each with its state. Raises ``NotFound``."""
    query = _revisions().where(models.Image.name == name, models.Image.removed_at.is_(None))
    query = query.order_by(models.Revision.number)
    found = [(_image(row[0], row[1]), row[1].state) for row in session.execute(query)]
    if not found:
        raise NotFound(f"there is no image {name}")
    return found


def newest_revision(session: Session, name: str) -> int:
    """The highest revision number that an image has had, of a removed one too; 0: none."""
    return session.scalar(sa.select(sa.func.max(models.Revision.number)).where(models.Revision.image == name)) or 0


def put_endpoint(session: Session, endpoint: model.Endpoint) -> None:
    """Add or change an endpoint. Raises ``Refused`` as ``check_site``."""
    check_site(session, endpoint)
    _put(session, models.Endpoint(**_columns(endpoint)))
    inventories.renew(session, endpoint.name)


def check_site(session: Session, endpoint: model.Endpoint) -> None:
    """Raise ``Refused`` if the endpoint would change its site while something uses it.

    A running reservation has recorded the site, and its computer is reclaimed there. The workers of another site can't
    open the passwords of its BMCs.
    """
    known = session.scalar(sa.select(models.Endpoint.site).where(models.Endpoint.name == endpoint.name))
    if known in (None, endpoint.site):
        return
    if users := usage.of_endpoint(session, endpoint.name):
        raise Refused(
            f"{endpoint.name} can't move from the site {known} to {endpoint.site} while it is used by "
            f"{usage.shown(users)}",
            "try again when they have ended and their computers are taken back",
        )
    switched = models.Computer.pool == endpoint.name, models.Computer.removed_at.is_(None)
    query = sa.select(models.Computer.name).where(*switched, models.Computer.power_password_ref != "")
    if name := session.scalar(query.order_by(models.Computer.name).limit(1)):
        text = (
            f"the passwords of BMCs of {endpoint.name} are sealed to the workers of the site {known}: {name}'s and more"
        )
        raise Refused(text, "add the computers to another group, whose site is the new one")


def endpoint(session: Session, name: str) -> model.Endpoint:
    """An endpoint. Raises ``NotFound``, for one that was removed too."""
    row = session.get(models.Endpoint, name)
    if row is None or row.removed_at is not None:
        raise NotFound(f"there is no endpoint {name}")
    return _same(model.Endpoint, row)


def endpoints(session: Session, module: str = "") -> list[model.Endpoint]:
    """All endpoints, by name; only those of a provisioning module if one is given."""
    query = sa.select(models.Endpoint).where(models.Endpoint.removed_at.is_(None)).order_by(models.Endpoint.name)
    if module:
        query = query.where(models.Endpoint.module == module)
    return [_same(model.Endpoint, row) for row in session.scalars(query)]


def endpoints_of(session: Session, image: model.Image, promised: str = "") -> list[model.Endpoint]:
    """The endpoints that an image can be provided at, by name. Of disabled ones only that of the name ``promised``."""
    return [each for each in all_endpoints_of(session, image) if each.disabled_at is None or each.name == promised]


def all_endpoints_of(session: Session, image: model.Image) -> list[model.Endpoint]:
    """The same with the disabled ones."""
    return [each for each in endpoints(session, image.module) if image.endpoint in ("", each.name)]


def put_pool(session: Session, pool: model.IdentityPool) -> None:
    """Add the identities of a pool that are not there yet. Known ones do not change, and none is removed.

    Raises ``Refused`` when a name or MAC is already another computer's.
    """
    known = {row.name: row for row in session.scalars(sa.select(models.Computer))}
    macs = {mac: row.name for row in known.values() for mac in (row.private_mac, row.public_mac) if mac}
    for identity in identities(pool):
        row = known.get(identity.name)
        if row is not None and row.pool == pool.prefix:
            row.removed_at = None
            continue
        if row is not None:
            raise Refused(f"there is already a computer {identity.name}")
        for mac in (identity.private_mac, identity.public_mac):
            if macs.setdefault(mac, identity.name) != identity.name:
                raise Refused(f"the MAC {mac} of {identity.name} belongs to {macs[mac]}")
        session.add(_virtual(identity, pool.prefix))
    session.flush()


def identities(pool: model.IdentityPool) -> Iterator[model.Identity]:
    """The pool's identities: those given, else ``<prefix>01 …``; MACs differ in byte 4 (0 private, 1 public).

    A name does not depend on the count, so a pool can grow.
    """
    if pool.identities:
        yield from pool.identities
        return
    if not 0 < pool.count <= _MOST_IDENTITIES:
        raise Refused(f"an identity pool has between 1 and {_MOST_IDENTITIES} identities, not {pool.count}")
    for number in range(1, pool.count + 1):
        tail = f"{number >> 8:02x}:{number & 0xFF:02x}"
        name = f"{pool.prefix}{number:02}"
        yield model.Identity(name, f"{pool.mac_prefix}:00:{tail}", f"{pool.mac_prefix}:01:{tail}")


def put_lab_computer(
    session: Session,
    name: str,
    notes: str = "",
    endpoint: str = "",
    address: str = "",
    host_key: str = "",
    private_mac: str = "",
    public_mac: str = "",
    module_data: str | None = None,
) -> None:
    """Add a lab machine: a physical computer that is claimed, held and sanitized itself. Or change a known one.

    ``notes``: of a new one. Raises as ``put_lab_computers``.
    """
    entry = model.LabEntry(name, endpoint, address, host_key, private_mac, public_mac, module_data)
    put_lab_computers(session, [entry])
    if notes:
        session.get_one(models.Computer, name).notes = notes
        session.flush()


def put_lab_computers(session: Session, entries: Collection[model.LabEntry]) -> None:
    """Add or change several at once; two of them may exchange their MACs.

    Raises ``Refused`` when a virtual machine's identity has one of the names, or one of the MACs.
    """
    rows = {row.name: row for row in session.scalars(sa.select(models.Computer))}
    for entry in entries:
        row = rows.get(entry.name)
        if row is not None and row.kind is not model.ComputerKind.LAB:
            raise Refused(f"there is already a virtual machine's identity {entry.name}")
    _free_macs(session, rows, entries)
    for entry in entries:
        row = rows.get(entry.name)
        if row is None:
            row = models.Computer(name=entry.name, kind=model.ComputerKind.LAB, state=ComputerState.AVAILABLE, pool="")
            session.add(row)
        _enter(row, entry)
    session.flush()


def _free_macs(session: Session, rows: Mapping[str, models.Computer], entries: Collection[model.LabEntry]) -> None:
    """Take MACs that are wanted from rows that get others now, and from removed lab machines: hardware that goes by
    another name. Raises ``Refused`` when one is anybody else's."""
    given = {entry.name: entry for entry in entries}
    wanted = {mac for entry in entries for mac in entry.macs}
    for row in rows.values():
        entry = given.get(row.name, model.LabEntry(row.name))
        removed = row.kind is model.ComputerKind.LAB and row.removed_at is not None
        if row.private_mac in wanted and (removed or entry.private_mac not in ("", row.private_mac)):
            row.private_mac = None
        if row.public_mac in wanted and (removed or entry.public_mac not in ("", row.public_mac)):
            row.public_mac = None
        for mac in ({row.private_mac, row.public_mac} & wanted) - entry.macs:
            raise Refused(f"the MAC {mac} belongs to {row.name}")
    session.flush()


def _enter(row: models.Computer, entry: model.LabEntry) -> None:
    row.removed_at = None
    row.pool, row.private_address = entry.endpoint or row.pool, entry.address or row.private_address or ""
    if entry.host_key:
        row.host_key, row.host_key_from = entry.host_key, GIVEN
    row.private_mac, row.public_mac = entry.private_mac or row.private_mac, entry.public_mac or row.public_mac
    if entry.module_data is not None:
        row.module_data = entry.module_data


def set_computer(
    session: Session, name: str, state: ComputerState | None = None, notes: str | None = None, why: str = ""
) -> model.Computer:
    """Take a computer that nobody holds out of service, or return it; change its notes. ``why``: it is out of service.

    Raises ``NotFound``, and ``Refused`` while somebody holds it: then its state is the workflow's to say.
    """
    row = locks.computer(session, name)
    if row.removed_at is not None:
        raise NotFound(f"there is no computer {name}")
    before = computer(session, name)
    if state is not None and state is not row.state and before.holder:
        raise Refused(f"{name} is held by {before.holder}", "its state can be changed when that has ended")
    if state is not None:
        row.why_out_of_service = "" if state is ComputerState.AVAILABLE else why or row.why_out_of_service
        row.state, row.failed_generation = state, 0
        row.stay()
        row.forget_load()
    if notes is not None:
        row.notes = notes
    session.flush()
    return computer(session, name)


def computer(session: Session, name: str) -> model.Computer:
    """A computer. Raises ``NotFound``."""
    found = _computers(session, models.Computer.name == name)
    if not found:
        raise NotFound(f"there is no computer {name}")
    return found[0]


def computers(
    session: Session,
    pool: str = "",
    image: str = "",
    state: ComputerState | None = None,
    after: str = "",
    limit: int | None = None,
) -> list[model.Computer]:
    """All computers, by name, with their newest generation and holder; or some, the first ``limit`` after one."""
    computer = models.Computer
    which = [computer.name > after]
    which += [computer.pool == pool] if pool else []
    which += [computer.image == image] if image else []
    which += [computer.state == state] if state else []
    return _computers(session, sa.and_(*which), limit)


def group(session: Session, endpoint: str) -> list[model.Computer]:
    """The lab machines of an endpoint, by name."""
    computer = models.Computer
    return _computers(session, sa.and_(computer.kind == model.ComputerKind.LAB, computer.pool == endpoint))


def _computers(session: Session, which: sa.ColumnElement[bool], limit: int | None = None) -> list[model.Computer]:
    """Indexes answer this alone: a computer has thousands of tenures after some years."""
    computer, tenure, spare, endpoint = models.Computer, models.Tenure, models.Spare, models.Endpoint
    held = orm.aliased(tenure)
    newest = sa.select(sa.func.max(tenure.generation)).where(tenure.computer == computer.name).scalar_subquery()
    query = (
        sa.select(computer, newest, held.holder, spare.until, spare.host, endpoint.module)
        .outerjoin(held, sa.and_(held.computer == computer.name, held.released_at.is_(None)))
        .outerjoin(spare, sa.and_(spare.computer == computer.name, spare.removal == 0))
        .outerjoin(endpoint, sa.and_(endpoint.name == computer.pool, computer.kind == model.ComputerKind.LAB))
        .where(which, computer.removed_at.is_(None))
        .order_by(computer.name)
        .limit(limit)
    )
    return [
        _same(
            model.Computer,
            row,
            private_mac=row.private_mac or "",
            public_mac=row.public_mac or "",
            generation=generation or 0,
            holder=held_by or "",
            spare_until=until,
            host=host or "",
            module=module or "",
        )
        for row, generation, held_by, until, host, module in session.execute(query)
    ]


def _virtual(identity: model.Identity, prefix: str) -> models.Computer:
    return models.Computer(
        name=identity.name,
        kind=model.ComputerKind.VIRTUAL,
        state=ComputerState.AVAILABLE,
        pool=prefix,
        private_mac=identity.private_mac,
        public_mac=identity.public_mac,
    )


def _revisions() -> sa.Select[models.Image, models.Revision]:
    return sa.select(models.Image, models.Revision).join(models.Revision, models.Revision.image == models.Image.name)


def _production() -> sa.Select[models.Image, models.Revision]:
    return _revisions().where(models.Revision.state == RevisionState.PRODUCTION, models.Image.removed_at.is_(None))


_IN_PRODUCTION = _production().where(models.Image.name == sa.bindparam("of"))
_REVISION = _revisions().where(models.Image.name == sa.bindparam("of"), models.Revision.number == sa.bindparam("which"))


_RETIREMENT = ("disabled_at", "disabled_why")  # changed by ``retirement`` only


def _put(session: Session, row: models.User | models.Image | models.Endpoint) -> None:
    """Add the row, or change the one that is there. One that was removed is there again; a disabled one stays so."""
    session.merge(row).removed_at = None
    session.flush()


def _columns(item: Any, **changed: Any) -> dict[str, Any]:
    """A model's fields as columns."""
    names = [field.name for field in dataclasses.fields(item) if field.name not in _RETIREMENT]
    return {name: getattr(item, name) for name in names} | changed


def _same(kind: type[Model], row: models.Base, **changed: Any) -> Model:
    """A model from the row's columns of the same names."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in changed]  # type: ignore[arg-type]
    return kind(**{name: getattr(row, name) for name in names}, **changed)


def _user(row: models.User) -> model.User:
    return _same(model.User, row, public_keys=tuple(row.public_keys))


def _image(row: models.Image, of: models.Revision) -> model.Image:
    own = {name: getattr(row, name) for name in ("name", "title", *_RETIREMENT)}
    hardware = Hardware(**of.hardware)
    return _same(model.Image, of, revision=of.number, ports=tuple(of.ports), hardware=hardware, **own)
