"""Finding things by what people type, as far as they may see them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from sqlalchemy.orm import Session

from vclab.model.access import Permission, Resource, Rights
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import is_id
from vclab.model.messages import workflow_id
from vclab.model.reservations import RefusedRequest, ReservationView
from vclab.model.typed import near, quoted
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.rights import rights_of
from vclab.store import access, refusals, reservations

T = TypeVar("T")

NEAR = 1000
"""Near ids are looked for among this many reservations, the newest."""

SHORTEST = 4
"""Characters of an id that name a reservation, if no other one begins with them."""

_NAMED = 5  # candidates that an ambiguous name is refused with


F = TypeVar("F", bound=ReservationView | RefusedRequest)


@dataclass(frozen=True)
class Seen(Generic[F]):
    """A reservation or refused request that the actor may see, and what they may do with it."""

    view: F
    resource: Resource
    rights: Rights

    def may(self, permission: Permission) -> bool:
        """Whether the actor may do that to it."""
        return self.rights.decide(permission, self.resource).allowed


async def seen_reservation(backend: Backend, actor: Actor, name: str) -> Seen[ReservationView]:
    """The reservation of that name, which is the actor's own, or which a grant lets them see.

    A name is an id, the beginning of one, or the id of the workflow, in upper or lower case. Raises ``NotFound`` with
    near ids, and ``Refused`` when several ids begin so; what the actor may not see reads as not found.
    """
    found = await backend.read(lambda session: _reservation(session, rights_of(session, actor), plain(name)))
    return found or await _not_found(backend, actor, name)


async def seen_request(backend: Backend, actor: Actor, name: str) -> Seen[ReservationView] | Seen[RefusedRequest]:
    """As ``seen_reservation``, and also a request that found no place."""

    def find(session: Session) -> Seen[ReservationView] | Seen[RefusedRequest] | None:
        wanted, rights = plain(name), rights_of(session, actor)
        return _reservation(session, rights, wanted) or _refused(session, rights, wanted)

    return await backend.read(find) or await _not_found(backend, actor, name)


def plain(name: str) -> str:
    """The id that is meant: in lower case, without what the Temporal UI puts before it."""
    return name.strip().lower().removeprefix(workflow_id(""))


def _reservation(session: Session, rights: Rights, name: str) -> Seen[ReservationView] | None:
    def visible(id: str) -> Seen[ReservationView] | None:
        view = reservations.view(session, id)
        return _seen(rights, view, access.of_reservation(session, view)) if view else None

    reach = rights.reach(Permission.SEE)
    return _one(name, visible, lambda: reservations.beginning(session, name, reach, _NAMED + 1))


def _refused(session: Session, rights: Rights, name: str) -> Seen[RefusedRequest] | None:
    def visible(id: str) -> Seen[RefusedRequest] | None:
        found = refusals.refused(session, id)
        return _seen(rights, found, access.of_refused(session, found)) if found else None

    reach = rights.reach(Permission.SEE)
    return _one(name, visible, lambda: refusals.beginning(session, name, reach, _NAMED + 1))


def _seen(rights: Rights, view: F, resource: Resource) -> Seen[F] | None:
    seen = Seen(view, resource, rights)
    return seen if seen.may(Permission.SEE) else None


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


async def _not_found(backend: Backend, actor: Actor, name: str) -> NoReturn:
    """Raises ``NotFound`` with near ids."""

    def near_ids(session: Session) -> list[str]:
        reach = rights_of(session, actor).reach(Permission.SEE)
        return [view.id for view in reservations.views(session, reach=reach, ended=True, limit=NEAR)]

    raise NotFound(
        f"there is no reservation {quoted(name)}{near(plain(name), await backend.read(near_ids))}",
        "`vclab list --all` lists yours",
    )
