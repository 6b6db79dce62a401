"""The people of a lab."""

from vclab.contract import people as contract
from vclab.contract.people import Me
from vclab.contract.use_case import Nothing
from vclab.service.use_case import Call, does


@does(contract.me)
async def me(call: Call, question: Nothing) -> Me:
    actor = call.actor
    user = actor.user
    return Me(
        login=actor.login,
        roles=tuple(sorted(actor.roles)),
        zone=user.zone if user else "UTC",
        affiliation=user.affiliation if user else "",
    )
