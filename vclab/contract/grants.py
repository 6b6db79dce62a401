"""Grants: who has which role over what."""

from vclab.contract.groups import GRANTS
from vclab.contract.use_case import Paged, Question, act, anybody, delete, get, post, read
from vclab.contract.views import Time, View
from vclab.model.access import Role, ToKind


class Grant(View):
    """A role, to somebody, over something."""

    id: int  #: below 0: it is not in the store, and can't be taken back
    role: Role
    to_kind: ToKind
    to: str  #: login, or group of people; empty: everyone
    on: str  #: a group; empty: everything
    text: str  #: all of that, for people
    made_at: Time | None  #: null: it is not in the store, but follows from the settings or from who runs the command
    made_by: str  #: or what it follows from: "by the setting `operators`"


class Which(Paged):
    """Those that name ``group``; those that reach ``user``. Neither: all."""

    group: str = ""
    user: str = ""


class Add(Question):
    """A role to one of: a ``person``, a ``group`` of people, ``everyone``; over the group ``on``, or over
    ``everything``."""

    role: Role
    person: str = ""
    group: str = ""
    everyone: bool = False
    on: str = ""
    everything: bool = False


class Numbered(Question):
    """A grant."""

    id: int


listing = read(
    "grants.listing",
    anybody(),
    Which,
    tuple[Grant, ...],
    get("/grants"),
    "Grants, oldest first: to those who neither grant nor audit, the ones that reach them.",
    pages="id",
)


add = act(
    "grants.add",
    GRANTS,
    Add,
    Grant,
    post("/grants"),
    "Give somebody a role over a group, or over everything. The same again changes nothing. Nobody gives one to"
    " themselves.",
)


remove = act(
    "grants.remove",
    GRANTS,
    Numbered,
    Grant,
    delete("/grants/{id}"),
    "Take a grant back. From the next call on nobody has it.",
)
