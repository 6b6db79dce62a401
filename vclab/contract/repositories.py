"""Repositories, as administrators keep them."""

from vclab.contract.retiring import Named
from vclab.contract.use_case import Nothing, act, anybody, get, needs, post, put, read
from vclab.contract.views import View
from vclab.model.access import Permission
from vclab.model.revisions import CopyState


class Repository(View):
    """A repository."""

    name: str
    site: str
    folder: str


class Kept(View):
    """A revision in a repository."""

    image: str
    revision: int
    bytes: int  #: that it takes on the repository's disk
    recorded: CopyState | None  #: as the database says; None: it does not know of it


class DetailedRepository(Repository):
    """A repository, its room, and what is in it."""

    free: int  #: bytes
    promised: int  #: to what is being written
    kept: tuple[Kept, ...]
    missing: tuple[str, ...]  #: revisions that should be there
    faults: tuple[str, ...]  #: records that can't be understood
    swept: int  #: what was half-written, and is deleted now


class Add(Named):
    """A new repository. ``folder``: a path that all workers of the site reach."""

    folder: str
    site: str | None = None


listing = read(
    "repositories.listing",
    anybody(),
    Nothing,
    tuple[Repository, ...],
    get("/repositories"),
    "All repositories, by name.",
)


show = read(
    "repositories.show",
    needs(Permission.KEEP),
    Named,
    DetailedRepository,
    get("/repositories/{name}"),
    "One repository, its room, and what is in it. It must be reached from here.",
    long=True,
)


add = act(
    "repositories.add",
    needs(Permission.KEEP),
    Add,
    DetailedRepository,
    put("/repositories/{name}"),
    "Make a repository in a new or empty folder, or take one that is there.",
    long=True,
)


check = act(
    "repositories.check",
    needs(Permission.KEEP),
    Named,
    DetailedRepository,
    post("/repositories/{name}/check"),
    "Delete what was half-written when somebody died, and compare what is there with what should be.",
    long=True,
)


rebuild = act(
    "repositories.rebuild",
    needs(Permission.KEEP),
    Named,
    DetailedRepository,
    post("/repositories/{name}/rebuild"),
    "Enter into the database what is only in the repository: images, revisions, and that they are there. "
    "Their bytes are read first. What the database knows already stays as it is.",
    long=True,
)
