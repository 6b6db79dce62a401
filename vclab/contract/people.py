"""The people of a lab."""

from vclab.contract.heard import Login
from vclab.contract.use_case import Nothing, anybody, get, read
from vclab.contract.views import View


class Me(View):
    """Who the caller is to the lab."""

    login: Login
    roles: tuple[str, ...]  #: over anything; `grants` tell over what
    zone: str  #: IANA time zone in which this person reads times
    affiliation: str


me = read(
    "people.me",
    anybody(),
    Nothing,
    Me,
    get("/me"),
    "Who calls. Somebody without an entry reads times in UTC.",
)
