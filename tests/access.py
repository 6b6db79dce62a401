"""docs/access.md: what each role permits, and what each use case, with its route, lets whom do, as the walk has found.

.venv/bin/python -m tests.access
"""

import asyncio
import inspect
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from tests.store.lab import RULES, image, inventory, seed
from vclab.contract import USE_CASES
from vclab.contract.use_case import Question, UseCase
from vclab.model.access import (
    MEMBERS,
    OWN,
    ROLES,
    Grant,
    Group,
    GroupKind,
    Member,
    Permission,
    ResourceKind,
    Role,
    ToKind,
    why_not_grant,
)
from vclab.model.catalog import Endpoint, User
from vclab.model.errors import Forbidden, NotFound
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.service.actor import Actor, Authentication
from vclab.service.backend import Backend
from vclab.service.use_case import permitted
from vclab.settings import Settings
from vclab.store import access, catalog, placement

PAGE = Path(__file__).parents[1] / "docs/access.md"
COMMAND = ".venv/bin/python -m tests.access"
NOW = datetime.now(UTC)

AnyUseCase = UseCase[Any, Any]


class Whose(StrEnum):
    """What a question names, as its caller sees it."""

    OWN = "own"  #: their own reservation; their own entry
    GRANTED = "granted"  #: in a group over which callers with a role have it
    OTHERS = "other's"  #: in another group, or another person's
    OPEN = "open"  #: in no group, and nobody's
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Caller:
    """Somebody. ``over``: that is granted to them: a group of each kind, everything, or nothing."""

    login: str
    role: Role | None = None
    over: Whose | None = None
    user: bool = True

    def actor(self) -> Actor:
        """As a face makes it."""
        roles = frozenset({Role.USER}) if self.user else frozenset[Role]()
        return Actor(self.login, roles, Authentication.ACCOUNT, self.login, User(self.login, 0) if self.user else None)


NOBODY, USER = Caller("mallory", user=False), Caller("alice")
OVER_GROUPS = {role: Caller(f"{role}-1", role, Whose.GRANTED) for role in Role}
OVER_ALL = {role: Caller(f"{role}-2", role, Whose.OPEN) for role in Role}
CALLERS = (NOBODY, USER, *OVER_GROUPS.values(), *OVER_ALL.values())

_GRANTED = {GroupKind.PEOPLE: "class-5b", GroupKind.IMAGES: "licensed", GroupKind.COMPUTERS: "room-12"}
_OTHERS = {GroupKind.PEOPLE: "class-6a", GroupKind.IMAGES: "secret", GroupKind.COMPUTERS: "room-13"}
_NAMES = {
    (ResourceKind.USER, Whose.GRANTED): "bob",
    (ResourceKind.USER, Whose.OTHERS): "carol",
    (ResourceKind.USER, Whose.OPEN): "olga",
    (ResourceKind.IMAGE, Whose.GRANTED): "biology",
    (ResourceKind.IMAGE, Whose.OTHERS): "exam",
    (ResourceKind.IMAGE, Whose.OPEN): "debian-12",
    (ResourceKind.COMPUTER, Whose.GRANTED): "pc01",
    (ResourceKind.COMPUTER, Whose.OTHERS): "pc02",
    (ResourceKind.COMPUTER, Whose.OPEN): "pc03",
    (ResourceKind.ENDPOINT, Whose.GRANTED): "east",
    (ResourceKind.ENDPOINT, Whose.OTHERS): "west",
    (ResourceKind.ENDPOINT, Whose.OPEN): "lab-vcenter",
}


@dataclass
class School:
    """A lab with groups of each kind, and for each role somebody who has it over groups, and over everything."""

    backend: Backend
    reservations: dict[str, str] = field(default_factory=dict)  #: by whose they are

    def fill(self) -> None:
        """Lay it down."""
        self.backend.store.migrate()
        self.backend.store.run(self._fill)
        for login in ("bob", "carol", *(caller.login for caller in CALLERS if caller.user)):
            request = ReserveRequest(new_id(), login, "debian-12", 3600)
            placed = self.backend.store.run(lambda session, asked=request: _placed(session, asked))  # type: ignore[misc]
            assert isinstance(placed, Placed), placed
            self.reservations[login] = request.id

    def _fill(self, session: Session) -> None:
        _fill_catalog(session)
        for whose, groups in ((Whose.GRANTED, _GRANTED), (Whose.OTHERS, _OTHERS)):
            for kind, name in groups.items():
                access.put_group(session, Group(name, kind), "root", NOW)
            members = (Member(kind, name) for (kind, of), name in _NAMES.items() if of is whose)
            for member in members:
                access.join(session, groups[MEMBERS[member.kind]], [member])
        for caller in CALLERS:
            for grant in _grants(caller):
                access.grant(session, grant, "root", NOW)

    def named(self, use_case: AnyUseCase, caller: Caller, whose: Whose) -> str | None:
        """The name of such a thing; None: there is none of that sort."""
        kind = use_case.rule.over
        if whose is Whose.UNKNOWN:
            return new_id() if kind is ResourceKind.RESERVATION else "nowhere"
        if kind is ResourceKind.RESERVATION:
            login = {Whose.OWN: caller.login, Whose.GRANTED: "bob", Whose.OTHERS: "carol"}.get(whose, "")
            return self.reservations.get(login)
        if whose is Whose.OWN:
            return caller.login
        return _NAMES.get((kind, whose))

    async def lets(self, use_case: AnyUseCase, caller: Caller, name: str) -> bool:
        """Whether the rule lets it through, with a question that names the thing; nothing else of it counts yet."""
        try:
            await permitted(use_case, self.backend, caller.actor(), question_of(use_case, name))
        except (Forbidden, NotFound):
            return False
        return True


def _fill_catalog(session: Session) -> None:
    seed(session, identities=64)
    for name in ("biology", "exam"):
        catalog.put_image(session, image(name, 1024))
    for number, endpoint in enumerate(("east", "west", "annex"), 1):
        catalog.put_endpoint(session, Endpoint(endpoint, "standalone", "", "", "", ""))
        catalog.put_lab_computer(session, f"pc0{number}", "", endpoint, f"10.0.0.{number}", f"key{number}")
    for uid, caller in enumerate(CALLERS, 3000):
        if caller.user and caller is not USER:
            catalog.put_user(session, User(caller.login, uid))


def _placed(session: Session, asked: ReserveRequest) -> Placed | Refusal:
    return placement.place(session, asked, Author(asked.user), [inventory(64, taken_at=NOW)], RULES, NOW)


def _grants(caller: Caller) -> Iterator[Grant]:
    """Over groups only where that gives something."""
    if caller.role is None:
        return
    for kind, name in _GRANTED.items():
        if caller.over is Whose.GRANTED and not why_not_grant(caller.role, kind):
            yield Grant(caller.role, ToKind.PERSON, caller.login, name)
    if caller.over is Whose.OPEN:
        yield Grant(caller.role, ToKind.PERSON, caller.login)


def school(folder: Path, more: dict[str, Any] | None = None) -> School:
    """It, on a database of its own. ``more``: settings."""
    given = {"database": f"sqlite:///{folder}/school.db", "secrets_dir": str(folder), "operators": ()}
    made = School(Backend(Settings.model_validate(given | (more or {}))))
    made.fill()
    return made


def question_of(use_case: AnyUseCase, name: str) -> Question:
    """One that names this thing, if it names any."""
    field = use_case.rule.field
    several = use_case.question.model_fields[field].annotation is not str if field else False
    made: Question = use_case.question.model_construct(**({field: (name,) if several else name} if field else {}))
    return made


# --- the walk -------------------------------------------------------------------------------------------------------


def sorts(use_case: AnyUseCase) -> tuple[Whose, ...]:
    """What a question of it can name."""
    if use_case.rule.permission is None or use_case.rule.over is ResourceKind.LAB:
        return (Whose.UNKNOWN,)  # nothing is named
    if use_case.rule.over is ResourceKind.RESERVATION:
        return (Whose.OWN, Whose.GRANTED, Whose.OTHERS, Whose.UNKNOWN)
    if use_case.rule.oneself:
        return tuple(Whose)
    return (Whose.GRANTED, Whose.OTHERS, Whose.OPEN, Whose.UNKNOWN)


async def walk(school: School, use_case: AnyUseCase, caller: Caller) -> frozenset[Whose]:
    """With which sorts of things they may call it."""
    found = set()
    for whose in sorts(use_case):
        name = school.named(use_case, caller, whose)
        if name is not None and await school.lets(use_case, caller, name):
            found.add(whose)
    return frozenset(found)


def promised(use_case: AnyUseCase, caller: Caller) -> frozenset[Whose]:
    """The same, by the table of roles."""
    rule, everything = use_case.rule, frozenset(sorts(use_case))
    if rule.users and not caller.user:
        return frozenset()
    if rule.permission is None:
        return everything
    if rule.of_image and not (caller.role and caller.over is Whose.OPEN and rule.of_image in ROLES[caller.role]):
        return frozenset()  # the image of all reservations here is in no group
    found = {Whose.OWN} & everything if rule.oneself or (caller.user and rule.permission in OWN) else set()
    has = caller.role is not None and rule.permission in ROLES[caller.role]
    if has and caller.over is Whose.OPEN:
        found |= everything - ({Whose.UNKNOWN} if use_case.about_reservation else set())
        found |= {Whose.OWN} & everything
    elif has and rule.over is not ResourceKind.LAB:
        found |= {Whose.GRANTED} & everything
    if rule.permission is Permission.RESERVE and caller.user:
        found |= {Whose.OPEN, Whose.UNKNOWN}
    return frozenset(found)


# --- the page -------------------------------------------------------------------------------------------------------

INTRODUCTION = f"""\
# Who may do what

Made from `vclab/model/access.py`, from the contract's use cases and from a walk over them with real grants: change
these, then run `{COMMAND}`. A test compares.

## How it is decided

Each call is decided by one function, from what the store says at that moment. There are three ways to be allowed
something, and `vclab access explain USER ACTION THING` names each that counts, or what is missing (of an act that needs
two permissions, as `acts.capture` does, the one that is missing, else the second):

1. **Own.** With their own reservations people may {", ".join(sorted(OWN))}.
2. **A grant** gives a *role* to a person, a group of people or everyone, over a *group* or over everything. A group
   holds people, images or computers; an endpoint in a group of computers stands for all its computers. A reservation is
   in the groups of its user, its image, its computer and that computer's endpoint.
3. **Open.** Every user may reserve images and computers that are **in no group**. That is the default of a new
   installation: there are no groups, so every user may reserve every image, on every computer, and nobody has a role.

Grants only add. No grant takes away what another gives, groups are not nested, and a role over a group reaches nothing
outside of it. An image or a computer that joins its first group is at once only for those whom a grant lets use one of
its groups. What was promised or is running stays: a grant that is taken back ends no reservation, but its former holder
can't do anything more to it. A group of people may follow one of an identity provider ([sign-in.md](sign-in.md)).

A user sees only what their roles allow. Other people, and their reservations, read as not found, unless a role lets the
user see or keep them: a teacher sees the class; help desk, operators and administrators see everybody. The events of an
image, an endpoint or a computer show "another person" for those people. Images in groups read as not found to users who
may do nothing with them. `vclab status` tells everybody whether the lab works; only those who maintain the lab see
where its parts are and what is wrong. Who is disabled is not let in, whatever their roles; who is removed loses their
grants for good.

**The first roles** come from outside the store. Whoever the setting `operators` names is operator and administrator
over everything; whoever can write where the secrets are (root) is administrator. No grant adds to these or takes them
away, so nobody locks themselves out. Name one or two people there, and grant the rest. Nobody else gives a role to
themselves: neither by a grant, nor by joining a group, nor by filling a group over which they have a role, nor by
becoming somebody: to set a password or link an account takes who may all that the person's roles give, over the same
things, or could give them to anybody (the role `user` aside). The role operator, with which one connects to other
people's computers, is given only by whoever has it over the same things, or has their roles from outside the store: by
a grant, and by a group to which it is granted. Every other role an administrator can give to anybody, so also to an
entry that they have made themselves: what they do with grants is in `vclab audit`, as each act is.

## A school

```
vclab group add class-5b --of people --title "Class 5b, biology"
vclab group join class-5b --person alice --person bob
vclab grant add teacher --person dora --on class-5b      # sees, extends, restarts, ends what they have reserved
vclab group add licensed --of images
vclab group join licensed --image matlab                 # from now on only for those who may use it:
vclab grant add user --group class-5b --on licensed
vclab group add room-12 --of computers
vclab group join room-12 --endpoint room-12              # all of its computers
vclab grant add user --everyone --on room-12
vclab grant add help-desk --group help-desk --everything
vclab grant add image-maker --person dora --on licensed  # captures and publishes these images only
vclab access explain dora end 3f9kq2
```

## What each role permits

Over what it is granted for. "Own" is what everybody may with their own reservations.
"""


def page(walked: dict[str, dict[Caller, frozenset[Whose]]]) -> str:
    """The page as it should be."""
    return "\n".join((INTRODUCTION, *_roles(), "", *_matrix(walked), ""))


def _roles() -> Iterator[str]:
    meanings = dict(re.findall(r'(\w+) = "[\w-]+"(?:  #: (.*))?', inspect.getsource(Permission)))
    yield from _table("permission", "means", "own", *Role)
    for each in Permission:
        marks = ["✓" * (each in OWN), *("✓" * (each in ROLES[role]) for role in Role)]
        yield _row(f"`{each}`", meanings.get(each.name) or "restart its computer", *marks)


MATRIX = """\
## Use cases and routes

Each use case with each role, as the walk has found. *own*: with what is one's own; *granted*: with what is in a group
over which the role is granted; *open*: with what is in no group; **all**: with everything, if the role is granted over
everything; empty: never. "Anybody" is whoever is known to the lab, with or without an entry among the users. What
lists show is cut to what the caller may see. The image of the reservations here is in no group: a role over it is one
over everything.

What depends on the rest of a question is not here: `acts.reserve` for imaging, or of a revision that is not in
production, also needs `capture` over the image; `library.import_image` from, and `library.export_image` to, a path on
the server `keep` over the lab; and who sets another's password needs what the roles of that person give.
"""


def _matrix(walked: dict[str, dict[Caller, frozenset[Whose]]]) -> Iterator[str]:
    yield MATRIX
    yield from _table("use case", "route", "needs", "anybody", *Role)
    for name in sorted(walked):
        use_case, found = USE_CASES[name], walked[name]
        rule, route = use_case.rule, use_case.route
        needs = f"{rule.permission} {rule.over}" if rule.permission else "an entry" if rule.users else ""
        needs += f", {rule.of_image} its image" if rule.of_image else " (but oneself)" if rule.oneself else ""
        cells = (_cell(use_case, found, role) for role in Role)
        yield _row(f"`{name}`", f"`{route.method} {route.path}`", needs, _words(use_case, found[NOBODY]), *cells)


def _cell(use_case: AnyUseCase, found: dict[Caller, frozenset[Whose]], role: Role) -> str:
    over_groups, over_all = found[OVER_GROUPS[role]], found[OVER_ALL[role]]
    everything = set(sorts(use_case)) - ({Whose.UNKNOWN} if use_case.about_reservation else set())
    if over_groups == over_all:
        return _words(use_case, over_all)
    words = _words(use_case, over_groups)
    if over_all >= everything:
        return f"{words}, **all**" * bool(words) or "**all**"
    return f"{_words(use_case, over_all)}, if over everything"


def _words(use_case: AnyUseCase, found: frozenset[Whose]) -> str:
    if found >= set(sorts(use_case)):
        return "✓"
    return ", ".join(each for each in Whose if each in found and each is not Whose.UNKNOWN)


def _table(*heads: str) -> Iterator[str]:
    yield _row(*heads)
    yield _row(*("---" for _ in heads))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


async def everything(school: School) -> dict[str, dict[Caller, frozenset[Whose]]]:
    """The whole walk."""
    return {name: {caller: await walk(school, each, caller) for caller in CALLERS} for name, each in USE_CASES.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(asyncio.run(everything(school(Path(folder))))), encoding="utf-8")
