"""``vclab user …``: the people who may reserve."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from vclab.cli import checks
from vclab.cli.administer import administration, group
from vclab.cli.context import lab_of, near
from vclab.cli.errors import quoted
from vclab.cli.output import JsonValue, fields, note, say_json, table
from vclab.cli.params import AsUser, Json, Login
from vclab.cli.times import iso
from vclab.model.catalog import User
from vclab.model.errors import NotFound, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

FIRST_UID = 20001  #: given out when no uid is said: above what a computer's own accounts have

app = group("user", "The people who may reserve: add, list, show, edit.")

NewLogin = Annotated[str, typer.Argument(metavar="LOGIN", help="The login name on computers.", show_default=False)]
Uid = Annotated[int | None, typer.Option("--uid", help="The user id on computers.", show_default=False)]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="KEY|FILE", help="An SSH public key, or a file of them.", show_default=False),
]
Zone = Annotated[str | None, typer.Option("--zone", help="IANA time zone, e.g. Europe/Berlin.", show_default=False)]
Affiliation = Annotated[str | None, typer.Option("--affiliation", help="Where they belong.", show_default=False)]


@app.command("add")
def add(
    context: typer.Context,
    login: NewLogin,
    uid: Uid = None,
    key: Keys = None,
    zone: Zone = None,
    affiliation: Affiliation = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add a person who may reserve.

    Without --uid, the next free one from 20001 on. Adding the same again changes nothing.

    \b
    Examples:
      vclab user add alice --key ~alice/.ssh/id_ed25519.pub --zone Europe/Berlin
      vclab user add bob --uid 20107 --key "ssh-ed25519 AAAA… bob@laptop"
    """
    admin = administration(lab_of(context, as_user))
    checks.login(login)
    given = _given(uid, key, zone, affiliation)

    def change(session: "Session") -> User:
        from vclab.store import catalog

        users = {user.login: user for user in catalog.users(session)}
        known = users.get(login)
        if known is None:
            taken = {user.uid for user in users.values()}
            free = next(n for n in range(FIRST_UID, checks.HIGHEST_UID) if n not in taken and n not in checks.NOBODY)
            catalog.put_user(session, User(**{"login": login, "uid": free} | given))  # type: ignore[arg-type]
        elif replace(known, **given) != known:  # type: ignore[arg-type]
            raise Refused(
                f"there is a user {login} already (uid {known.uid}); change it with `vclab user edit {login}`"
            )
        return catalog.user(session, login)

    _tell(admin.write(change), json)


@app.command("edit")
def edit(
    context: typer.Context,
    login: Login,
    uid: Uid = None,
    key: Keys = None,
    add_key: Annotated[
        list[str] | None,
        typer.Option("--add-key", metavar="KEY|FILE", help="One more key; --key replaces all.", show_default=False),
    ] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Forget all keys.")] = False,
    zone: Zone = None,
    affiliation: Affiliation = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Change a person: what is not said stays. Computers that they have now keep what they were given.

    \b
    Examples:
      vclab user edit alice --zone America/New_York
      vclab user edit alice --add-key ./new.pub
      vclab user edit alice --key ./only-this-one.pub
    """
    admin = administration(lab_of(context, as_user))
    given = _given(uid, key, zone, affiliation)
    more = checks.public_keys(add_key or ())
    if no_keys:
        given["public_keys"] = ()

    def change(session: "Session") -> User:
        from vclab.store import catalog, reservations

        known = _known(login, catalog.users(session))
        busy = [view.id for view in reservations.views(session, user=login) if view.ending is None]
        if busy and given.get("uid", known.uid) != known.uid:
            raise Refused(f"{login} has {', '.join(busy)}; the uid can be changed when no computer has the account")
        changed = replace(known, **given)  # type: ignore[arg-type]
        keys = tuple(dict.fromkeys((*changed.public_keys, *more)))
        catalog.put_user(session, replace(changed, public_keys=keys))
        return catalog.user(session, login)

    _tell(admin.write(change), json)


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the people who may reserve.

    \b
    Examples:
      vclab user list
      vclab user list --json
    """
    lab = lab_of(context)
    found = lab.records.users()
    if json:
        say_json([_json(user) for user in found])
    elif found:
        operators = lab.settings.operators
        rows = [
            (u.login, str(u.uid), u.affiliation, u.zone, str(len(u.public_keys)), "yes" * (u.login in operators))
            for u in found
        ]
        table(("LOGIN", "UID", "AFFILIATION", "ZONE", "KEYS", "OPERATOR"), rows, right=("UID", "KEYS"))
    else:
        note("There are no users yet; add one with `vclab user add LOGIN --key FILE`.")


@app.command("show")
def show(context: typer.Context, login: Login, json: Json = False) -> None:
    """Show one person.

    \b
    Examples:
      vclab user show alice
    """
    _tell(_known(login, lab_of(context).records.users()), json)


def _given(
    uid: int | None, keys: list[str] | None, zone: str | None, affiliation: str | None
) -> dict[str, int | str | tuple[str, ...]]:
    """What was said, checked; what was not said is not there."""
    given: dict[str, int | str | tuple[str, ...]] = {}
    if uid is not None:
        given["uid"] = checks.uid(uid)
    if keys:
        given["public_keys"] = checks.public_keys(keys)
    if zone is not None:
        given["zone"] = checks.zone(zone)
    if affiliation is not None:
        given["affiliation"] = checks.name(affiliation, "an affiliation")
    return given


def _known(login: str, users: list[User]) -> User:
    known = {user.login: user for user in users}
    if login not in known:
        raise NotFound(f"there is no user {quoted(login)}{near(login, known)}; `vclab user list` lists them")
    return known[login]


def _tell(user: User, json: bool) -> None:
    if json:
        say_json(_json(user))
        return
    keys = [("Key", key) for key in user.public_keys] or [("Key", "none: they log in with one-time passwords")]
    fields(
        [
            ("Login", user.login),
            ("Uid", str(user.uid)),
            ("Affiliation", user.affiliation),
            ("Zone", user.zone),
            *keys,
        ]
    )


def _json(user: User) -> dict[str, JsonValue]:
    return asdict(user) | {"public_keys": list(user.public_keys), "disabled_at": iso(user.disabled_at)}
