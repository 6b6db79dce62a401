"""Who asked for what, how that is known, and how it came out."""

from collections.abc import Sequence

from vclab.service import checks
from vclab.service.finding import SHORTEST, plain
from vclab.service.use_case import Call, Question, Rule, read
from vclab.service.views import Time, View
from vclab.store import intents, reservations


class Intent(View):
    """An act that somebody asked for, and how it came out."""

    id: str
    at: Time
    actor: str
    account: str | None  #: the local account behind the actor
    authentication: str
    roles: tuple[str, ...]
    verb: str
    subject: str | None
    for_user: str | None
    arguments: dict[str, object]
    outcome: str
    detail: str | None
    answered_at: Time | None


class Asked(Question):
    """Whose acts, and upon what; empty: all. The newest ``limit``."""

    user: str = ""
    subject: str = ""
    limit: int = 100


@read(Rule.OPERATORS)
async def listing(call: Call, question: Asked) -> tuple[Intent, ...]:
    """What people asked for: the newest acts that fit all that is given, oldest first."""
    checks.limit(question.limit)
    subject = await _subject(call, question.subject)
    found = await call.backend.read(lambda s: intents.newest(s, question.limit, question.user, subject))
    return tuple(
        Intent(**{name: None if (value := getattr(each, name)) == "" else value for name in Intent.model_fields})
        for each in found
    )


async def _subject(call: Call, name: str) -> str:
    """A reservation may be named as everywhere else; anything else by its whole name."""
    with_prefix: Sequence[str] = ()
    if name:
        with_prefix = await call.backend.read(lambda s: reservations.beginning(s, plain(name), None, 2))
    return with_prefix[0] if len(with_prefix) == 1 and len(plain(name)) >= SHORTEST else name
