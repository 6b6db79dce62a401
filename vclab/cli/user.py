"""``vclab user …``: the people who may reserve."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from vclab.cli.asking import asker, confirm, disabled, given, typed_password, typed_secret
from vclab.cli.errors import Usage
from vclab.cli.nouns import group
from vclab.cli.output import fields, note, say, table
from vclab.cli.params import AsUser, Json, Login, Why
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock
from vclab.contract import users
from vclab.contract.people import me
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Nothing
from vclab.contract.users import Person
from vclab.model.errors import Refused
from vclab.model.typed import quoted

COLUMNS = (
    Column("LOGIN"),
    Column("UID", drop=3, right=True),
    Column("AFFILIATION", drop=4),
    Column("ZONE", drop=6),
    Column("KEYS", drop=5, right=True),
    Column("OPERATOR", drop=2),
    Column("NOTE", drop=1, fit=Fit.CUT),
)

app = group(
    "user", "The people who may reserve: list, show, add, edit, password, link, disable, enable, remove, forget."
)

NewLogin = Annotated[str, typer.Argument(metavar="LOGIN", help="The login name on computers.", show_default=False)]
Uid = Annotated[int | None, typer.Option("--uid", help="The user id on computers.", show_default=False)]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="KEY|FILE", help="An SSH public key, or a file of them.", show_default=False),
]
MoreKeys = Annotated[
    list[str] | None,
    typer.Option("--add-key", metavar="KEY|FILE", help="One more key; --key replaces all.", show_default=False),
]
Zone = Annotated[str | None, typer.Option("--zone", help="IANA time zone, e.g. Europe/Berlin.", show_default=False)]
Affiliation = Annotated[str | None, typer.Option("--affiliation", help="Where they belong.", show_default=False)]


@app.command("add")
def add(
    context: typer.Context,
    name: NewLogin,
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
    question = given(context, users.Add, public_keys=key_texts(key))
    asker(context).tell(users.add, question, json, _tell)


@app.command("edit")
def edit(
    context: typer.Context,
    name: Login,
    uid: Uid = None,
    key: Keys = None,
    add_key: MoreKeys = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="Remove all keys.")] = False,
    zone: Zone = None,
    affiliation: Affiliation = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Change a person; what is not given stays. Computers that they have now take their keys with the next
    Connect.

    \b
    Examples:
      vclab user edit alice --zone America/New_York
      vclab user edit alice --add-key ./new.pub
      vclab user edit alice --key ./only-this-one.pub
    """
    question = given(context, users.Edit, public_keys=key_texts(key), add_keys=key_texts(add_key))
    question = question.model_copy(update={"public_keys": ()}) if no_keys else question
    asker(context).tell(users.edit, question, json, _tell)


@app.command("disable")
def disable(context: typer.Context, name: Login, why: Why = "", json: Json = False, as_user: AsUser = "") -> None:
    """A person can't reserve from now on. Their reservations go on; end them with `vclab end`.

    \b
    Examples:
      vclab user disable alice --why "left the university"
    """
    asker(context).tell(users.disable, given(context, Disable), json, _tell)


@app.command("enable")
def enable(context: typer.Context, name: Login, json: Json = False, as_user: AsUser = "") -> None:
    """Let a person reserve again.

    \b
    Examples:
      vclab user enable alice
    """
    asker(context).tell(users.enable, given(context, Named), json, _tell)


@app.command("remove")
def remove(context: typer.Context, name: Login, json: Json = False, as_user: AsUser = "") -> None:
    """Remove a person. Refused while they have a reservation; the history keeps their name.

    \b
    Examples:
      vclab user remove alice
    """
    question = given(context, Named)
    asker(context).tell(users.remove, question, json, lambda _: say(f"{name} is removed"))


@app.command("forget")
def forget(
    context: typer.Context,
    name: Login,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Forget a person: a pseudonym stands for them everywhere from now on.

    Refused while they have a reservation. Reservations and acts stay, and are counted; nobody can tell any more whose
    they were. Keys, tokens, accounts at providers and addresses are deleted. It first says how much there is, and asks.

    
    Examples:
      vclab user forget alice
      vclab user forget alice --yes --json
    """
    ask = asker(context)
    found = ask(users.remains, given(context, Named))
    if not yes and not sys.stdin.isatty():
        raise Refused(f"what is known of {name} would be gone for good", "confirm it by --yes")
    if not yes:
        last = f", the last until {clock(found.last_ended, ask.zone())}" if found.last_ended else ""
        note(f"{found.reservations} reservations{last}; {found.acts} acts; {found.addresses} addresses.")
        confirm(f"Forget {name} for good?", f"{name} is not forgotten", "")
    ask.tell(
        users.forget, given(context, Named), json, lambda done: say(f"Forgotten: {done.pseudonym} stands for them")
    )


@app.command("password")
def password(context: typer.Context, name: Login, json: Json = False, as_user: AsUser = "") -> None:
    """Set the password of a local account: your own, or as an operator anybody's.

    It is asked for without echo, or read from standard input: the first line; of your own, the current one comes first.
    Whoever has signed in with the old one is signed out.

    \b
    Examples:
      vclab user password alice
      vclab user password alice < password-file
    """
    ask = asker(context)
    own = ask(me, Nothing()).login == name
    current = SecretStr(typed_secret("Your current password", "password")) if own else None
    new = SecretStr(typed_password(f"{name}, a new one"))
    if sys.stdin.isatty() and typed_password("the same again") != new.get_secret_value():
        raise Usage("these were two different passwords")
    question = users.NewPassword(name=name, password=new, current=current)
    ask.tell(users.set_password, question, json, lambda _: say(f"{name} has a new password"))


Provider = Annotated[str, typer.Option("--provider", metavar="NAME", help="The identity provider, by the settings.")]
Subject = Annotated[str, typer.Option("--subject", metavar="SUB", help="Whom it means: its claim sub.")]


@app.command("link")
def link(
    context: typer.Context, name: Login, provider: Provider, subject: Subject, json: Json = False, as_user: AsUser = ""
) -> None:
    """Say that an account at an identity provider is this person's, before they first sign in with it.

    Without that, who signs in for the first time becomes a new user, also when a user of that name is there already.

    \b
    Examples:
      vclab user link alice --provider uni --subject 8f3c2a10-77d4-4c62-9d0e-1f2b3c4d5e6f
    """
    question = given(context, users.Link)
    asker(context).tell(users.link, question, json, lambda _: say(f"{name} is {subject} at {provider}"))


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the people who may reserve.

    \b
    Examples:
      vclab user list
      vclab user list --json
    """
    asker(context).tell(users.listing, users.Which(), json, _list)


@app.command("show")
def show(context: typer.Context, name: Login, json: Json = False) -> None:
    """Show one person.

    \b
    Examples:
      vclab user show alice
    """
    asker(context).tell(users.show, given(context, Named), json, _tell)


def key_texts(words: Iterable[str] | None) -> tuple[str, ...]:
    """The keys that were typed, or that are in the files that were named. Raises ``Usage``."""
    return tuple(map(_key_text, words or ()))


def _key_text(word: str) -> str:
    if " " in word or not word:
        return word  # the service says what is wrong with it
    try:
        text = Path(word).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise Usage(
            f"{quoted(word)} is neither an SSH public key (like 'ssh-ed25519 AAAA… name') nor a file of them"
        ) from None
    if "PRIVATE KEY" in text:
        raise Usage("this file holds a private key", "give the public key (its file name ends in .pub)")
    return text


def _list(found: tuple[Person, ...]) -> None:
    rows = [
        (u.login, str(u.uid), u.affiliation, u.zone, str(len(u.public_keys)), "yes" if u.operator else "", disabled(u))
        for u in found
    ]
    if found:
        table(COLUMNS, rows)
    else:
        note("There are no users yet; add one with `vclab user add LOGIN --key FILE`.")


def _tell(user: Person) -> None:
    fields(
        [
            ("Login", user.login),
            ("Uid", str(user.uid)),
            ("Affiliation", user.affiliation),
            ("Zone", user.zone),
            ("Operator", "yes" if user.operator else ""),
            ("Note", disabled(user)),
            *(("Key", key) for key in user.public_keys or ("none: they log in with one-time passwords",)),
        ]
    )
