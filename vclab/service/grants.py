"""Grants: list, add, remove."""

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.contract import grants as contract
from vclab.contract.grants import Add, Grant, Numbered, Which
from vclab.model import access as model
from vclab.model.access import ResourceKind, ToKind
from vclab.model.errors import Forbidden, Invalid, NotFound
from vclab.model.typed import known, quoted
from vclab.service import checks
from vclab.service.actor import Actor
from vclab.service.groups import oversees
from vclab.service.rights import confirm_gives
from vclab.service.use_case import Call, does
from vclab.store import access, catalog
from vclab.store.access import GrantFacts

_NUMBER = re.compile(r"-?[0-9]{1,18}")


@does(contract.listing)
async def listing(call: Call, question: Which) -> tuple[Grant, ...]:
    checks.limit(question.limit)
    login, after = call.actor.login, _after(question.cursor)
    if question.user not in ("", login) and not await oversees(call):
        raise Forbidden(f"{login} may see their own grants only", "who grants or audits sees all")
    whose = question.user if await oversees(call) else login
    found = await call.backend.read(lambda s: access.grants(s, question.group, whose, max(after, 0), question.limit))
    standing = _standing(call.actor) if whose == login and not question.group and after < 0 else ()
    return (*(each for each in standing if each.id > after), *map(_grant, found))[: question.limit]


def _after(cursor: str) -> int:
    """The id of the grant after which it goes on; the smallest one: at the beginning. Raises ``NotFound``."""
    if cursor and not _NUMBER.fullmatch(cursor):
        raise NotFound(f"there is no grant {quoted(cursor)}", "begin again without a cursor")
    return int(cursor) if cursor else -sys.maxsize


def _standing(actor: Actor) -> tuple[Grant, ...]:
    """What is not in the store, as if it were older than all that is."""
    given = actor.standing
    return tuple(_view(replace(each, id=number)) for number, each in enumerate(given, -len(given)))


@does(contract.add)
async def add(call: Call, question: Add) -> Grant:
    wanted = _wanted(question)

    def change(session: Session) -> Grant:
        _check_known(session, wanted)
        if not call.actor.standing:
            _refuse_own(session, call.actor.login, wanted)
        confirm_gives(session, call.actor, wanted)
        return _grant(access.grant(session, wanted, call.actor.login, datetime.now(UTC)))

    return await call.backend.write(change)


@does(contract.remove)
async def remove(call: Call, question: Numbered) -> Grant:
    return _grant(await call.backend.write(lambda session: access.revoke(session, question.id)))


def _wanted(question: Add) -> model.Grant:
    """Raises ``Invalid`` unless there is one whom it is given to, and one thing over which."""
    to = {ToKind.PERSON: question.person, ToKind.GROUP: question.group, ToKind.EVERYONE: question.everyone}
    given = [kind for kind, named in to.items() if named]
    if len(given) != 1:
        raise Invalid("a grant is to one of: a person, a group, everyone", "use --person, --group or --everyone")
    if bool(question.on) == question.everything:
        raise Invalid("a grant is over a group or over everything", "use --on GROUP or --everything")
    return model.Grant(question.role, given[0], question.person or question.group, question.on)


def _check_known(session: Session, wanted: model.Grant) -> None:
    """Raises ``NotFound`` with near names. The store locks them then."""
    if wanted.to_kind is ToKind.PERSON:
        users = {user.login: user for user in catalog.users(session)}
        known("user", wanted.to, users, "`vclab user list` lists them")
    groups = {each.group.name: each for each in access.groups(session)}
    for name in {wanted.to * (wanted.to_kind is ToKind.GROUP), wanted.on} - {""}:
        known("group", name, groups, "`vclab group list` lists them")


def _refuse_own(session: Session, login: str, wanted: model.Grant) -> None:
    """Nobody gives themselves a role."""
    mine = wanted.to_kind is ToKind.EVERYONE or (wanted.to == login and wanted.to_kind is ToKind.PERSON)
    if wanted.to_kind is ToKind.GROUP:
        mine = model.Member(ResourceKind.USER, login) in access.members(session, wanted.to)
    if mine:
        raise Forbidden(f"{login} can't give themselves a role", "another administrator can")


def _grant(facts: GrantFacts) -> Grant:
    return _view(facts.grant, facts.made_at, facts.made_by)


def _view(grant: model.Grant, made_at: datetime | None = None, made_by: str = "") -> Grant:
    return Grant(
        id=grant.id,
        role=grant.role,
        to_kind=grant.to_kind,
        to=grant.to,
        on=grant.on,
        text=grant.text(),
        made_at=made_at,
        made_by=made_by or grant.source,
    )
