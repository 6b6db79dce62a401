"""A use case as it is declared: who may ask, what, for which answer, and by which route."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

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


class Rule(Enum):
    """Who may call a use case."""

    ANYBODY = auto()  #: whoever is authenticated, with or without an entry among the users
    USERS = auto()  #: who may have reservations
    OWNERS = auto()  #: of ``question.reservation``; operators too. To all others it reads as not found
    OPERATORS = auto()
    KEEPERS = auto()  #: operators, root, and the account whose secrets these are


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
        """The rule finds the reservation that the question names: always for ``OWNERS``."""
        named = "reservation" in self.question.model_fields
        return self.rule is Rule.OWNERS or (named and self.rule is Rule.OPERATORS)

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
    """Raises ``ValueError`` when its name or its route is another one's, or its path names what is not asked."""
    place = _FIELD.sub("{}", made.route.path)
    for other in DECLARED.values():
        if other.name == made.name:
            raise ValueError(f"there are two use cases {made.name}")
        if (other.route.method, _FIELD.sub("{}", other.route.path)) == (made.route.method, place):
            raise ValueError(f"{made.name} and {other.name} have one route: {made.route.method} {made.route.path}")
    if unknown := set(made.route.fields) - set(made.question.model_fields):
        raise ValueError(f"the route of {made.name} names {', '.join(sorted(unknown))}, which nobody asks")
    DECLARED[made.name] = made
    return made
