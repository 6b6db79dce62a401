"""The people who may reserve: list, show, add, edit, disable, remove."""

import asyncio
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from vclab.contract import users as contract
from vclab.contract.retiring import Disable, Named
from vclab.contract.users import Add, Edit, Forgotten, Link, NewPassword, Person, Remains, Which
from vclab.model import logins
from vclab.model.access import Permission, ResourceKind, Rights, Role
from vclab.model.catalog import Thing, User
from vclab.model.errors import Forbidden, Refused
from vclab.model.people import LOCAL
from vclab.model.retention import Forget
from vclab.model.typed import known
from vclab.service import checks, passwords, sign_in
from vclab.service.retiring import Kept
from vclab.service.rights import rights_of, rights_of_user, sight
from vclab.service.use_case import Call, does
from vclab.store import catalog, forgetting, people, reservations, retirement, tokens


@does(contract.listing)
async def listing(call: Call, question: Which) -> tuple[Person, ...]:
    checks.limit(question.limit)
    asked = question.affiliation, question.cursor, question.limit

    def ask(session: Session) -> list[User]:
        return catalog.users(session, *asked, sight(session, call.actor).logins)

    return tuple(_person(call, user) for user in await call.backend.read(ask))


@does(contract.show)
async def show(call: Call, question: Named) -> Person:
    def ask(session: Session) -> User:
        return _known(session, question.name, sight(session, call.actor).logins)

    return _person(call, await call.backend.read(ask))


@does(contract.add)
async def add(call: Call, question: Add) -> Person:
    checks.login(question.name)
    given = _given(question)

    def change(session: Session) -> User:
        user = next((each for each in catalog.users(session) if each.login == question.name), None)
        if user is None:
            people.confirm_not_freed(session, question.name)
            uid = people.former_uid(session, question.name) or logins.free_uid(catalog.uids(session))
            catalog.put_user(session, replace(User(question.name, uid), **given))
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
    if "public_keys" in given or more:  # who has the other half gets onto that person's computers
        await _confirm_may_become(call, question.name)

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
    await _confirm_may_shut_out(call, question.name)
    await _USERS.disable(call, question)
    return await show(call, question)


@does(contract.enable)
async def enable(call: Call, question: Named) -> Person:
    await _USERS.enable(call, question.name)
    return await show(call, question)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    await _confirm_may_shut_out(call, question.name)
    await _USERS.remove(call, question.name)


@does(contract.set_password)
async def set_password(call: Call, question: NewPassword) -> Person:
    backend, now = call.backend, datetime.now(UTC)
    if not backend.settings.sign_in.local:
        raise Refused("this lab has no local accounts", "the setting `sign_in.local` says so")
    own = question.name == call.actor.login
    if not own:
        await _confirm_may_become(call, question.name)
    user = await backend.read(lambda session: _known(session, question.name))
    password = passwords.check(question.password.get_secret_value(), user.login)
    there_is_one = bool(await backend.read(lambda session: people.password_hash(session, user.login)))
    if own and there_is_one:
        current = question.current.get_secret_value() if question.current else ""
        if not await sign_in.is_password(backend, user.login, current, call.actor.address):
            raise Refused("the current password is wrong")
    if own and not there_is_one and not await call.may(Permission.KEEP, ResourceKind.USER, question.name):
        raise Forbidden("this account has no password here", "an administrator can give it one")
    hash = await passwords.hashed(password)

    def change(session: Session) -> None:
        people.put_password(session, user.login, hash, now)
        why = f"the password was {'changed' if own else f'reset by {call.actor.login}'}"
        tokens.end_all(session, why, now, user.login, LOCAL)

    await backend.write(change)
    return _person(call, user)


@does(contract.link)
async def link(call: Call, question: Link) -> Person:
    providers, now = call.backend.settings.sign_in.providers, datetime.now(UTC)
    provider = checks.one_of(question.provider, "identity provider", list(providers) or ["none"])
    subject = checks.line(question.subject, "the subject", 255)
    await _confirm_may_become(call, question.name)
    user = await call.backend.read(lambda session: _known(session, question.name))
    await call.backend.write(lambda session: people.link(session, provider, subject, user.login, now))
    return _person(call, user)


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
    if question.name in call.backend.settings.operators:
        raise Refused(
            f"the setting `operators` names {question.name}",
            "take the name out of it, restart vclab-api, and repeat this",
        )
    person = await call.backend.read(lambda session: forgetting.known(session, question.name))
    for reference in person.secrets:  # here, not by the worker: they are sealed to the API, and lie where it runs
        await asyncio.to_thread(call.backend.secrets.forget, reference)
    done = await (await call.backend.reservations()).forget(Forget(call.intent))
    return Forgotten(pseudonym=done.pseudonym, rows=done.rows, histories=done.histories)


async def _confirm_may_shut_out(call: Call, login: str) -> None:
    """Whoever disables or removes a person takes their roles away. Raises ``Refused`` for oneself: perhaps there is
    nobody else who could undo it; and as ``_confirm_may_become``."""
    if login == call.actor.login:
        raise Refused("nobody shuts themselves out", "ask another administrator")
    await _confirm_may_become(call, login)


async def _confirm_may_become(call: Call, login: str) -> None:
    """Whoever sets a password, or links an account, could sign in as that person, and whoever adds a key could get onto
    their computers. So that takes somebody who may all that the person's roles give, over the same things, or could
    give them to anybody; the role of a user aside. Raises ``Forbidden``."""

    def ask(session: Session) -> tuple[Rights, Rights]:
        theirs = rights_of_user(session, call.backend.settings, login, known=True)
        return theirs, rights_of(session, call.actor)

    theirs, mine = await call.backend.read(ask)
    for grant in theirs.grants if not call.actor.standing else ():
        gives = mine.may_pass_on(grant) and mine.decide(Permission.GRANT).allowed
        if grant.role is not Role.USER and not gives and not mine.covers(grant):
            raise Forbidden(f"{call.actor.login} has not the role of {login}: {grant.text()}", "another one can do it")


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


def _known(session: Session, login: str, logins: Collection[str] | None = None) -> User:
    """One of these logins; None: of all. Raises ``NotFound``."""
    users = {user.login: user for user in catalog.users(session, logins=logins)}
    return known("user", login, users, "`vclab user list` lists them")


_USERS = Kept(Thing.USER, _known)


def _refuse_busy(session: Session, login: str) -> None:
    """Computers have the account with its old uid."""
    if busy := [view.id for view in reservations.views(session, user=login) if view.ending is None]:
        raise Refused(f"the uid of {login} can't change during {', '.join(busy)}", "change it when they have ended")


def _person(call: Call, user: User) -> Person:
    return Person(**asdict(user), operator=user.login in call.backend.settings.operators)
