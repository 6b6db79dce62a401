"""Finding things by what people type, as far as they may see them."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused
from vclab.model.ids import is_id
from vclab.model.messages import workflow_id
from vclab.model.reservations import RefusedRequest, ReservationView
from vclab.model.typed import near, quoted
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.store import refusals, reservations

T = TypeVar("T")

NEAR = 1000
"""Near ids are looked for among this many reservations, the newest."""

SHORTEST = 4
"""Characters of an id that name a reservation, if no other one begins with them."""

_NAMED = 5  # candidates that an ambiguous name is refused with


async def own_reservation(backend: Backend, actor: Actor, name: str) -> ReservationView:
    """The actor's reservation of that name, or anybody's for an operator.

    A name is an id, the beginning of one, or the id of the workflow, in upper or lower case. Raises ``NotFound`` with
    near ids, and ``Refused`` when several ids begin so; other people's reservations read as not found.
    """
    found = await backend.read(lambda session: _reservation(session, actor, plain(name)))
    return found or await _not_found(backend, actor, name)


async def own_request(backend: Backend, actor: Actor, name: str) -> ReservationView | RefusedRequest:
    """As ``own_reservation``, and also a request that found no place."""

    def find(session: Session) -> ReservationView | RefusedRequest | None:
        wanted = plain(name)
        return _reservation(session, actor, wanted) or _refused(session, actor, wanted)

    return await backend.read(find) or await _not_found(backend, actor, name)


def plain(name: str) -> str:
    """The id that is meant: in lower case, without what the Temporal UI puts before it."""
    return name.strip().lower().removeprefix(workflow_id(""))


def _reservation(session: Session, actor: Actor, name: str) -> ReservationView | None:
    def visible(id: str) -> ReservationView | None:
        view = reservations.view(session, id)
        return view if view and may_see(actor, view) else None

    return _one(name, visible, lambda: reservations.beginning(session, name, whose(actor), _NAMED + 1))


def _refused(session: Session, actor: Actor, name: str) -> RefusedRequest | None:
    def visible(id: str) -> RefusedRequest | None:
        found = refusals.refused(session, id)
        return found if found and (actor.operator or found.user == actor.login) else None

    return _one(name, visible, lambda: refusals.beginning(session, name, whose(actor), _NAMED + 1))


def _one(name: str, visible: Callable[[str], T | None], beginning: Callable[[], Sequence[str]]) -> T | None:
    """What has the id ``name``, or the only one whose id begins so. Raises ``Refused`` when several do.

    Most often it is the whole id, and the database finds that at once.
    """
    found = visible(name) if is_id(name) else None
    if found is not None or not is_id(name) or len(name) < SHORTEST:
        return found
    fitting = beginning()
    if len(fitting) > 1:
        more = ", …" if len(fitting) > _NAMED else ""
        ids = ", ".join(sorted(fitting, reverse=True)[:_NAMED])
        raise Refused(f"several reservations begin with {quoted(name)}: {ids}{more}", "type more of the id")
    return visible(fitting[0]) if fitting else None


async def _not_found(backend: Backend, actor: Actor, name: str) -> ReservationView:
    """Raises ``NotFound`` with near ids."""
    mine = await backend.read(lambda s: reservations.views(s, user=whose(actor), ended=True, limit=NEAR))
    raise NotFound(
        f"there is no reservation {quoted(name)}{near(plain(name), [view.id for view in mine])}",
        "`vclab list --all` lists yours",
    )


def may_see(actor: Actor, view: ReservationView) -> bool:
    """One's own, and everybody's for an operator."""
    return actor.operator or view.user == actor.login


def whose(actor: Actor) -> str | None:
    """Whose reservations the actor sees; None: everybody's."""
    return None if actor.operator else actor.login
