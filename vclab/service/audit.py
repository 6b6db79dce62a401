"""Who asked for what, how that is known, and how it came out."""

from collections.abc import Sequence

from vclab.contract import audit as contract
from vclab.contract.audit import Asked, Intent
from vclab.service import checks
from vclab.service.finding import SHORTEST, plain
from vclab.service.use_case import Call, does
from vclab.store import intents, reservations
from vclab.store.intents import Sought


@does(contract.listing)
async def listing(call: Call, question: Asked) -> tuple[Intent, ...]:
    checks.limit(question.limit)
    for moment, what in ((question.since, "time `since`"), (question.until, "time `until`")):
        if moment is not None:
            checks.with_zone(moment, what)
    subject = await _subject(call, question.subject)
    sought = Sought(
        actor=question.user,
        subject=subject,
        address=question.address,
        token=question.token,
        outcome=question.outcome,
        since=question.since,
        until=question.until,
        before=question.cursor,
    )
    found = await call.backend.read(lambda s: intents.newest(s, question.limit, sought))
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
