"""Who may do what: roles, what each permits, and grants, which give people a role over things.

There are three ways to be allowed something, and each decision names the one that it stands on:

- **own**: what people may do with their own reservations (``OWN``);
- a **grant**: a role, to a person, a group of people or everyone, over a group of people, images or computers, or over
  everything. A reservation is in the groups of its user, its image, its computer and that computer's endpoint;
- **open**: whoever is a user may reserve what is in no group.

Grants only add: no grant takes away what another one gives. Nothing is inherited from group to group.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Permission(StrEnum):
    """What can be permitted: one word each."""

    RESERVE = "reserve"  #: reserve an image, or be placed on a computer
    SEE = "see"  #: that there is a reservation, where it stands, and why
    EXTEND = "extend"  #: move its end, or a start that has not come
    REBOOT = "reboot"
    END = "end"  #: end it, or bring its computer back to its image: what its user has there is lost
    CONNECT = "connect"  #: have its computer opened to an address, and read its password
    OPERATE = "operate"  #: beyond the limits; say how a failed load goes on, and read its evidence
    CAPTURE = "capture"  #: reserve an image for imaging, try any revision of it, and capture
    PUBLISH = "publish"  #: say which revision of an image is had; disable it; have it copied and verified
    MAINTAIN = "maintain"  #: computers and hosts: in or out of service, load anew, switch, inspect
    KEEP = "keep"  #: what the lab consists of: users, images, computers, endpoints, repositories
    GRANT = "grant"  #: groups and grants
    AUDIT = "audit"  #: read who did what


class Role(StrEnum):
    """What a grant makes of somebody. Values are what people type."""

    USER = "user"
    TEACHER = "teacher"
    IMAGE_MAKER = "image-maker"
    HELP_DESK = "help-desk"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


_P = Permission
OWN = frozenset({_P.SEE, _P.EXTEND, _P.REBOOT, _P.END, _P.CONNECT})
"""With one's own reservation."""
_CARE = frozenset({_P.SEE, _P.EXTEND, _P.REBOOT, _P.END})

ROLES: Mapping[Role, frozenset[Permission]] = {
    Role.USER: frozenset({_P.RESERVE}),
    Role.TEACHER: _CARE | {_P.RESERVE},
    Role.IMAGE_MAKER: frozenset({_P.RESERVE, _P.CAPTURE, _P.PUBLISH}),
    Role.HELP_DESK: _CARE,
    Role.OPERATOR: frozenset(_P) - {_P.KEEP, _P.GRANT},
    Role.ADMINISTRATOR: frozenset({_P.PUBLISH, _P.MAINTAIN, _P.KEEP, _P.GRANT, _P.AUDIT}),
}
"""What each role permits over that for which it is granted."""


class ResourceKind(StrEnum):
    """What something is done to."""

    LAB = "lab"  #: the lab as a whole, or what is in no group: only a role over everything reaches it
    RESERVATION = "reservation"
    IMAGE = "image"
    COMPUTER = "computer"
    ENDPOINT = "endpoint"
    USER = "user"


_K = ResourceKind
MEANT_FOR: Mapping[Permission, frozenset[ResourceKind]] = {
    _P.RESERVE: frozenset({_K.IMAGE, _K.COMPUTER, _K.ENDPOINT}),
    **dict.fromkeys((_P.SEE, _P.EXTEND, _P.REBOOT, _P.END, _P.CONNECT), frozenset({_K.RESERVATION})),
    _P.OPERATE: frozenset({_K.RESERVATION, _K.LAB}),
    _P.CAPTURE: frozenset({_K.IMAGE}),
    _P.PUBLISH: frozenset({_K.IMAGE}),
    _P.MAINTAIN: frozenset({_K.COMPUTER, _K.LAB}),
    _P.KEEP: frozenset({_K.USER, _K.IMAGE, _K.COMPUTER, _K.ENDPOINT, _K.LAB}),
    _P.GRANT: frozenset({_K.LAB}),
    _P.AUDIT: frozenset({_K.LAB}),
}
"""To what each permission can be applied."""


class GroupKind(StrEnum):
    """What a group holds."""

    PEOPLE = "people"
    IMAGES = "images"
    COMPUTERS = "computers"  #: and endpoints: all computers of these


REACHES: Mapping[GroupKind, frozenset[ResourceKind]] = {
    GroupKind.PEOPLE: frozenset({_K.USER, _K.RESERVATION}),
    GroupKind.IMAGES: frozenset({_K.IMAGE, _K.RESERVATION}),
    GroupKind.COMPUTERS: frozenset({_K.COMPUTER, _K.ENDPOINT, _K.RESERVATION}),
}
"""What is in a group because a member of it is: a reservation by its user, its image, its computer."""

MEMBERS: Mapping[ResourceKind, GroupKind] = {
    _K.USER: GroupKind.PEOPLE,
    _K.IMAGE: GroupKind.IMAGES,
    _K.COMPUTER: GroupKind.COMPUTERS,
    _K.ENDPOINT: GroupKind.COMPUTERS,
}
"""What can be a member, and of which kind of group."""


@dataclass(frozen=True)
class Group:
    """A group. ``name`` is what people type; ``title`` is what they read, in any script."""

    name: str
    kind: GroupKind
    title: str = ""


def followed(group: str) -> tuple[str, str]:
    """The identity provider, and its group, that a group of people follows: in ``uni/staff`` are those of whom ``uni``
    says that they are in ``staff``. Empty: it follows none."""
    provider, slash, theirs = group.partition("/")
    return (provider, theirs) if slash else ("", "")


@dataclass(frozen=True, order=True)
class Member:
    """What is in a group."""

    kind: ResourceKind
    name: str

    def __str__(self) -> str:
        """``user alice``."""
        return f"{self.kind} {self.name}"


class ToKind(StrEnum):
    """Whom a grant is given to."""

    EVERYONE = "everyone"  #: all users
    PERSON = "person"
    GROUP = "group"


@dataclass(frozen=True)
class Grant:
    """A role, to somebody, over something."""

    role: Role
    to_kind: ToKind
    to: str = ""  #: login, or group of people; of everyone: empty
    on: str = ""  #: a group; empty: everything
    id: int = 0  #: 0: it is not in the store
    source: str = ""  #: where it is written, if that is not the store: "the setting `operators`"

    def text(self) -> str:
        """``teacher to the group teachers over class-5b (grant 12)``."""
        whom = {ToKind.EVERYONE: "everyone", ToKind.PERSON: self.to, ToKind.GROUP: f"the group {self.to}"}[self.to_kind]
        where = self.source or (f"grant {self.id}" if self.id else "")
        return f"{self.role} to {whom} over {self.on or 'everything'}{f' ({where})' * bool(where)}"


@dataclass(frozen=True)
class Person:
    """Who wants to do something. ``user``: there is an entry of theirs."""

    login: str
    user: bool = True


@dataclass(frozen=True)
class Resource:
    """What something is to be done to. ``groups``: the members that put it into each of its groups, by group."""

    kind: ResourceKind
    name: str = ""
    owner: str = ""  #: of a reservation: whose it is
    groups: Mapping[str, Member] = field(default_factory=dict)

    def __str__(self) -> str:
        """``reservation 3f…``; "the lab"."""
        return f"{self.kind} {self.name}" if self.kind is not ResourceKind.LAB else "the lab"


LAB = Resource(ResourceKind.LAB)
"""The lab as a whole."""


@dataclass(frozen=True)
class Decision:
    """Whether it is allowed, and everything that it stands on; or else what would be needed."""

    person: Person
    permission: Permission
    resource: Resource
    grants: tuple[Grant, ...] = ()  #: each of them is enough
    own: bool = False
    open: bool = False

    @property
    def allowed(self) -> bool:
        """One reason is enough."""
        return bool(self.grants) or self.own or self.open

    def chain(self) -> tuple[str, ...]:
        """Each reason why it is allowed, in words; empty when it is not."""
        resource = self.resource
        found = [f"{resource} is {self.person.login}'s own"] * self.own
        found += [f"{resource} is in no group, and so every user may reserve it"] * self.open
        return (*found, *(self._by(grant) for grant in self.grants))

    def _by(self, grant: Grant) -> str:
        via = self.resource.groups[grant.on] if grant.on else None
        return f"{grant.text()}{f', which has the {via}' if via else ''}; {grant.role} permits {self.permission}"

    def roles(self) -> frozenset[Role]:
        """The roles that a grant over it would have to give; any one is enough."""
        return frozenset(role for role, permits in ROLES.items() if self.permission in permits)

    def needed(self) -> tuple[str, ...]:
        """Each thing over which such a role would be enough: the groups that it is in, and "everything"."""
        return (*sorted(self.resource.groups), "everything")

    def reason(self) -> str:
        """In one sentence, for whoever is refused or asks."""
        who, what = self.person.login, f"{self.permission} {self.resource}"
        if self.allowed:
            return f"{who} may {what}: {self.chain()[0]}"
        return f"{who} may not {what}: no grant gives the role {_either(sorted(self.roles()))} over {self._over()}"

    def _over(self) -> str:
        return _either(self.needed())


def decide(person: Person, grants: Iterable[Grant], permission: Permission, resource: Resource) -> Decision:
    """Whether the person may. ``grants``: those to them, to a group that they are in, and to everyone."""
    enough = tuple(g for g in grants if permission in ROLES[g.role] and (not g.on or g.on in resource.groups))
    own = (
        resource.kind is ResourceKind.RESERVATION
        and resource.owner == person.login != ""
        and permission in OWN
    )  # fmt: skip
    return Decision(person, permission, resource, enough, own, _is_open(person, permission, resource))


def _is_open(person: Person, permission: Permission, resource: Resource) -> bool:
    """Whoever is a user may reserve what is in no group."""
    reserves = permission is Permission.RESERVE and resource.kind in MEANT_FOR[Permission.RESERVE]
    return reserves and person.user and not resource.groups


@dataclass(frozen=True)
class Reach:
    """Over which things a person has a permission: for lists."""

    login: str
    everything: bool = False
    groups: frozenset[str] = frozenset()

    @property
    def beyond_own(self) -> bool:
        """Also over other people's."""
        return self.everything or bool(self.groups)


ALL = Reach("", everything=True)
"""Everybody's."""


def reach(person: Person, grants: Iterable[Grant], *any_of: Permission) -> Reach:
    """How far the person has one of these permissions, by their grants."""
    over = frozenset(grant.on for grant in grants if ROLES[grant.role].intersection(any_of))
    return Reach(person.login, "" in over, over - {""})


@dataclass(frozen=True)
class Rights:
    """A person, and all grants that reach them at this moment."""

    person: Person
    grants: tuple[Grant, ...] = ()

    def decide(self, permission: Permission, resource: Resource = LAB) -> Decision:
        """Whether they may."""
        return decide(self.person, self.grants, permission, resource)

    def reach(self, *any_of: Permission) -> Reach:
        """How far one of these permissions reaches."""
        return reach(self.person, self.grants, *any_of)

    def covers(self, grant: Grant) -> bool:
        """Whether they may all that it gives, over the same."""
        over = (mine for mine in self.grants if mine.on in ("", grant.on))
        return ROLES[grant.role] <= frozenset[Permission]().union(*(ROLES[mine.role] for mine in over))

    def may_pass_on(self, grant: Grant) -> bool:
        """Whether who grants may give it: an operator's role only who has it over the same, or over everything."""
        return grant.role is not Role.OPERATOR or any(
            mine.role is grant.role and mine.on in ("", grant.on) for mine in self.grants
        )

    def roles_over(self, resource: Resource) -> frozenset[Role]:
        """What they are to a thing."""
        over = (grant.role for grant in self.grants if not grant.on or grant.on in resource.groups)
        return frozenset(over) | ({Role.USER} if self.person.user else set())


def why_not_grant(role: Role, kind: GroupKind) -> str:
    """Why a role over such a group would give nothing; empty when it gives something."""
    if any(MEANT_FOR[each] & REACHES[kind] for each in ROLES[role]):
        return ""
    return f"the role {role} gives nothing over a group of {kind}: it permits to {_either(sorted(ROLES[role]))}"


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
