"""Who had which computer, which addresses and which revision, from when to when."""

from datetime import datetime
from typing import Annotated

from pydantic import AliasChoices, Field

from vclab.contract.use_case import Paged, get, needs, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission
from vclab.model.states import Ending

Since = Annotated[Time, Field(validation_alias=AliasChoices("from", "from_"), serialization_alias="from")]
"""The field "from", which no name in Python can be."""


class Addresses(View):
    """The addresses of a computer for some time."""

    private: str | None
    public: str | None
    from_: Since
    until: Time | None


class Stay(View):
    """A computer in one hand."""

    id: int
    computer: str
    generation: int
    holder: str  #: the reservation's id, or what else held it
    purpose: str
    user: str | None
    requested_by: str | None
    image: str | None
    revision: int | None
    endpoint: str | None
    host: str | None
    from_: Since
    ready: Time | None
    connected: Time | None
    ended: Time | None
    ending: Ending | None
    until: Time | None  #: when the computer was verified gone or clean; null: still held
    addresses: tuple[Addresses, ...]


class Had(Paged):
    """Of whom or what, and when. At least one must be given."""

    computer: str = ""
    user: str = ""
    address: str = ""
    at: datetime | None = None
    limit: int = 100


listing = read(
    "history.listing",
    needs(Permission.AUDIT),
    Had,
    tuple[Stay, ...],
    get("/stays"),
    "Who had which computer: the stays that fit all that is given, newest first.",
    pages="id",
)
