"""Who may use Temporal's web UI, and what they do there: it can end and signal workflows past the service layer."""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from vclab.model.access import LAB, Permission, Role
from vclab.model.errors import Forbidden
from vclab.model.intents import Intent, Outcome
from vclab.model.messages import workflow_id
from vclab.model.tokens import Scope
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.rights import rights_of
from vclab.service.use_case import intent_of, recorded, refused

VERB = "temporal.ui"
"""Of what is done there."""
LONGEST = 500
"""Characters of a path that are recorded."""
_READS = frozenset({"GET", "HEAD"})
_WORKFLOW = re.compile(r"/workflows/([^/]+)")


class Answer(Protocol):
    """What the UI has answered."""

    status_code: int


A = TypeVar("A", bound=Answer)


async def ask(backend: Backend, actor: Actor, method: str, path: str, pass_on: Callable[[], Awaitable[A]]) -> A:
    """What the UI answers to an operator. What is no read is recorded before it is passed on, with how it came out.

    Raises ``Forbidden``, ``Unreachable``, and as ``pass_on`` does.
    """
    reads = method in _READS
    rights = await backend.read(lambda session: rights_of(session, actor))
    intent = _intent(actor, rights.roles_over(LAB), method, path)
    try:
        _confirm(actor, rights.decide(Permission.OPERATE).allowed, reads)
    except Forbidden as error:
        if not reads:
            await refused(backend, intent, error)
        raise
    return await pass_on() if reads else await recorded(backend, intent, pass_on, _outcome)


def _confirm(actor: Actor, operates: bool, reads: bool) -> None:
    """Raises ``Forbidden``."""
    if not operates:
        raise Forbidden("Temporal's web UI is for operators", "`vclab show` and `vclab history` tell of reservations")
    if not reads and Scope.ACT not in actor.scopes:
        raise Forbidden("this token may only read", "use one with the scope act")


def _intent(actor: Actor, roles: frozenset[Role], method: str, path: str) -> Intent:
    """What is sent along is not recorded: it may hold anything."""
    found = _WORKFLOW.search(path)
    subject = found.group(1)[:LONGEST].removeprefix(workflow_id("")) if found else ""
    return intent_of(actor, uuid.uuid4().hex, VERB, subject, roles, {"method": method, "path": path[:LONGEST]})


def _outcome(answer: Answer) -> tuple[Outcome, str]:
    if answer.status_code < 400:
        return Outcome.DONE, ""
    said = f"Temporal's web UI answered {answer.status_code}"
    return (Outcome.REFUSED if answer.status_code < 500 else Outcome.UNANSWERED), said
