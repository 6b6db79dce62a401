"""The library: revisions of images, imported and exported, promoted and retired, verified, copied, deleted."""

from pydantic import Field

from vclab.contract.retiring import Named
from vclab.contract.use_case import Route, act, anybody, get, needs, post, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission, ResourceKind
from vclab.model.errors import Invalid
from vclab.model.revisions import CopyState, Place, RevisionState


class CopyView(View):
    """A copy of a revision."""

    place: str  #: "ds1 of vc1", "the repository main"
    endpoint: str | None  #: None: it is in a repository
    storage: str  #: or the repository
    state: CopyState
    why: str
    since: Time
    ours: bool  #: vclab has made it, and may delete it
    verified_at: Time | None  #: all its bytes were read, and right
    waiting: int  #: reservations that wait for it
    children: tuple[str, ...]  #: computers whose disks are made from it


class RevisionView(View):
    """A revision, where it comes from, and where it is."""

    image: str
    revision: int
    state: RevisionState
    sha256: str  #: of all bytes of its disk; empty: never read
    size: int  #: bytes of its disk; 0: not known
    made_at: Time | None
    made_by: str
    parent: str  #: the revision that it was made from: "debian-12/3"; empty: none
    reservation: str  #: in which it was made
    notes: str
    untried: bool  #: it was captured, and published without a boot test
    differs: int  #: bytes that were written since it was its parent; 0: not known
    retired_at: Time | None
    copies: tuple[CopyView, ...]


class Numbered(Named):
    """A revision of an image."""

    revision: int


class Import(Named):
    """A disk image's file becomes a revision of an image; what is None is as in the revision in production.

    The file is one that was sent, or a path where the service runs, which only who keeps the whole lab may name.
    """

    transfer: str = ""  #: what was sent (``transfers.py``); it goes when it is imported
    file: str = ""
    title: str | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    ports: tuple[int, ...] | None = None
    root_access: bool | None = None
    module: str | None = None
    guest: str | None = None
    firmware: str | None = None
    controller: str | None = None
    card: str | None = None
    dedicated: bool | None = None
    notes: str = ""
    repository: str | None = None
    data: dict[str, str] = Field(default_factory=dict)


class Export(Named):
    """A revision becomes a file; None: the one in production."""

    file: str = ""  #: a new path where the service runs, of who keeps the whole lab; empty: it is made to be fetched
    revision: int | None = None
    format: str = "qcow2"


class Exported(View):
    """A file that was written."""

    file: str
    transfer: str | None = None  #: it is fetched by this id
    format: str
    bytes: int  #: that it takes
    sha256: str  #: of the disk's content


class CopyTo(Numbered):
    """A copy is wanted: on a datastore of an endpoint, or in a repository. ``at_once``: whatever night the settings
    name."""

    endpoint: str | None = None
    datastore: str | None = None
    repository: str | None = None
    at_once: bool = False

    def place(self) -> Place:
        """Where. Raises ``Invalid`` when that is not said, or twice."""
        if self.repository and not self.endpoint and not self.datastore:
            return Place("", self.repository)
        if self.endpoint and self.datastore and not self.repository:
            return Place(self.endpoint, self.datastore)
        raise Invalid("say where the copy is to be", "give --endpoint and --datastore, or else --repository")


history = read(
    "library.history",
    anybody(),
    Named,
    tuple[RevisionView, ...],
    get("/images/{name}/revisions"),
    "All revisions of an image, newest first.",
)


import_image = act(
    "library.import_image",
    needs(Permission.KEEP, ResourceKind.IMAGE),
    Import,
    RevisionView,
    post("/images/{name}/revisions"),
    "Take a disk image into the library. The first revision of an image is in production, others are for tests.",
    long=True,
)


export_image = act(
    "library.export_image",
    needs(Permission.KEEP, ResourceKind.IMAGE),
    Export,
    Exported,
    post("/images/{name}/export"),
    "Write a revision to a new file, with the same content.",
    long=True,
)


promote = act(
    "library.promote",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Numbered,
    RevisionView,
    post("/images/{name}/revisions/{revision}/promote"),
    "New reservations, and those for later, get this revision. The one before is a test revision then.",
)


retire = act(
    "library.retire",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Numbered,
    RevisionView,
    post("/images/{name}/revisions/{revision}/retire"),
    "It can't be reserved any more, and its idle copies are deleted. `restore` takes that back.",
)


restore = act(
    "library.restore",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Numbered,
    RevisionView,
    post("/images/{name}/revisions/{revision}/restore"),
    "A retired revision is a test revision again.",
)


delete = act(
    "library.delete",
    needs(Permission.KEEP, ResourceKind.IMAGE),
    Numbered,
    RevisionView,
    Route("DELETE", "/images/{name}/revisions/{revision}"),
    "Delete a retired revision and the copies that vclab has made of it. Refused while anything needs it. "
    "They are deleted in the background; what the endpoint itself says is needed stays.",
)


verify = act(
    "library.verify",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    Numbered,
    RevisionView,
    post("/images/{name}/revisions/{revision}/verify"),
    "Read its copies in repositories back, all of them. One that has other bytes is broken from then on.",
    long=True,
)


copy = act(
    "library.copy",
    needs(Permission.PUBLISH, ResourceKind.IMAGE),
    CopyTo,
    RevisionView,
    post("/images/{name}/revisions/{revision}/copies"),
    "Have a copy made on a datastore, before anybody waits for one, or in a repository: in the night, if the settings"
    " name one.",
)
