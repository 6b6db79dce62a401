"""Who asked for what, how that is known, and how it came out."""

from datetime import datetime

from vclab.contract.use_case import Paged, Rule, get, read
from vclab.contract.views import Time, View
from vclab.model.intents import Outcome


class Intent(View):
    """An act that somebody asked for, and how it came out."""

    id: str
    at: Time
    actor: str
    account: str | None  #: the account behind the actor: a local one, or at an identity provider
    token: str | None  #: the id of the token or session that was shown
    address: str | None  #: from where they asked; null: on the server itself
    authentication: str
    roles: tuple[str, ...]
    verb: str
    subject: str | None
    for_user: str | None
    arguments: dict[str, object]
    outcome: str
    detail: str | None
    answered_at: Time | None


class Asked(Paged):
    """Whose acts, upon what, when, from where, by which token; empty: all."""

    user: str = ""
    subject: str = ""
    address: str = ""
    token: str = ""
    since: datetime | None = None
    until: datetime | None = None
    outcome: Outcome | None = None
    limit: int = 100


listing = read(
    "audit.listing",
    Rule.OPERATORS,
    Asked,
    tuple[Intent, ...],
    get("/acts"),
    "What people asked for, also in vain: the acts that fit all that is given, newest first.",
    pages="id",
)
