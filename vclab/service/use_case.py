"""A use case: what is asked, what is answered, and who may. The list of them all is ``USE_CASES``."""

import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter

from vclab.model.errors import Forbidden, Invalid, NotFound, Refused, Unreachable, VclabError
from vclab.model.intents import Intent, Outcome
from vclab.model.reservations import ReservationView
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.finding import own_reservation
from vclab.store import intents

Q = TypeVar("Q", bound="Question")
A = TypeVar("A")


class Question(BaseModel):
    """What is asked of a use case. Fields are checked by the use case, which says what is wrong in plain words."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Question):
    """Nothing needs to be said."""


class Rule(Enum):
    """Who may call a use case."""

    ANYBODY = auto()  #: whoever is authenticated, with or without an entry among the users
    USERS = auto()  #: who may have reservations
    OWNERS = auto()  #: of ``question.reservation``; operators too. To all others it reads as not found
    OPERATORS = auto()
    KEEPERS = auto()  #: operators, root, and the account whose secrets these are


@dataclasses.dataclass(frozen=True)
class Call:
    """One call: who calls, what it works with, and what the rule has found already."""

    backend: Backend
    actor: Actor
    intent: str = ""  #: of an act: the id under which it is recorded, and which messages to workflows carry
    own: ReservationView | None = None  #: the reservation that was named, if the rule finds it

    @property
    def reservation(self) -> ReservationView:
        """The reservation that was named, which the actor may see. Only of a use case ``about_reservation``."""
        assert self.own is not None
        return self.own


@dataclasses.dataclass(frozen=True)
class UseCase(Generic[Q, A]):
    """Something that a person can do."""

    name: str  #: "reservations.extend": stable; the verb of its intents
    rule: Rule
    acts: bool  #: it changes something, and so its intent is recorded first
    question: type[Q]
    answer: Any  #: the type of its answer
    run: Callable[[Call, Q], Awaitable[A]]

    @property
    def about_reservation(self) -> bool:
        """The rule finds the reservation that the question names: always for ``OWNERS``."""
        named = "reservation" in self.question.model_fields
        return self.rule is Rule.OWNERS or (named and self.rule is Rule.OPERATORS)

    async def __call__(self, backend: Backend, actor: Actor, question: Q) -> A:
        """Check the rule, record the intent, run. Raises ``Refused``, ``NotFound``, ``Invalid``, ``Unreachable``."""
        call = await self._allowed(backend, actor, question)
        return await self._recorded(call, question) if self.acts else await self.run(call, question)

    def document(self, answer: A) -> Any:
        """The answer for programs: what ``--json`` prints and the HTTP API sends."""
        return TypeAdapter(self.answer).dump_python(answer, mode="json", by_alias=True)

    async def _allowed(self, backend: Backend, actor: Actor, question: Q) -> Call:
        call = Call(backend, actor)
        if self.rule is Rule.USERS and actor.user is None:
            raise NotFound(f"{actor.login} is not a user of this lab", "use --as USER, or ask an operator to add you")
        if self.rule is Rule.OPERATORS and not actor.operator:
            raise Forbidden(
                f"this is for operators, and {actor.login} is not one", "the setting `operators` names them"
            )
        if self.rule is Rule.KEEPERS and not actor.keeps:
            raise Forbidden(f"this is for operators and root, and {actor.login} is not an operator")
        if self.about_reservation:
            name = getattr(question, "reservation")  # noqa: B009 (each such question has it; a test walks them)
            return dataclasses.replace(call, own=await own_reservation(backend, actor, name))
        return call

    async def _recorded(self, call: Call, question: Q) -> A:
        """Write the intent, run, and write how it came out."""
        intent = self._intent(call, question)
        await call.backend.write(lambda session: intents.write(session, intent))
        try:
            answer = await self.run(dataclasses.replace(call, intent=intent.id), question)
        except Exception as error:
            await _note(call.backend, intent.id, *_outcome_of(error))
            raise
        await _note(call.backend, intent.id, Outcome.DONE)
        return answer

    def _intent(self, call: Call, question: Q) -> Intent:
        named = str(getattr(question, "reservation", "") or getattr(question, "name", ""))
        several: tuple[str, ...] = getattr(question, "names", ())
        if len(several) == 1:
            named = several[0]
        arguments = question.model_dump(mode="json", exclude_defaults=True)  # a SecretStr reads as asterisks
        actor = call.actor
        for_user = actor.login if self.rule is Rule.USERS else ""
        return Intent(
            id=uuid.uuid4().hex,
            at=datetime.now(UTC),
            actor=actor.login,
            authentication=str(actor.authentication),
            roles=tuple(sorted(actor.roles)),
            verb=self.name,
            subject=call.own.id if call.own else named,
            for_user=call.own.user if call.own else for_user,
            account=actor.account,
            arguments=arguments,
        )


def _outcome_of(error: Exception) -> tuple[Outcome, str]:
    """How an act came out that raised, and why."""
    if isinstance(error, (Refused, NotFound, Invalid)):
        return Outcome.REFUSED, str(error)
    if isinstance(error, Unreachable):
        return Outcome.UNANSWERED, str(error)
    # What an unexpected error says may hold anything, secrets too.
    return Outcome.FAILED, str(error) if isinstance(error, VclabError) else type(error).__name__


async def _note(backend: Backend, intent: str, outcome: Outcome, detail: str = "") -> None:
    """Record how it came out. A database that is away by now does not change the answer: the outcome stays open."""
    moment = datetime.now(UTC)
    with suppress(VclabError):
        await backend.write(lambda session: intents.answer(session, intent, outcome, detail, moment))


USE_CASES: dict[str, UseCase[Any, Any]] = {}
"""All use cases by name. A test walks them: each for each role, with own, other people's and unknown things."""


def use_case(rule: Rule, acts: bool) -> Callable[[Callable[[Call, Q], Awaitable[A]]], UseCase[Q, A]]:
    """Make a coroutine a use case. Its name is that of its module and its own."""

    def make(run: Callable[[Call, Q], Awaitable[A]]) -> UseCase[Q, A]:
        hints = get_type_hints(run)
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        made: UseCase[Q, A] = UseCase(name, rule, acts, hints["question"], hints["return"], run)
        USE_CASES[name] = made
        return made

    return make


def read(rule: Rule) -> Callable[[Callable[[Call, Q], Awaitable[A]]], UseCase[Q, A]]:
    """A use case that changes nothing."""
    return use_case(rule, acts=False)


def act(rule: Rule) -> Callable[[Callable[[Call, Q], Awaitable[A]]], UseCase[Q, A]]:
    """A use case that changes something: its intent is recorded before it runs."""
    return use_case(rule, acts=True)
