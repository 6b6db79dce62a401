"""What one command works with: the settings, the store, who acts, and the Temporal client; each made when needed."""

import os
import pwd
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from vclab.cli.errors import quoted
from vclab.cli.root import Root as Root  # (those who used it from here still do)
from vclab.cli.times import zone_of
from vclab.model.catalog import Image, User
from vclab.model.errors import NotFound
from vclab.model.ids import is_id
from vclab.model.reservations import ReservationView
from vclab.settings import PersonSettings, Settings
from vclab.settings import load as load_settings

NEAR = 1000
"""Among so many of the newest reservations a near id is looked for."""

if TYPE_CHECKING:
    from temporalio.client import Client

    from vclab.cli.records import Records
    from vclab.temporal.client import Reservations


@dataclass(frozen=True)
class Actor:
    """Who the command acts as."""

    user: User
    operator: bool

    @property
    def login(self) -> str:
        """The login name."""
        return self.user.login

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which this person is told times."""
        return zone_of(self.user.zone)


class Lab:
    """One command's view of the installation."""

    def __init__(self, as_user: str = "") -> None:
        self.as_user = as_user
        self._client: Client | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises ``Refused`` when they are wrong or can't be read."""
        return load_settings()

    @cached_property
    def records(self) -> "Records":
        """The store. Raises ``Unreachable`` when it does not answer."""
        from vclab.cli.records import Records

        return Records(self.settings.database)

    @cached_property
    def actor(self) -> Actor:
        """Who acts: ``--as``, else the login name if it is a user, else ``act_as`` of the settings."""
        users = {user.login: user for user in self.records.users()}
        login = _acting_login(self.as_user, self.settings.act_as, users)
        return Actor(users[login], operator=login in self.settings.operators)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The actor's zone; root is nobody's account in the lab, and is told UTC."""
        try:
            return self.actor.zone
        except NotFound:
            return ZoneInfo("UTC")

    def sites(self) -> tuple[str, ...]:
        """The sites that have endpoints; before there are any, that of the settings. Raises ``Unreachable``."""
        return tuple(dict.fromkeys(e.site for e in self.records.endpoints())) or (self.settings.site,)

    def person(self) -> PersonSettings:
        """How the actor's own ``connect`` reaches computers."""
        return self.settings.people.get(self.actor.login, PersonSettings())

    def image(self, name: str) -> Image:
        """The image of that name. Raises ``NotFound`` with near names."""
        images = {image.name: image for image in self.records.images()}
        if name not in images:
            raise NotFound(f"there is no image {quoted(name)}{near(name, images)}; `vclab images` lists them")
        return images[name]

    def reservation(self, name: str) -> ReservationView:
        """The actor's reservation of that id, or anybody's for an operator.

        Raises ``NotFound`` with near ids; other people's reservations read as not found.
        """
        view = self.records.view(name) if is_id(name) else None
        if view is None or not self._may_see(view):
            mine = [v.id for v in self.visible(ended=True, limit=NEAR)]
            raise NotFound(f"there is no reservation {quoted(name)}{near(name, mine)}; `vclab list --all` lists yours")
        return view

    def visible(
        self, ended: bool = False, everyone: bool | None = None, limit: int | None = None
    ) -> list[ReservationView]:
        """The actor's reservations, newest last; all people's if ``everyone`` (default: whether an operator acts)."""
        everyone = self.actor.operator if everyone is None else everyone
        return self.records.views(None if everyone else self.actor.login, ended, limit)

    def _may_see(self, view: ReservationView) -> bool:
        return self.actor.operator or view.user == self.actor.login

    async def client(self, seconds: float = 10.0) -> "Client":
        """The Temporal client. Raises ``Unreachable`` with the address after ``seconds`` without an answer."""
        if self._client is None:
            from vclab.temporal.client import connect, quiet

            self._client = await connect(self.settings.temporal, seconds, quiet())
        return self._client

    async def reservations(self, seconds: float = 10.0) -> "Reservations":
        """What acts on reservations. Raises as ``client``."""
        client = await self.client(seconds)
        from vclab.temporal.client import Reservations

        return Reservations(client, self.settings.temporal.workflow_queue)


def lab_of(context: typer.Context, as_user: str = "") -> Lab:
    """The lab of a command; its own ``--as`` wins over the one before the verb."""
    root = context.find_object(Root)
    return Lab(as_user or (root.as_user if root else ""))


def near(name: str, known: Iterable[str]) -> str:
    """``; did you mean A or B?``, or nothing."""
    found = get_close_matches(name[:100], list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def login_name() -> str:
    """The login name of whoever runs this; from the user id, for the environment can say anything."""
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return f"uid {os.getuid()}"


def _acting_login(wanted: str, fallback: str, users: Iterable[str]) -> str:
    known, login = set(users) - {"root"}, login_name()
    if wanted:
        if wanted not in known:
            raise NotFound(f"there is no user {quoted(wanted)}{near(wanted, known)}")
        return wanted
    if login in known:
        return login
    if fallback in known:
        return fallback
    if fallback:
        raise NotFound(f"the settings say act_as = {quoted(fallback)}, but there is no such user; use --as USER")
    why = "root is never a user of the lab" if login == "root" else f"you are {login}, who is not a user of this lab"
    raise NotFound(f"{why}; use --as USER, or ask an operator to add you")
