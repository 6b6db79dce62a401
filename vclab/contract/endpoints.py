"""Endpoints, which provision: list, show, add, edit, check, disable, remove.

Adding and editing are two calls where somebody logs in: ``preview_add`` and ``preview_edit`` check the question and
show the certificate; the act carries the fingerprint that was confirmed, and the password.
"""

from typing import Any

from pydantic import Field, SecretStr

from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Nothing, act, anybody, delete, get, needs, patch, post, put, read
from vclab.contract.views import Time, View
from vclab.model import catalog as model
from vclab.model.access import Permission, ResourceKind


class Endpoint(View):
    """An endpoint as it is recorded."""

    name: str
    module: str
    url: str | None  #: empty: there is nothing to log in to; null: the caller neither keeps nor maintains it
    username: str | None  #: null: as its URL
    password_ref: str | None  #: where its password is among the secrets; null: as its URL
    fingerprint: str  #: SHA-256 of its certificate, pinned
    site: str
    cpu_overcommit: float
    memory_reserve_mb: int
    module_data: dict[str, Any] | None  #: null: it can't be read
    after_use: model.AfterUse  #: of a group of computers that are lent: what becomes of them
    error: str | None  #: why the module's data can't be read
    disabled_at: Time | None  #: nothing is placed there since then; null: it is enabled
    disabled_why: str


class Host(View):
    """A host of an endpoint: what it may give to our machines."""

    name: str
    cpus: int
    memory_mb: int
    usable: bool
    why_not: str
    datastores: tuple[str, ...]
    networks: tuple[str, ...]


class Datastore(View):
    """A datastore of an endpoint. ``disk_gb``: for our machines, what they hold already included."""

    name: str
    disk_gb: int
    free_gb: int
    usable: bool
    why_not: str
    linked: bool  #: machines' disks can be children of an image's copy; else each one is a full copy
    filled: bool  #: it is not usable since less of it is free than is to stay so


class CheckedEndpoint(Endpoint):
    """An endpoint, and what it answered. ``product`` is empty where there is nothing to log in to."""

    product: str
    usable: bool
    why_not: str  #: why no machine can be placed there
    hosts: tuple[Host, ...]
    datastores: tuple[Datastore, ...]
    missing_masters: tuple[str, ...]
    lacking: tuple[str, ...]  #: privileges that the login lacks, a line an object
    warnings: tuple[str, ...]  #: what the endpoint can't do as it is, a line each; all else works


class Login(View):
    """What must be confirmed and given before an endpoint is added or changed."""

    url: str  #: empty: nobody logs in there
    username: str
    certificate: str  #: SHA-256 that it shows now, to be confirmed; empty: it is confirmed
    password: bool  #: its password must be given


class Given(Named):
    """What an endpoint consists of; what is None stays. ``data``: fields of what only its module knows."""

    url: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    fingerprint: str | None = None  #: SHA-256 of the certificate that was confirmed
    site: str | None = None
    cpu_overcommit: float | None = None
    memory_reserve_mb: int | None = None
    after_use: str | None = None  #: of a group of computers that are lent: on, off or unloaded
    data: dict[str, str] = Field(default_factory=dict)


class Add(Given):
    """A new endpoint."""

    module: str = model.DEFAULT_MODULE


class Edit(Given):
    """Changes. ``certificate``: pin the one that it shows now; ``new_password``: it has another password."""

    certificate: bool = False
    new_password: bool = False


listing = read(
    "endpoints.listing",
    anybody(),
    Nothing,
    tuple[Endpoint, ...],
    get("/endpoints"),
    "All endpoints, by name.",
)


show = read(
    "endpoints.show",
    anybody(),
    Named,
    Endpoint,
    get("/endpoints/{name}"),
    "One endpoint as it is recorded.",
)


check = read(
    "endpoints.check",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Named,
    CheckedEndpoint,
    post("/endpoints/{name}/check"),
    "Ask an endpoint what it can hold now, and remember which images' masters it has.",
    long=True,
)


preview_add = read(
    "endpoints.preview_add",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Add,
    Login,
    post("/endpoints/{name}/preview-add"),
    "Check a new endpoint without its password, and say what its login needs.",
)


preview_edit = read(
    "endpoints.preview_edit",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Edit,
    Login,
    post("/endpoints/{name}/preview-edit"),
    "Check changes without a password, and say what the login needs.",
)


add = act(
    "endpoints.add",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Add,
    CheckedEndpoint,
    put("/endpoints/{name}"),
    "Add an endpoint: log in, look, and keep it if it can be used. The same again changes nothing.",
    long=True,
)


edit = act(
    "endpoints.edit",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Edit,
    CheckedEndpoint,
    patch("/endpoints/{name}"),
    "Change an endpoint: it is tried first, and nothing is changed if that fails.",
    long=True,
)


disable = act(
    "endpoints.disable",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Disable,
    Endpoint,
    post("/endpoints/{name}/disable"),
    "Nothing is placed at the endpoint from now on; what runs there goes on.",
)


enable = act(
    "endpoints.enable",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Named,
    Endpoint,
    post("/endpoints/{name}/enable"),
    "Things are placed at the endpoint again.",
)


remove = act(
    "endpoints.remove",
    needs(Permission.KEEP, ResourceKind.ENDPOINT),
    Named,
    None,
    delete("/endpoints/{name}"),
    "Remove an endpoint that nothing uses, and its password. Nothing is changed there.",
)
