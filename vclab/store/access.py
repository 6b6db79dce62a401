"""Groups and grants, and what a decision needs to know: two queries, whatever number of people and groups there is."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import access as model
from vclab.model.access import Member, Permission, Person, Reach, Resource, ResourceKind, ToKind
from vclab.model.catalog import ComputerKind, Thing
from vclab.model.errors import NotFound, Refused
from vclab.model.reservations import RefusedRequest as RefusedPlace
from vclab.model.reservations import ReservationView
from vclab.store.access_tables import Grant, Group, GroupMember
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import Computer, Endpoint, Image, RefusedRequest, Reservation, User
from vclab.store.table_base import Base


@dataclass(frozen=True)
class GroupFacts:
    """A group, and how much is in it and hangs on it."""

    group: model.Group
    members: int
    grants: int  #: to it, or over it


@dataclass(frozen=True)
class GrantFacts:
    """A grant as it is stored."""

    grant: model.Grant
    made_at: datetime
    made_by: str


# --- groups ---------------------------------------------------------------------------------------------------------


def put_group(session: Session, group: model.Group, by: str, now: datetime) -> None:
    """Add a group, or change its title. Raises ``Refused`` for another kind: its grants mean something else then."""
    row = session.get(Group, group.name, with_for_update=True, populate_existing=True)
    if row is None:
        session.add(Group(name=group.name, kind=group.kind, title=group.title, made_at=utc(now), made_by=by))
    elif row.kind is not group.kind:
        raise Refused(f"{group.name} is a group of {row.kind}, not of {group.kind}", "use another name")
    else:
        row.title = group.title
    session.flush()


def remove_group(session: Session, name: str) -> None:
    """Remove a group that is empty and that no grant names. Raises ``NotFound`` and ``Refused``.

    What leaves a group may be had by everybody then, so that is not done by the way.
    """
    row = _locked(session, name)
    facts = groups(session, [name])[0]
    if facts.members:
        raise Refused(f"{name} has {facts.members} members", f"`vclab group leave {name} --all` empties it")
    if facts.grants:
        raise Refused(f"{facts.grants} grants name {name}", f"`vclab grant list --group {name}` lists them")
    session.delete(row)
    session.flush()


def group(session: Session, name: str) -> model.Group:
    """A group. Raises ``NotFound``."""
    row = session.get(Group, name)
    if row is None:
        raise NotFound(f"there is no group {name}", "`vclab group list` lists them")
    return model.Group(row.name, row.kind, row.title)


def groups(
    session: Session, names: Collection[str] | None = None, after: str = "", limit: int | None = None
) -> list[GroupFacts]:
    """All groups, or those of these names, by name; or the first ``limit`` after one of them."""
    members = sa.select(sa.func.count()).where(GroupMember.group_name == Group.name).scalar_subquery()
    named = sa.or_(Grant.on_group == Group.name, sa.and_(Grant.to_kind == ToKind.GROUP, Grant.to_name == Group.name))
    hang_on = sa.select(sa.func.count()).select_from(Grant).where(named).scalar_subquery()
    query = sa.select(Group, members, hang_on).where(Group.name > after).order_by(Group.name).limit(limit)
    if names is not None:
        query = query.where(Group.name.in_(names))
    return [GroupFacts(model.Group(row.name, row.kind, row.title), *more) for row, *more in session.execute(query)]


def members(session: Session, name: str) -> list[Member]:
    """What is in a group, by kind and name."""
    table = GroupMember
    query = sa.select(table.kind, table.name).where(table.group_name == name).order_by(table.kind, table.name)
    return [Member(*row) for row in session.execute(query)]


def join(session: Session, name: str, joining: Collection[Member]) -> int:
    """Put these into a group; how many were not in it. Raises ``NotFound`` and ``Refused``, and then none is in it."""
    kind = _locked(session, name).kind
    for each in sorted(joining):
        if model.MEMBERS.get(each.kind) is not kind:
            raise Refused(f"{name} is a group of {kind}, and {each} can't be in it")
        _must_be(session, each)
    rows = [{"group_name": name, "kind": each.kind, "name": each.name} for each in sorted(joining)]
    before = _count(session, name)
    if rows:
        session.execute(insert(dialect_of(session), GroupMember.__table__).on_conflict_do_nothing(), rows)  # type: ignore[arg-type]
    return _count(session, name) - before


def leave(session: Session, name: str, leaving: Collection[Member]) -> int:
    """Take these out of a group; how many were in it. Raises ``NotFound``."""
    _locked(session, name)
    before = _count(session, name)
    for each in leaving:
        here = GroupMember.group_name == name, GroupMember.kind == each.kind, GroupMember.name == each.name
        session.execute(sa.delete(GroupMember).where(*here))
    return before - _count(session, name)


def forget(session: Session, thing: Thing, name: str) -> int:
    """Something is removed from the catalog: it leaves all groups, and loses all grants. How many rows went."""
    kind = ResourceKind(thing.value)
    gone = sa.delete(GroupMember).where(GroupMember.kind == kind, GroupMember.name == name)
    rows = len(session.execute(gone.returning(GroupMember.name)).all())
    if thing is Thing.USER:
        theirs = sa.delete(Grant).where(Grant.to_kind == ToKind.PERSON, Grant.to_name == name)
        rows += len(session.execute(theirs.returning(Grant.id)).all())
    return rows


def _locked(session: Session, name: str) -> Group:
    """The group, which nobody removes or fills until the transaction ends. Raises ``NotFound``."""
    row = session.get(Group, name, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no group {name}", "`vclab group list` lists them")
    return row


def _count(session: Session, name: str) -> int:
    query = sa.select(sa.func.count()).select_from(GroupMember).where(GroupMember.group_name == name)
    return session.scalar(query) or 0


_CATALOG: Mapping[ResourceKind, tuple[type[Base], Any]] = {
    ResourceKind.USER: (User, User.login),
    ResourceKind.IMAGE: (Image, Image.name),
    ResourceKind.COMPUTER: (Computer, Computer.name),
    ResourceKind.ENDPOINT: (Endpoint, Endpoint.name),
}


def _must_be(session: Session, member: Member) -> None:
    """Lock what is to be named, so that it is not removed meanwhile. Raises ``NotFound`` and ``Refused``."""
    row: Any = session.get(_CATALOG[member.kind][0], member.name, with_for_update={"read": True, "key_share": True})
    if row is None or row.removed_at is not None:
        raise NotFound(f"there is no {member}", f"`vclab {member.kind} list` lists them")
    if isinstance(row, Computer) and row.kind is ComputerKind.VIRTUAL:
        raise Refused(f"{member.name} is a virtual machine's identity", "virtual machines belong to their endpoint")


# --- grants ---------------------------------------------------------------------------------------------------------


def grant(session: Session, wanted: model.Grant, by: str, now: datetime) -> GrantFacts:
    """Make a grant; the same again changes nothing. Raises ``NotFound`` for what is not there, ``Refused`` for a grant
    that would give nothing."""
    if wanted.to_kind is ToKind.PERSON:
        _must_be(session, Member(ResourceKind.USER, wanted.to))
    if wanted.to_kind is ToKind.GROUP and _locked(session, wanted.to).kind is not model.GroupKind.PEOPLE:
        raise Refused(f"{wanted.to} is not a group of people")
    if wanted.on and (why_not := model.why_not_grant(wanted.role, _locked(session, wanted.on).kind)):
        raise Refused(why_not)
    values = {"role": wanted.role, "to_kind": wanted.to_kind, "to_name": wanted.to, "on_group": wanted.on}
    statement = insert(dialect_of(session), Grant.__table__).on_conflict_do_nothing()  # type: ignore[arg-type]
    session.execute(statement, values | {"made_by": by, "made_at": utc(now)})
    return _facts(session.scalars(sa.select(Grant).filter_by(**values)).one())


def revoke(session: Session, id: int) -> GrantFacts:
    """Take a grant back. Raises ``NotFound``."""
    row = session.get(Grant, id, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no grant {id}", "`vclab grant list` lists them")
    found = _facts(row)
    session.delete(row)
    session.flush()
    return found


def one_grant(session: Session, id: int) -> GrantFacts:
    """A grant. Raises ``NotFound``."""
    row = session.get(Grant, id)
    if row is None:
        raise NotFound(f"there is no grant {id}", "`vclab grant list` lists them")
    return _facts(row)


def grants(
    session: Session, group: str = "", login: str = "", after: int = 0, limit: int | None = None
) -> list[GrantFacts]:
    """All grants, oldest first; those that name ``group``, and those that reach the person ``login``; or the first
    ``limit`` after one of them."""
    query = sa.select(Grant).where(Grant.id > after).order_by(Grant.id).limit(limit)
    if group:
        to_it = sa.and_(Grant.to_kind == ToKind.GROUP, Grant.to_name == group)
        query = query.where(sa.or_(Grant.on_group == group, to_it))
    if login:
        query = query.where(_reach(login))
    return [_facts(row) for row in session.scalars(query)]


def _facts(row: Grant) -> GrantFacts:
    return GrantFacts(_grant(row), row.made_at, row.made_by)


def _grant(row: Grant) -> model.Grant:
    return model.Grant(row.role, row.to_kind, row.to_name, row.on_group, row.id)


def _reach(login: str) -> sa.ColumnElement[bool]:
    """The grants that reach a user."""
    mine = sa.select(GroupMember.group_name).where(GroupMember.kind == ResourceKind.USER, GroupMember.name == login)
    return sa.or_(
        Grant.to_kind == ToKind.EVERYONE,
        sa.and_(Grant.to_kind == ToKind.PERSON, Grant.to_name == login),
        sa.and_(Grant.to_kind == ToKind.GROUP, Grant.to_name.in_(mine)),
    )


# --- what a decision needs to know ----------------------------------------------------------------------------------


def grants_of(session: Session, login: str) -> tuple[model.Grant, ...]:
    """The grants that reach a person now. Who is no user, or disabled, has none."""
    is_user = sa.exists().where(User.login == login, User.removed_at.is_(None), User.disabled_at.is_(None))
    query = sa.select(Grant).where(_reach(login), is_user).order_by(Grant.id)
    return tuple(map(_grant, session.scalars(query)))


def of_reservation(session: Session, view: ReservationView) -> Resource:
    """A reservation, in the groups of its user, its image, its computer and its endpoint."""
    put_in = {
        ResourceKind.USER: view.user,
        ResourceKind.IMAGE: view.image,
        ResourceKind.COMPUTER: view.computer,
        ResourceKind.ENDPOINT: view.endpoint,
    }
    found = _groups_of(session, (Member(kind, name) for kind, name in put_in.items() if name))
    return Resource(ResourceKind.RESERVATION, view.id, view.user, found)


def of_refused(session: Session, request: RefusedPlace) -> Resource:
    """A request that found no place, in the groups of its user and its image."""
    put_in = Member(ResourceKind.USER, request.user), Member(ResourceKind.IMAGE, request.image)
    return Resource(ResourceKind.RESERVATION, request.id, request.user, _groups_of(session, put_in))


def of_thing(session: Session, kind: ResourceKind, name: str) -> Resource:
    """A user, image, computer or endpoint, known or not. A lab machine is also in the groups of its endpoint."""
    put_in = [Member(kind, name)]
    if kind is ResourceKind.COMPUTER:
        query = sa.select(Computer.pool).where(Computer.name == name, Computer.kind == ComputerKind.LAB)
        put_in += [Member(ResourceKind.ENDPOINT, pool) for pool in session.scalars(query)]
    return Resource(kind, name, groups=_groups_of(session, put_in))


def _groups_of(session: Session, put_in: Iterable[Member]) -> dict[str, Member]:
    """Their groups, each with the member that is in it."""
    table = GroupMember
    either = sa.or_(*(sa.and_(table.kind == each.kind, table.name == each.name) for each in put_in))
    rows = session.execute(sa.select(table).where(either).order_by(table.kind.desc(), table.name)).scalars()
    return {row.group_name: Member(row.kind, row.name) for row in rows}


def groups_with(session: Session, kind: ResourceKind, name: str) -> set[str]:
    """The groups that something is a member of."""
    return set(_groups_of(session, [Member(kind, name)]))


def groups_of_all(session: Session, kind: ResourceKind) -> dict[str, set[str]]:
    """All things of a kind that are in groups, each with these."""
    found: dict[str, set[str]] = {}
    for row in session.scalars(sa.select(GroupMember).where(GroupMember.kind == kind)):
        found.setdefault(row.name, set()).add(row.group_name)
    return found


def named_in(session: Session, kind: ResourceKind, groups: Collection[str]) -> frozenset[str]:
    """The people, or things of another kind, that are in at least one of these groups."""
    return frozenset(session.scalars(_names(kind, groups)) if groups else ())


def within(reach: Reach, table: type[Reservation] | type[RefusedRequest]) -> sa.ColumnElement[bool]:
    """The reservations, or refused requests, that somebody's reach covers."""
    if reach.everything:
        return sa.true()
    columns: dict[ResourceKind, Any] = {ResourceKind.USER: table.user, ResourceKind.IMAGE: table.image}
    if table is Reservation:
        columns |= {ResourceKind.COMPUTER: Reservation.computer, ResourceKind.ENDPOINT: Reservation.endpoint}
    covered = [table.user == reach.login]
    if reach.groups:
        covered += [column.in_(_names(kind, reach.groups)) for kind, column in columns.items()]
    return sa.or_(*covered)


def _names(kind: ResourceKind, groups: Collection[str]) -> sa.Select[Any]:
    return sa.select(GroupMember.name).where(GroupMember.kind == kind, GroupMember.group_name.in_(sorted(groups)))


# --- where somebody may be placed -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bars:
    """Which endpoints and lab machines a person may not be placed on: those that are in groups, none of which a grant
    lets them use."""

    login: str = ""
    endpoints: Mapping[str, frozenset[str]] = field(default_factory=dict)  #: the groups of each that is in some
    computers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    usable: frozenset[str] = frozenset()  #: groups of computers that the person may use

    def why_not(self, endpoint: str, computer: str = "") -> str:
        """Why not there; empty when they may."""
        groups = self.endpoints.get(endpoint, frozenset()) | self.computers.get(computer, frozenset())
        if not groups or groups & self.usable:
            return ""
        return f"is for those who may use {' or '.join(sorted(groups))}, and {self.login} may not"


NO_BARS = Bars()
"""Nobody is kept from anything: of what no user waits for."""


def bars(session: Session, login: str, endpoints: Collection[str]) -> Bars:
    """What a person is kept from at these endpoints. Most often nothing is in a group, and one query is enough."""
    table, names = GroupMember, sorted(endpoints)
    there = sa.and_(table.kind == ResourceKind.ENDPOINT, table.name.in_(names))
    machines = sa.select(Computer.name).where(Computer.kind == ComputerKind.LAB, Computer.pool.in_(names))
    on_them = sa.and_(table.kind == ResourceKind.COMPUTER, table.name.in_(machines))
    found: dict[ResourceKind, dict[str, frozenset[str]]] = {ResourceKind.ENDPOINT: {}, ResourceKind.COMPUTER: {}}
    for row in session.scalars(sa.select(table).where(sa.or_(there, on_them))):
        of_kind = found[row.kind]
        of_kind[row.name] = of_kind.get(row.name, frozenset()) | {row.group_name}
    if not any(found.values()):
        return NO_BARS
    reach = model.reach(Person(login), grants_of(session, login), Permission.RESERVE)
    if reach.everything:
        return NO_BARS
    return Bars(login, found[ResourceKind.ENDPOINT], found[ResourceKind.COMPUTER], reach.groups)
