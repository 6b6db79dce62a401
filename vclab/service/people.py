"""The people of a lab."""

from vclab.service.use_case import Call, Nothing, Rule, read
from vclab.service.views import View


class Me(View):
    """Who the caller is to the lab."""

    login: str
    roles: tuple[str, ...]
    zone: str  #: IANA time zone in which this person reads times
    affiliation: str


@read(Rule.ANYBODY)
async def me(call: Call, question: Nothing) -> Me:
    """Who calls. Somebody without an entry reads times in UTC."""
    actor = call.actor
    user = actor.user
    return Me(
        login=actor.login,
        roles=tuple(sorted(actor.roles)),
        zone=user.zone if user else "UTC",
        affiliation=user.affiliation if user else "",
    )
