"""A use case as it is declared: who may ask, what, for which answer, and by which route."""

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from vclab.model.access import MEANT_FOR, Permission, ResourceKind

if TYPE_CHECKING:
    from typing_extensions import TypeForm

Q = TypeVar("Q", bound="Question")
A = TypeVar("A")

MOST_LINES = 100_000
"""Lines of a list."""
LARGEST = 1 << 20
"""Bytes of a question, as JSON, of a use case that says no other number."""

_FIELD = re.compile(r"{(\w+)}")


class Question(BaseModel):
    """What is asked of a use case. Fields are checked by the use case, which says what is wrong in plain words."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # most of them no verb needs


class Nothing(Question):
    """Nothing needs to be said."""


class Paged(Question):
    """Of a long list the first ``limit``, or the first after the one that ``cursor`` names."""

    limit: int = MOST_LINES  #: at most so many
    cursor: str = ""  #: where an earlier part of the list ended; empty: from the beginning


@dataclass(frozen=True)
class Rule:
    """Who may call a use case: whoever has the permission over what its question names (``vclab.model.access``)."""

    permission: Permission | None = None  #: None: whoever is known to the lab
    over: ResourceKind = ResourceKind.LAB
    field: str = ""  #: of the question: the name of what it is about. Of several: all of them; of none: the lab
    users: bool = False  #: only people with an entry among the users
    of_image: Permission | None = None  #: needed too, over the image that the named reservation was made from
    oneself: bool = False  #: also whoever is named, whatever they are permitted


def anybody() -> Rule:
    """Whoever is authenticated, with or without an entry among the users."""
    return Rule()


def users() -> Rule:
    """Who may have reservations. What they see is up to the use case."""
    return Rule(users=True)


def needs(
    permission: Permission,
    over: ResourceKind = ResourceKind.LAB,
    field: str = "",
    users: bool = False,
    of_image: Permission | None = None,
) -> Rule:
    """Whoever has a permission over what the question names. Raises ``ValueError`` when that means nothing."""
    if over not in MEANT_FOR[permission]:
        raise ValueError(f"nobody can {permission} over {over}")
    return Rule(permission, over, field or _NAMED_BY.get(over, "name"), users, of_image)


def oneself_or(permission: Permission) -> Rule:
    """Whoever is the person that the question names, or has a permission over them."""
    return replace(needs(permission, ResourceKind.USER), oneself=True)


_NAMED_BY = {ResourceKind.RESERVATION: "reservation", ResourceKind.LAB: ""}


class Content(Enum):
    """Whether a file goes along, beside the question or in the place of the answer: bytes in a stream, not JSON."""

    NONE = auto()
    SENT = auto()  #: it is the body of the request; the question's fields stand in path and query
    ANSWERED = auto()  #: it is the body of the answer


@dataclass(frozen=True)
class Route:
    """Where the HTTP API has it. Fields of the question that the path names are taken from there."""

    method: str  #: a read is GET; POST where its question may hold a secret, or is a document
    path: str  #: below /api/v1: "/reservations/{reservation}/extend"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the question that stand in the path."""
        return tuple(_FIELD.findall(self.path))


def get(path: str) -> Route:
    """A read."""
    return Route("GET", path)


def post(path: str) -> Route:
    """An act, or a read whose question goes in the body."""
    return Route("POST", path)


def put(path: str) -> Route:
    """An act which adds something: the same again changes nothing."""
    return Route("PUT", path)


def patch(path: str) -> Route:
    """An act which changes what is given, and leaves the rest."""
    return Route("PATCH", path)


def delete(path: str) -> Route:
    """An act which removes something."""
    return Route("DELETE", path)


@dataclass(frozen=True)
class UseCase(Generic[Q, A]):
    """Something that a person can do."""

    name: str  #: "reservations.extend": stable; the verb of its intents
    rule: Rule
    acts: bool  #: it changes something, and so its intent is recorded first
    question: type[Q]
    answer: "TypeForm[A]"
    route: Route
    summary: str  #: what it does, for people; its first sentence stands for itself
    long: bool = False  #: it may take longer than a minute: who waits is told how far it is (``progress.py``)
    largest: int = LARGEST  #: bytes of its question, as JSON
    content: Content = Content.NONE
    pages: str = ""  #: of a long list: the field of its last item that is the ``cursor`` of what follows

    @property
    def about_reservation(self) -> bool:
        """The rule finds the reservation that the question names. To those who don't see it, it reads as not found."""
        return self.rule.over is ResourceKind.RESERVATION

    def document(self, answer: A) -> Any:
        """The answer for programs, but for a file: what ``--json`` prints and the HTTP API sends."""
        return TypeAdapter(self.answer).dump_python(answer, mode="json", by_alias=True)


DECLARED: dict[str, UseCase[Any, Any]] = {}
"""The use cases of those modules that are imported. ``vclab.contract.USE_CASES`` has all."""


def read(
    name: str,
    rule: Rule,
    question: type[Q],
    answer: "TypeForm[A]",
    route: Route,
    summary: str,
    *,
    long: bool = False,
    largest: int = LARGEST,
    content: Content = Content.NONE,
    pages: str = "",
) -> UseCase[Q, A]:
    """Declare a use case that changes nothing. ``pages``: its question is ``Paged``."""
    return _declared(UseCase(name, rule, False, question, answer, route, summary, long, largest, content, pages))


def act(
    name: str,
    rule: Rule,
    question: type[Q],
    answer: "TypeForm[A]",
    route: Route,
    summary: str,
    *,
    long: bool = False,
    largest: int = LARGEST,
    content: Content = Content.NONE,
) -> UseCase[Q, A]:
    """Declare a use case that changes something: its intent is recorded before it runs."""
    return _declared(UseCase(name, rule, True, question, answer, route, summary, long, largest, content))


def _declared(made: UseCase[Q, A]) -> UseCase[Q, A]:
    """Raises ``ValueError`` when its name or its route is another one's, or its path names what is not
    asked, or its rule."""
    place = _FIELD.sub("{}", made.route.path)
    for other in DECLARED.values():
        if other.name == made.name:
            raise ValueError(f"there are two use cases {made.name}")
        if (other.route.method, _FIELD.sub("{}", other.route.path)) == (made.route.method, place):
            raise ValueError(f"{made.name} and {other.name} have one route: {made.route.method} {made.route.path}")
    if unknown := ({*made.route.fields, made.rule.field} - {"", *made.question.model_fields}):
        raise ValueError(f"the route or rule of {made.name} names {', '.join(sorted(unknown))}, which nobody asks")
    DECLARED[made.name] = made
    return made
