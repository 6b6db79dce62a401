"""The people who may reserve: list, show, add, edit, disable, remove."""

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy.orm import Session

from vclab.contract import users as contract
from vclab.contract.retiring import Disable, Named
from vclab.contract.users import Add, Edit, Forgotten, Person, Remains, Which
from vclab.model.catalog import Thing, User
from vclab.model.errors import Refused
from vclab.model.retention import Forget
from vclab.model.typed import known
from vclab.service import checks
from vclab.service.retiring import Kept
from vclab.service.use_case import Call, does
from vclab.store import catalog, forgetting, reservations, retirement

FIRST_UID = 20001
"""Uids are assigned from here: above a computer's own accounts."""


@does(contract.listing)
async def listing(call: Call, question: Which) -> tuple[Person, ...]:
    checks.limit(question.limit)
    asked = question.affiliation, question.cursor, question.limit
    found = await call.backend.read(lambda session: catalog.users(session, *asked))
    return tuple(_person(call, user) for user in found)


@does(contract.show)
async def show(call: Call, question: Named) -> Person:
    return _person(call, await call.backend.read(lambda session: _known(session, question.name)))


@does(contract.add)
async def add(call: Call, question: Add) -> Person:
    checks.login(question.name)
    given = _given(question)

    def change(session: Session) -> User:
        user = next((each for each in catalog.users(session) if each.login == question.name), None)
        if user is None:
            catalog.put_user(session, replace(User(question.name, _free_uid(session)), **given))
            retirement.enable(session, Thing.USER, question.name)  # one that was removed may have been disabled
        elif replace(user, **given) != user:
            raise Refused(
                f"the user {user.login} exists (uid {user.uid})", f"change it with `vclab user edit {user.login}`"
            )
        return catalog.user(session, question.name)

    return _person(call, await call.backend.write(change))


@does(contract.edit)
async def edit(call: Call, question: Edit) -> Person:
    given, more = _given(question), checks.public_keys(question.add_keys)

    def change(session: Session) -> User:
        user = _known(session, question.name)
        changed = replace(user, **given)
        if changed.uid != user.uid:
            _refuse_busy(session, user.login)
        keys = tuple(dict.fromkeys((*changed.public_keys, *more)))
        catalog.put_user(session, replace(changed, public_keys=keys))
        return catalog.user(session, user.login)

    return _person(call, await call.backend.write(change))


@does(contract.disable)
async def disable(call: Call, question: Disable) -> Person:
    await _USERS.disable(call, question)
    return await show(call, question)


@does(contract.enable)
async def enable(call: Call, question: Named) -> Person:
    await _USERS.enable(call, question.name)
    return await show(call, question)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    await _USERS.remove(call, question.name)


@does(contract.remains)
async def remains(call: Call, question: Named) -> Remains:
    found = await call.backend.read(lambda session: forgetting.known(session, question.name))
    return Remains(
        login=found.login,
        keys=len(found.names),
        reservations=len(found.reservations),
        last_ended=found.ended,
        acts=found.acts,
        addresses=len(found.addresses),
    )


@does(contract.forget)
async def forget(call: Call, question: Named) -> Forgotten:
    if question.name == call.actor.login:
        raise Refused("nobody forgets themselves", "ask another administrator")
    await remains(call, question)  # what would refuse it is told at once
    done = await (await call.backend.reservations()).forget(Forget(call.intent))
    return Forgotten(pseudonym=done.pseudonym, rows=done.rows, histories=done.histories)


def _given(question: Add) -> dict[str, Any]:
    return checks.given(
        question,
        uid=checks.uid,
        public_keys=checks.public_keys,
        zone=checks.zone,
        affiliation=_affiliation,
    )


def _affiliation(text: str) -> str:
    return checks.name(text, "an affiliation")


def _known(session: Session, login: str) -> User:
    users = {user.login: user for user in catalog.users(session)}
    return known("user", login, users, "`vclab user list` lists them")


_USERS = Kept(Thing.USER, _known)


def _free_uid(session: Session) -> int:
    taken = catalog.uids(session) | set(checks.NOBODY)
    return next(number for number in range(FIRST_UID, checks.HIGHEST_UID) if number not in taken)


def _refuse_busy(session: Session, login: str) -> None:
    """Computers have the account with its old uid."""
    if busy := [view.id for view in reservations.views(session, user=login) if view.ending is None]:
        raise Refused(f"the uid of {login} can't change during {', '.join(busy)}", "change it when they have ended")


def _person(call: Call, user: User) -> Person:
    return Person(**asdict(user), operator=user.login in call.backend.settings.operators)
