"""The people of a lab."""

from contextlib import suppress

from vclab.contract import people as contract
from vclab.contract.people import Me
from vclab.contract.use_case import Nothing
from vclab.model.access import Role
from vclab.model.errors import VclabError
from vclab.service.use_case import Call, does


@does(contract.me)
async def me(call: Call, question: Nothing) -> Me:
    actor = call.actor
    user, granted = actor.user, frozenset[Role]()
    with suppress(VclabError):  # a store that does not answer does not keep anybody from being told who they are
        granted = frozenset(grant.role for grant in (await call.rights()).grants if grant.id)
    return Me(
        login=actor.login,
        roles=tuple(sorted(actor.roles | granted)),
        zone=user.zone if user else "UTC",
        affiliation=user.affiliation if user else "",
    )
