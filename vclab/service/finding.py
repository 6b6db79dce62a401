"""Finding things by what people type, as far as they may see them."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from sqlalchemy.orm import Session

from vclab.model.errors import NotFound
from vclab.model.ids import is_id
from vclab.model.reservations import ReservationView
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.store import reservations

T = TypeVar("T")

NEAR = 1000
"""Among so many of the newest reservations a near id is looked for."""


async def own_reservation(backend: Backend, actor: Actor, name: str) -> ReservationView:
    """The actor's reservation of that id, or anybody's for an operator.

    Raises ``NotFound`` with near ids; other people's reservations read as not found.
    """

    def find(session: Session) -> ReservationView:
        view = reservations.view(session, name) if is_id(name) else None
        if view is None or not may_see(actor, view):
            mine = reservations.views(session, user=whose(actor), ended=True, limit=NEAR)
            raise NotFound(
                f"there is no reservation {quoted(name)}{near(name, [v.id for v in mine])}",
                "`vclab list --all` lists yours",
            )
        return view

    return await backend.read(find)


def may_see(actor: Actor, view: ReservationView) -> bool:
    """One's own, and everybody's for an operator."""
    return actor.operator or view.user == actor.login


def whose(actor: Actor) -> str | None:
    """Whose reservations the actor sees; None: everybody's."""
    return None if actor.operator else actor.login


def known(what: str, name: str, things: Mapping[str, T], otherwise: str) -> T:
    """The thing of that name. Raises ``NotFound`` with near names, or else with ``otherwise`` as the hint."""
    if name not in things:
        raise NotFound(f"there is no {what} {quoted(name)}", near(name, things).removeprefix(", ") or otherwise)
    return things[name]


def near(name: str, known: Iterable[str]) -> str:
    """``, did you mean A or B?``, or nothing."""
    found = get_close_matches(name[:100], list(known), n=3, cutoff=0.6)
    return f", did you mean {' or '.join(found)}?" if found else ""


def quoted(typed: str) -> str:
    """What somebody typed, safe and short enough for a message."""
    return repr(typed if len(typed) <= 60 else typed[:57] + "…")
