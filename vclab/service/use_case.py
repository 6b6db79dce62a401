"""How a use case is answered: who may is checked, what is asked for is recorded, and then it runs.

The contract declares use cases (``vclab.contract``); here each one has the coroutine that does it.
"""

import asyncio
import importlib
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from vclab.contract.progress import Told, nobody
from vclab.contract.use_case import A, Q, Question, Rule, UseCase
from vclab.model.access import LAB, Decision, Permission, Resource, ResourceKind, Rights, Role
from vclab.model.errors import Forbidden, Interrupted, Invalid, NotFound, Refused, Unreachable, VclabError
from vclab.model.intents import Intent, Outcome
from vclab.model.reservations import ReservationView
from vclab.model.tokens import Scope
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.finding import Seen, seen_reservation
from vclab.service.rights import rights_of
from vclab.store import access, intents

T = TypeVar("T")

INTERRUPTED = "interrupted: whoever asked for it did not wait"
LAST_WORD = 1.0
"""Seconds in which it can be recorded that an act was interrupted; who interrupts it waits so long."""


@dataclass(frozen=True)
class Call:
    """One call: who calls, what it works with, and what the rule has found already."""

    backend: Backend
    actor: Actor
    intent: str = ""  #: of an act: the id under which it is recorded, and which messages to workflows carry
    own: Seen[ReservationView] | None = None  #: the reservation that was named, if the rule finds it
    roles: frozenset[Role] = frozenset()  #: what the actor is to that which was named
    told: Told = nobody  #: is told how far work is that takes long
    content: AsyncIterator[bytes] | None = None  #: the file that goes along, of a use case to which one is sent

    @property
    def reservation(self) -> ReservationView:
        """The reservation that was named, which the actor may see. Only of a use case ``about_reservation``."""
        return self.seen.view

    @property
    def seen(self) -> Seen[ReservationView]:
        """The same, with what the actor may do to it."""
        assert self.own is not None
        return self.own

    async def rights(self) -> Rights:
        """The actor's rights at this moment."""
        return await self.backend.read(lambda session: rights_of(session, self.actor))

    async def may(self, permission: Permission, over: ResourceKind = ResourceKind.LAB, name: str = "") -> bool:
        """Whether the actor may, over a thing of the catalog, known or not, or over the lab."""
        return (await self._decide(permission, over, name)).allowed

    async def must(self, permission: Permission, over: ResourceKind = ResourceKind.LAB, name: str = "") -> None:
        """Raises ``Forbidden`` when the actor may not."""
        confirm(await self._decide(permission, over, name))

    async def _decide(self, permission: Permission, over: ResourceKind, name: str) -> Decision:
        def ask(session: Session) -> Decision:
            thing = LAB if over is ResourceKind.LAB else access.of_thing(session, over, name)
            return rights_of(session, self.actor).decide(permission, thing)

        return await self.backend.read(ask)

    async def work(self, work: Callable[[Callable[[int, int], None]], T], what: str) -> T:
        """Run long work in a thread; it tells its progress, in bytes done and of how many. When it is cancelled, it is
        stopped the next time that it does so, and waited for. Raises ``Interrupted``, and as the work does."""
        stop = threading.Event()

        def heard(done: int, size: int) -> None:
            if stop.is_set():
                raise Interrupted("stopped as asked; nothing is left of it")
            self.told(what, done, size)

        running = asyncio.ensure_future(asyncio.to_thread(work, heard))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([running])
            running.exception()
            raise


async def perform(
    use_case: UseCase[Q, A],
    backend: Backend,
    actor: Actor,
    question: Q,
    told: Told = nobody,
    intent: str = "",
    content: AsyncIterator[bytes] | None = None,
) -> A:
    """Check the rule, record the intent, run. Raises ``Refused``, ``NotFound``, ``Invalid``, ``Unreachable``.

    ``intent``: the id under which an act is recorded; empty: a new one. A repeat with the same id changes nothing.
    ``content``: the file that goes along, of a use case to which one is sent.
    """
    intent = intent or uuid.uuid4().hex
    try:
        call = replace(await permitted(use_case, backend, actor, question), told=told, content=content)
    except (Refused, NotFound) as error:  # not found is what it reads as to those who may not see it
        if use_case.acts or isinstance(error, Refused):
            await refused(backend, _intent(use_case, Call(backend, actor, intent), question), error)
        raise
    if use_case.acts:
        return await _recorded(use_case, replace(call, intent=intent), question)
    return await implementation(use_case)(call, question)


# --- what does it ----------------------------------------------------------------------------------------------------

_DONE_BY: dict[str, Callable[[Call, Any], Awaitable[Any]]] = {}


def does(use_case: UseCase[Q, A]) -> Callable[[Callable[[Call, Q], Awaitable[A]]], Callable[[Call, Q], Awaitable[A]]]:
    """This coroutine does what the contract declares. It stands in the module that has the name of the contract's."""

    def keep(run: Callable[[Call, Q], Awaitable[A]]) -> Callable[[Call, Q], Awaitable[A]]:
        if use_case.name in _DONE_BY:
            raise ValueError(f"{use_case.name} is done twice")
        _DONE_BY[use_case.name] = run
        return run

    return keep


_COMPLETED_BY: dict[str, Callable[[Actor, Any], Any]] = {}


def completes(use_case: UseCase[Q, A]) -> Callable[[Callable[[Actor, Q], Q]], Callable[[Actor, Q], Q]]:
    """This function adds to the question of an act what is known of its caller, before it is recorded. It refuses
    nothing."""

    def keep(complete: Callable[[Actor, Q], Q]) -> Callable[[Actor, Q], Q]:
        _COMPLETED_BY[use_case.name] = complete
        return complete

    return keep


def implementation(use_case: UseCase[Q, A]) -> Callable[[Call, Q], Awaitable[A]]:
    """What does it. Its module is imported when it is first needed. Raises ``LookupError`` when nothing does."""
    if use_case.name not in _DONE_BY:
        importlib.import_module(f"vclab.service.{use_case.name.partition('.')[0]}")
    return _DONE_BY[use_case.name]


# --- who may ---------------------------------------------------------------------------------------------------------


async def permitted(use_case: UseCase[Q, A], backend: Backend, actor: Actor, question: Q) -> Call:
    """The call, if the rule allows it. Raises ``Forbidden``, and ``NotFound`` for a reservation that they don't see."""
    rule, call = use_case.rule, Call(backend, actor)
    if use_case.acts and Scope.ACT not in actor.scopes:
        raise Forbidden("this token may only read", "use one with the scope act")
    if rule.users and actor.user is None:
        raise NotFound(f"{actor.login} is not a user of this lab", "ask an operator to add you")
    if rule.permission is None:
        return call
    if use_case.about_reservation:
        seen = await seen_reservation(backend, actor, getattr(question, rule.field))
        confirm(seen.rights.decide(rule.permission, seen.resource))
        if rule.of_image is not None:
            image = await backend.read(lambda s: access.of_thing(s, ResourceKind.IMAGE, seen.view.image))
            confirm(seen.rights.decide(rule.of_image, image))
        return replace(call, own=seen, roles=seen.rights.roles_over(seen.resource))
    rights, resources = await backend.read(lambda s: (rights_of(s, actor), _things(s, rule, question)))
    for resource in resources:
        if rule.oneself and resource.name == actor.login:
            continue
        confirm(rights.decide(rule.permission, resource))
    return replace(call, roles=_roles(rule, rights, resources))


def _things(session: Session, rule: Rule, question: Question) -> list[Resource]:
    """What the question is about: all that it names, or the lab, where it names nothing."""
    named: str | tuple[str, ...] = getattr(question, rule.field) if rule.field else ()
    names = (named,) if isinstance(named, str) else named
    return [access.of_thing(session, rule.over, name) for name in names] or [LAB]


def _roles(rule: Rule, rights: Rights, resources: Sequence[Resource]) -> frozenset[Role]:
    """What the actor is to all of them. Nobody knows yet where a reservation will be: there only the lab counts."""
    if rule.permission is Permission.RESERVE:
        return rights.roles_over(LAB)
    return frozenset.intersection(*(rights.roles_over(each) for each in resources))


def confirm(decision: Decision) -> None:
    """Raises ``Forbidden`` with the reason."""
    if not decision.allowed:
        raise Forbidden(decision.reason(), "an administrator grants it: `vclab grant add --help`")


# --- what is asked for -----------------------------------------------------------------------------------------------


async def _recorded(use_case: UseCase[Q, A], call: Call, question: Q) -> A:
    """Write the intent, run, and write how it came out."""
    run = implementation(use_case)
    if complete := _COMPLETED_BY.get(use_case.name):
        question = complete(call.actor, question)
    return await recorded(call.backend, _intent(use_case, call, question), lambda: run(call, question))


def _done(answer: object) -> tuple[Outcome, str]:
    return Outcome.DONE, ""


async def recorded(
    backend: Backend,
    intent: Intent,
    run: Callable[[], Awaitable[T]],
    outcome_of: Callable[[T], tuple[Outcome, str]] = _done,
) -> T:
    """Write the intent, run, and write how it came out: as ``outcome_of`` says of the answer, or by what was raised."""
    await backend.write(lambda session: intents.write(session, intent))
    try:
        answer = await run()
    except asyncio.CancelledError:  # whoever asked went away, or pressed Ctrl-C
        noting = asyncio.ensure_future(_note(backend, intent.id, Outcome.UNANSWERED, INTERRUPTED))
        await asyncio.wait([noting], timeout=LAST_WORD)
        raise
    except Exception as error:
        await _note(backend, intent.id, *_outcome_of(error))
        raise
    await _note(backend, intent.id, *outcome_of(answer))
    return answer


async def refused(backend: Backend, intent: Intent, error: VclabError) -> None:
    """Somebody tried what they may not do. A database that is away does not change that they are told so."""
    now = datetime.now(UTC)
    asked = replace(intent, outcome=Outcome.REFUSED, detail=str(error)[: intents.LONGEST], answered_at=now)
    with suppress(VclabError):
        await backend.write(lambda session: intents.write(session, asked))


def _intent(use_case: UseCase[Q, A], call: Call, question: Q) -> Intent:
    named = str(getattr(question, "reservation", "") or getattr(question, "name", ""))
    several: tuple[str, ...] = getattr(question, "names", ())
    if len(several) == 1:
        named = several[0]
    arguments = question.model_dump(mode="json", exclude_defaults=True)  # a SecretStr reads as asterisks
    actor = call.actor
    for_user = actor.login if use_case.rule.users else ""
    if call.own:
        named, for_user = call.own.view.id, call.own.view.user
    return intent_of(actor, call.intent, use_case.name, named, call.roles, arguments, for_user)


def intent_of(
    actor: Actor,
    id: str,
    verb: str,
    subject: str,
    roles: Collection[Role],
    arguments: dict[str, Any],
    for_user: str = "",
) -> Intent:
    """What an actor is about to do."""
    return Intent(
        id=id,
        at=datetime.now(UTC),
        actor=actor.login,
        authentication=str(actor.authentication),
        roles=tuple(sorted(roles)),
        verb=verb,
        subject=subject,
        for_user=for_user,
        account=actor.account,
        token=actor.token,
        address=actor.address,
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
