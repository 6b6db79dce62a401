"""Who asked for what, how that is known, and how it came out."""

from vclab.contract.use_case import Paged, get, needs, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission


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


class Asked(Paged):
    """Whose acts, and upon what; empty: all."""

    user: str = ""
    subject: str = ""
    limit: int = 100


listing = read(
    "audit.listing",
    needs(Permission.AUDIT),
    Asked,
    tuple[Intent, ...],
    get("/acts"),
    "What people asked for: the acts that fit all that is given, newest first.",
    pages="id",
)
