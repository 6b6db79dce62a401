"""What an actor may do at this moment, as the store says. Grants are read at each call: who lost one has it no more."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from vclab.model.access import MEMBERS, Grant, Permission, Person, ResourceKind, Rights, Role
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.errors import Forbidden
from vclab.service.actor import Actor, standing
from vclab.settings import Settings
from vclab.store import access
from vclab.store.feed import Change


def rights_of(session: Session, actor: Actor) -> Rights:
    """The actor's rights. One query."""
    grants = (*actor.standing, *access.grants_of(session, actor.login))
    if not actor.beyond:
        grants = tuple(grant for grant in grants if grant.role is Role.USER)
    return Rights(Person(actor.login, actor.user is not None), grants)


def rights_of_user(session: Session, settings: Settings, login: str, known: bool) -> Rights:
    """The rights that somebody else has when they call. ``known``: they have an entry among the users."""
    given = standing(login, frozenset({Role.OPERATOR} if login in settings.operators else ()))
    return Rights(Person(login, known), (*given, *access.grants_of(session, login)))


def confirm_gives(session: Session, actor: Actor, given: Grant) -> None:
    """An operator connects to other people's computers, which an administrator by a grant may not: so they give that
    role to nobody, for that could be an entry of their own making. Raises ``Forbidden`` unless the actor has the role
    over the same things, or their roles come from outside of the store."""
    if not actor.standing and not rights_of(session, actor).may_pass_on(given):
        why = f"{actor.login} has not the role {given.role} over {given.on or 'everything'}, and can't give it"
        raise Forbidden(why, "somebody who has it can, or whom the setting `operators` names")


@dataclass(frozen=True)
class Sight:
    """Which people an actor is shown: themselves, and those over whom a role lets them see or keep something."""

    login: str
    everybody: bool
    people: frozenset[str]

    def of(self, login: str) -> bool:
        """Whether this one."""
        return self.everybody or login == self.login or login in self.people

    @property
    def logins(self) -> frozenset[str] | None:
        """All of them, whether there are such people or not; None: everybody."""
        return None if self.everybody else self.people | {self.login}


def sight(session: Session, actor: Actor) -> Sight:
    """The actor's, at this moment."""
    reach = rights_of(session, actor).reach(Permission.SEE, Permission.KEEP)
    return Sight(actor.login, reach.everything, access.named_in(session, ResourceKind.USER, reach.groups))


_OFFERED_TO = (Permission.RESERVE, Permission.CAPTURE, Permission.PUBLISH, Permission.KEEP)


def hidden_images(session: Session, actor: Actor) -> frozenset[str]:
    """The images that an actor is not shown: those in groups with none of which they may do something."""
    groups = access.groups_of_all(session, ResourceKind.IMAGE)
    if not groups:
        return frozenset()
    reach = rights_of(session, actor).reach(*_OFFERED_TO)
    return frozenset(name for name, of in groups.items() if not (reach.everything or of & reach.groups))


@dataclass(frozen=True)
class Hearing:
    """Of which things that are somebody's an actor may hear that they have changed: of what they may see."""

    login: str
    reservations: bool  #: of everybody's reservations
    entries: bool  #: of everybody's entries and tokens
    within: Mapping[ResourceKind, frozenset[str]]  #: of the reservations of these people, images, computers, endpoints
    hidden: frozenset[str]  #: not of these images

    def of(self, change: Change) -> bool:
        """Whether of this one. A reservation is seen by its user, its image, its computer and that one's endpoint."""
        if change.owner == self.login:
            return True
        if change.kind != "reservation":
            return self.entries
        put_in = {
            ResourceKind.USER: change.owner,
            ResourceKind.IMAGE: change.image,
            ResourceKind.COMPUTER: change.computer,
            ResourceKind.ENDPOINT: change.endpoint,
        }
        return self.reservations or any(name in self.within[kind] for kind, name in put_in.items())


def hearing(session: Session, actor: Actor) -> Hearing:
    """The actor's, at this moment."""
    rights = rights_of(session, actor)
    sees, keeps = rights.reach(Permission.SEE), rights.reach(Permission.KEEP)
    within = {kind: access.named_in(session, kind, sees.groups) for kind in MEMBERS}
    return Hearing(actor.login, sees.everything, keeps.everything, within, hidden_images(session, actor))


@dataclass(frozen=True)
class Care:
    """Which endpoints and computers an actor keeps or maintains: only they see where and as whom one logs in there."""

    everything: bool
    endpoints: frozenset[str]
    computers: frozenset[str]

    def of_endpoint(self, name: str) -> bool:
        """Whether of this one."""
        return self.everything or name in self.endpoints

    def of_computer(self, computer: Computer) -> bool:
        """Whether of this one; a lab machine is also in the groups of its endpoint."""
        by_endpoint = computer.kind is ComputerKind.LAB and computer.pool in self.endpoints
        return self.everything or by_endpoint or computer.name in self.computers


def care(session: Session, actor: Actor) -> Care:
    """The actor's, at this moment."""
    reach = rights_of(session, actor).reach(Permission.KEEP, Permission.MAINTAIN)
    kinds = ResourceKind.ENDPOINT, ResourceKind.COMPUTER
    endpoints, computers = (access.named_in(session, kind, reach.groups) for kind in kinds)
    return Care(reach.everything, endpoints, computers)
