"""Groups of people, of images and of computers: list, show, add, edit, join, leave, remove."""

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.contract import groups as contract
from vclab.contract.groups import Add, DetailedGroup, Edit, Group, Leave, Member, Members
from vclab.contract.retiring import Named
from vclab.contract.use_case import Paged
from vclab.model import access as model
from vclab.model.access import Permission, ResourceKind, ToKind
from vclab.model.errors import Forbidden, Invalid, NotFound, Refused
from vclab.model.typed import known
from vclab.service import checks
from vclab.service.rights import confirm_gives
from vclab.service.use_case import Call, does
from vclab.store import access, catalog, people
from vclab.store.access import GroupFacts

OVERSEE = (Permission.GRANT, Permission.AUDIT)
"""Who has one of these sees all groups and grants."""


@does(contract.listing)
async def listing(call: Call, question: Paged) -> tuple[Group, ...]:
    checks.limit(question.limit)
    mine = None if await oversees(call) else {each.on for each in (await call.rights()).grants}

    def ask(session: Session) -> tuple[Group, ...]:
        names = None if mine is None else mine | access.groups_with(session, ResourceKind.USER, call.actor.login)
        return tuple(map(_group, access.groups(session, names, question.cursor, question.limit)))

    return await call.backend.read(ask)


@does(contract.show)
async def show(call: Call, question: Named) -> DetailedGroup:
    if not await oversees(call) and question.name not in {each.on for each in (await call.rights()).grants}:
        raise NotFound(f"you have no role over a group {question.name}", "`vclab group list` lists yours")
    return await call.backend.read(lambda session: _shown(session, question.name))


@does(contract.add)
async def add(call: Call, question: Add) -> DetailedGroup:
    name, (provider, theirs) = _new_name(call, question), model.followed(question.name)
    title = checks.line(question.title, "the title") if question.title else ""
    made = model.Group(name, question.kind, title)

    def change(session: Session) -> DetailedGroup:
        if (there := access.groups(session, [name])) and not title:
            access.put_group(session, model.Group(name, made.kind, there[0].group.title), "", datetime.now(UTC))
        else:
            access.put_group(session, made, call.actor.login, datetime.now(UTC))
        if provider:
            access.join(session, name, people.followers(session, provider, theirs))
        return _shown(session, name)

    return await call.backend.write(change)


def _new_name(call: Call, question: Add) -> str:
    """That of a group of people may be ``PROVIDER/GROUP``. Raises ``Invalid``."""
    provider, theirs = model.followed(question.name)
    if not provider or question.kind is not model.GroupKind.PEOPLE:
        return checks.name(question.name, "a group")
    known = list(call.backend.settings.sign_in.providers)
    checks.one_of(provider, "identity provider", known or ["none"])
    return f"{provider}/{checks.line(theirs, 'the name of the group at its provider')}"


def _refuse_followed(name: str) -> None:
    """Raises ``Refused``."""
    if provider := model.followed(name)[0]:
        raise Refused(f"{name} follows a group of {provider}", f"who is in it is said at {provider}")


@does(contract.edit)
async def edit(call: Call, question: Edit) -> DetailedGroup:
    title = checks.line(question.title, "the title") if question.title else ""

    def change(session: Session) -> DetailedGroup:
        there = _known(session, question.name).group
        access.put_group(session, model.Group(there.name, there.kind, title), "", datetime.now(UTC))
        return _shown(session, there.name)

    return await call.backend.write(change)


@does(contract.join)
async def join(call: Call, question: Members) -> DetailedGroup:
    joining = _members(question)
    _refuse_followed(question.name)

    def change(session: Session) -> DetailedGroup:
        _known(session, question.name)
        for each in joining:
            _must_be_known(session, each)
        if not call.actor.standing:
            _refuse_own_gain(session, call.actor.login, question.name, joining)
        for grant in _given_by(session, question.name):
            confirm_gives(session, call.actor, grant)
        access.join(session, question.name, joining)
        return _shown(session, question.name)

    return await call.backend.write(change)


@does(contract.leave)
async def leave(call: Call, question: Leave) -> DetailedGroup:
    if question.all and any((question.people, question.images, question.computers, question.endpoints)):
        raise Invalid("either all leave, or those who are named")
    leaving = () if question.all else _members(question)
    _refuse_followed(question.name)

    def change(session: Session) -> DetailedGroup:
        _known(session, question.name)
        access.leave(session, question.name, leaving or access.members(session, question.name))
        return _shown(session, question.name)

    return await call.backend.write(change)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    def change(session: Session) -> None:
        _known(session, question.name)
        if model.followed(question.name)[0]:
            access.leave(session, question.name, access.members(session, question.name))
        access.remove_group(session, question.name)

    await call.backend.write(change)


async def oversees(call: Call) -> bool:
    """Whether the caller may see all groups and grants."""
    return any([await call.may(each) for each in OVERSEE])


def _members(question: Members) -> tuple[model.Member, ...]:
    """Raises ``Invalid`` when nothing is named."""
    named = {
        ResourceKind.USER: question.people,
        ResourceKind.IMAGE: question.images,
        ResourceKind.COMPUTER: question.computers,
        ResourceKind.ENDPOINT: question.endpoints,
    }
    found = tuple(dict.fromkeys(model.Member(kind, name) for kind, names in named.items() for name in names))
    if not found:
        raise Invalid("nothing is named", "use --person, --image, --computer or --endpoint")
    return found


def _must_be_known(session: Session, member: model.Member) -> None:
    """Raises ``NotFound`` with near names. The store locks it then."""
    names = {
        ResourceKind.USER: lambda: [each.login for each in catalog.users(session)],
        ResourceKind.IMAGE: lambda: catalog.names_of_all_images(session),
        ResourceKind.COMPUTER: lambda: [each.name for each in catalog.computers(session)],
        ResourceKind.ENDPOINT: lambda: [each.name for each in catalog.endpoints(session)],
    }[member.kind]()
    known(str(member.kind), member.name, dict.fromkeys(names, ""), f"`vclab {member.kind} list` lists them")


def _refuse_own_gain(session: Session, login: str, group: str, joining: tuple[model.Member, ...]) -> None:
    """Nobody gives themselves more than they have: neither by joining a group, nor by filling one that they rule."""
    if model.Member(ResourceKind.USER, login) in joining:
        raise Forbidden(f"{login} can't put themselves into a group", "another administrator can")
    if any(grant.on == group for grant in access.grants_of(session, login)):
        raise Forbidden(f"{login} has a role over {group} and can't put more into it", "another administrator can")


def _given_by(session: Session, group: str) -> Iterator[model.Grant]:
    """What whoever joins the group is given."""
    for facts in access.grants(session, group):
        if facts.grant.to_kind is ToKind.GROUP and facts.grant.to == group:
            yield facts.grant


def _known(session: Session, name: str) -> GroupFacts:
    groups = {each.group.name: each for each in access.groups(session)}
    return known("group", name, groups, "`vclab group list` lists them")


def _shown(session: Session, name: str) -> DetailedGroup:
    has = tuple(Member(kind=each.kind, name=each.name) for each in access.members(session, name))
    return DetailedGroup(**dict(_group(_known(session, name))), has=has)


def _group(facts: GroupFacts) -> Group:
    group = facts.group
    return Group(name=group.name, kind=group.kind, title=group.title, members=facts.members, grants=facts.grants)
