"""Images as administrators keep them. ``reservations.images`` is the users' list."""

from typing import Any

from pydantic import Field

from vclab.contract.failures import Suspect
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Paged, act, anybody, delete, get, needs, patch, post, put, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission, ResourceKind
from vclab.model.revisions import CopyState, Hardware, RevisionState

MOST_REVISIONS = 1_000_000


class Image(View):
    """An image in its production revision. Memory in MiB, disk in GiB."""

    name: str
    title: str
    revision: int
    module: str
    guest: str  #: empty: vclab does not enter it
    cpus: int
    memory_mb: int
    disk_gb: int
    root_access: bool
    ports: tuple[int, ...]
    endpoint: str  #: the only one that has it; empty: all of its module
    hardware: Hardware  #: that it boots on; empty words: what the module gives by itself
    dedicated: bool  #: each machine's disk is a full copy
    child_factor: float  #: a disk that is a child claims so much of its virtual size; 0: as the site's setting says
    module_data: dict[str, Any] | None  #: null: it can't be read
    error: str | None  #: why the module's data can't be read
    source: str  #: where its content is, for people
    disabled_at: Time | None  #: it can't be reserved since then; null: it can
    disabled_why: str


class ListedImage(Image):
    """An image in a list."""

    suspect: bool  #: its loads failed inside the machine on several hosts


class Revision(View):
    """A revision of an image."""

    revision: int
    state: RevisionState
    endpoint: str
    module_data: dict[str, Any] | None
    error: str | None
    source: str
    suspect: Suspect | None


class CopyPlace(View):
    """A copy of the revision in production."""

    endpoint: str
    datastore: str
    state: CopyState


class DetailedImage(Image):
    """An image with all its revisions. ``copies``: where it is; none: not known, so it is placed anywhere."""

    revisions: tuple[Revision, ...]
    copies: tuple[CopyPlace, ...]


class Which(Paged):
    """Which images to list; what is empty is not asked for."""

    module: str = ""


class Add(Named):
    """A new image; of an existing one, what is None stays. ``data``: fields of what only its module knows."""

    title: str | None = None
    master: str | None = None  #: the path of its master disk; of lab machines the group that has it
    cpus: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    ports: tuple[int, ...] | None = None
    root_access: bool | None = None
    child_factor: float | None = None  #: 0: as the site's setting says
    module: str | None = None
    guest: str | None = None  #: "none": vclab does not enter it
    data: dict[str, str] = Field(default_factory=dict)
    unchecked: bool = False  #: don't ask the endpoints whether they have the master


class Edit(Add):
    """Changes. ``revision``: a new one, or a known one to go back to; it is in production afterwards."""

    revision: int | None = None
    trusted: bool = False  #: clear the suspect flag


listing = read(
    "images.listing",
    anybody(),
    Which,
    tuple[ListedImage, ...],
    get("/images"),
    "All images with what they are made from, by name.",
    pages="name",
)


show = read(
    "images.show",
    anybody(),
    Named,
    DetailedImage,
    get("/images/{name}"),
    "One image and its revisions.",
)


add = act(
    "images.add",
    needs(Permission.KEEP, ResourceKind.IMAGE),
    Add,
    Image,
    put("/images/{name}"),
    "Add an image, in its first revision. The same again changes nothing.",
    long=True,
)


edit = act(
    "images.edit",
    needs(Permission.KEEP, ResourceKind.IMAGE),
    Edit,
    Image,
    patch("/images/{name}"),
    "Change an image. Running reservations keep what they were placed with.",
    long=True,
)


check = act(
    "images.check",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Named,
    DetailedImage,
    post("/images/{name}/check"),
    "Ask all endpoints for the image's master, and remember which have it: it is placed only there.",
    long=True,
)


disable = act(
    "images.disable",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Disable,
    Image,
    post("/images/{name}/disable"),
    "The image can't be reserved from now on; reservations of it go on.",
)


enable = act(
    "images.enable",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Named,
    Image,
    post("/images/{name}/enable"),
    "The image can be reserved again.",
)


remove = act(
    "images.remove",
    needs(Permission.KEEP, ResourceKind.IMAGE),
    Named,
    None,
    delete("/images/{name}"),
    "Remove an image that nothing uses. What an administrator has put somewhere stays there; what vclab has made of "
    "it is deleted after the keep time of retired revisions.",
)
