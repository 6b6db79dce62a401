"""The people who may reserve: list, show, add, edit, disable, remove."""

from pydantic import SecretStr

from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Paged, act, anybody, delete, get, needs, oneself_or, patch, post, put, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission, ResourceKind


class Person(View):
    """A person who may reserve."""

    login: str
    uid: int
    affiliation: str
    public_keys: tuple[str, ...]  #: without one, they log in with one-time passwords
    zone: str  #: IANA time zone
    operator: bool
    disabled_at: Time | None  #: they can't reserve since then; null: they can
    disabled_why: str


class Which(Paged):
    """Which people to list; what is empty is not asked for."""

    affiliation: str = ""


class Add(Named):
    """A new person. ``uid``: None assigns the next free one."""

    uid: int | None = None
    public_keys: tuple[str, ...] | None = None
    zone: str | None = None
    affiliation: str | None = None


class Edit(Add):
    """Changes; what is None stays. ``add_keys`` are added to the keys, ``public_keys`` replace them."""

    add_keys: tuple[str, ...] = ()


class NewPassword(Named):
    """The password of a local account. ``current``: one's own needs it; others' are reset by administrators."""

    password: SecretStr
    current: SecretStr | None = None


class Link(Named):
    """An account at an identity provider. ``subject``: as it names people for good, its claim ``sub``."""

    provider: str
    subject: str


class Remains(View):
    """What is known of a person, and would be forgotten."""

    login: str
    keys: int
    reservations: int  #: all have ended; they stay, under a pseudonym
    last_ended: Time | None
    acts: int  #: that they have asked for; these stay too
    addresses: int  #: that they came from


class Forgotten(View):
    """A person was forgotten. Nothing here, and nothing that is kept, tells who it was."""

    pseudonym: str  #: what stands where their name stood
    rows: int  #: in which something was replaced or deleted
    histories: int  #: of workflows, deleted at once; those that are left go when the namespace's retention is over


listing = read(
    "users.listing",
    anybody(),
    Which,
    tuple[Person, ...],
    get("/users"),
    "The people who may reserve, by login name: oneself, and those over whom one has a role.",
    pages="login",
)


show = read(
    "users.show",
    anybody(),
    Named,
    Person,
    get("/users/{name}"),
    "One person: oneself, or one over whom one has a role. Others read as not found.",
)


add = act(
    "users.add",
    needs(Permission.KEEP, ResourceKind.USER),
    Add,
    Person,
    put("/users/{name}"),
    "Add a person. The same again changes nothing.",
)


edit = act(
    "users.edit",
    needs(Permission.KEEP, ResourceKind.USER),
    Edit,
    Person,
    patch("/users/{name}"),
    "Change a person; their keys only who may all that they may. Computers that they have now take the keys with the "
    "next Connect.",
)


disable = act(
    "users.disable",
    needs(Permission.KEEP, ResourceKind.USER),
    Disable,
    Person,
    post("/users/{name}/disable"),
    "The person can't reserve from now on; their reservations go on.",
)


enable = act(
    "users.enable",
    needs(Permission.KEEP, ResourceKind.USER),
    Named,
    Person,
    post("/users/{name}/enable"),
    "The person can reserve again.",
)


remove = act(
    "users.remove",
    needs(Permission.KEEP, ResourceKind.USER),
    Named,
    None,
    delete("/users/{name}"),
    "Remove a person without open reservations. The history keeps their name.",
)


set_password = act(
    "users.set_password",
    oneself_or(Permission.KEEP),
    NewPassword,
    Person,
    post("/users/{name}/password"),
    "Set the password of a local account: one's own, or as an administrator. Its browsers and tokens are signed out.",
)


link = act(
    "users.link",
    needs(Permission.KEEP, ResourceKind.USER),
    Link,
    Person,
    post("/users/{name}/link"),
    "Say that an account at an identity provider is this person's, before they first sign in with it.",
)


remains = read(
    "users.remains",
    needs(Permission.KEEP, ResourceKind.USER),
    Named,
    Remains,
    get("/users/{name}/remains"),
    "What is known of a person without open reservations, and would be forgotten.",
)


forget = act(
    "users.forget",
    needs(Permission.KEEP, ResourceKind.USER),
    Named,
    Forgotten,
    post("/users/{name}/forget"),
    "Forget a person without open reservations: a pseudonym stands for them everywhere. This can't be undone.",
)
