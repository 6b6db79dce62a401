"""The people who may reserve: list, show, add, edit, disable, remove."""

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy.orm import Session

from vclab.model.catalog import Thing, User
from vclab.model.errors import Refused
from vclab.service import checks
from vclab.service.finding import known
from vclab.service.retiring import Disable, Kept, Named
from vclab.service.use_case import Call, Nothing, Rule, act, read
from vclab.service.views import Time, View
from vclab.store import catalog, reservations, retirement

FIRST_UID = 20001
"""Uids are assigned from here: above a computer's own accounts."""


class Person(View):
    """A person who may reserve."""

    login: str
    uid: int
    affiliation: str
    public_keys: tuple[str, ...]  #: without one, they log in with one-time passwords
    zone: str  #: IANA time zone
    operator: bool
    imaging: bool  #: they may reserve for imaging, and capture
    disabled_at: Time | None  #: they can't reserve since then; null: they can
    disabled_why: str


class Add(Named):
    """A new person. ``uid``: None assigns the next free one."""

    uid: int | None = None
    public_keys: tuple[str, ...] | None = None
    zone: str | None = None
    affiliation: str | None = None
    imaging: bool | None = None


class Edit(Add):
    """Changes; what is None stays. ``add_keys`` are added to the keys, ``public_keys`` replace them."""

    add_keys: tuple[str, ...] = ()


@read(Rule.ANYBODY)
async def listing(call: Call, question: Nothing) -> tuple[Person, ...]:
    """All people who may reserve, by login name."""
    return tuple(_person(call, user) for user in await call.backend.read(catalog.users))


@read(Rule.ANYBODY)
async def show(call: Call, question: Named) -> Person:
    """One person."""
    return _person(call, await call.backend.read(lambda session: _known(session, question.name)))


@act(Rule.KEEPERS)
async def add(call: Call, question: Add) -> Person:
    """Add a person. The same again changes nothing."""
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


@act(Rule.KEEPERS)
async def edit(call: Call, question: Edit) -> Person:
    """Change a person. Computers that they have now keep what they were given."""
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


@act(Rule.KEEPERS)
async def disable(call: Call, question: Disable) -> Person:
    """The person can't reserve from now on; their reservations go on."""
    await _USERS.disable(call, question)
    return await show.run(call, question)


@act(Rule.KEEPERS)
async def enable(call: Call, question: Named) -> Person:
    """The person can reserve again."""
    await _USERS.enable(call, question.name)
    return await show.run(call, question)


@act(Rule.KEEPERS)
async def remove(call: Call, question: Named) -> None:
    """Remove a person without open reservations. The history keeps their name."""
    await _USERS.remove(call, question.name)


def _given(question: Add) -> dict[str, Any]:
    return checks.given(
        question,
        uid=checks.uid,
        public_keys=checks.public_keys,
        zone=checks.zone,
        affiliation=_affiliation,
        imaging=bool,
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
