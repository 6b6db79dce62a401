"""Revisions of images and their copies; and what is known of a revision beside its bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

GIB = 1 << 30


class RevisionState(StrEnum):
    """What a revision is for. An image has one in production at most."""

    TEST = "test"  #: operators can reserve it by its number
    PRODUCTION = "production"  #: what new reservations get
    RETIRED = "retired"  #: can't be reserved any more; its idle copies are deleted


class CopyState(StrEnum):
    """How a copy of a revision stands."""

    COPYING = "copying"  #: it is being made
    USABLE = "usable"
    RETIRING = "retiring"  #: it is being deleted: nothing new is made from it
    BROKEN = "broken"  #: it is not there, or not what it should be


@dataclass(frozen=True)
class Place:
    """Where a copy is: on a storage of an endpoint, or in a repository, which has no endpoint."""

    endpoint: str
    storage: str  #: or the repository's name

    @property
    def name(self) -> str:
        """The same in one word: that of the storage's pool, or "repository/NAME"."""
        return f"{self.endpoint}/datastore/{self.storage}" if self.endpoint else f"repository/{self.storage}"

    def __str__(self) -> str:
        return f"{self.storage} of {self.endpoint}" if self.endpoint else f"the repository {self.storage}"


@dataclass(frozen=True)
class Wanted:
    """A copy that is wanted."""

    image: str
    revision: int
    place: Place

    def __str__(self) -> str:
        return f"{self.image}/{self.revision}"


@dataclass(frozen=True)
class Source:
    """Where a copy is made from: a storage of an endpoint, or a repository that the site's workers reach. Without a
    hash, and of 0 bytes: what its disk holds was never read.

    ``at``: the copy that it is; None: it is not known to be one.
    """

    storage: str = ""  #: empty: the repository
    path: str = ""  #: on it, as its module says; empty: where the image's data says
    repository: str = ""  #: folder; empty: none
    sha256: str = ""
    size: int = 0
    at: Place | None = None


@dataclass(frozen=True)
class Content:
    """What a disk holds: SHA-256 of all its bytes, holes included, and their number. Empty: there is no disk."""

    sha256: str = ""
    size: int = 0


@dataclass(frozen=True)
class Hardware:
    """The machine that a revision was made on, which is what it boots on. Empty: not known."""

    firmware: str = ""  #: "bios" or "efi"
    controller: str = ""  #: of its disk, as its module calls it
    card: str = ""  #: network card, as its module calls it
    guest_id: str = ""  #: operating system, as its module calls it


@dataclass(frozen=True)
class Origin:
    """Where a revision comes from, and what its disk holds. Empty: not known."""

    sha256: str = ""
    size: int = 0  #: bytes of the disk
    made_at: datetime | None = None
    made_by: str = ""
    parent: int = 0  #: the revision that it was made from; 0: none
    parent_image: str = ""  #: whose it is; empty: of the same image
    reservation: str = ""
    notes: str = ""
    untried: bool = False  #: it was captured, and published without a boot test
    differs: int = 0  #: bytes that were written since it was what it was made from; 0: not known


@dataclass(frozen=True)
class RevisionRecord:
    """All that restores a revision where there is no database. ``size`` in bytes, memory in MiB."""

    image: str
    revision: int
    title: str
    sha256: str  #: of all bytes of the disk, holes as zeros
    size: int
    module: str
    guest: str
    cpus: int
    memory_mb: int
    made_at: datetime
    made_by: str
    hardware: Hardware = Hardware()
    dedicated: bool = False  #: each machine's disk is a full copy
    child_factor: float = 0.0  #: of its disk's size that a linked one claims; 0: the site's
    module_data: str = ""  #: what only its module knows of it
    parent: int = 0  #: the revision it was made from; 0: none
    parent_image: str = ""  #: whose it is; empty: of the same image
    reservation: str = ""  #: in which it was made
    notes: str = ""
    untried: bool = False  #: it was captured, and published without a boot test
    differs: int = 0  #: bytes that were written since it was what it was made from; 0: not known

    @property
    def origin(self) -> Origin:
        """The part that a revision's row has too."""
        return Origin(
            self.sha256,
            self.size,
            self.made_at,
            self.made_by,
            self.parent,
            self.parent_image,
            self.reservation,
            self.notes,
            self.untried,
            self.differs,
        )


@dataclass(frozen=True)
class CopyJob:
    """What it takes to make a copy. Recorded; carries no secret."""

    wanted: Wanted
    source: Source
    installation: str
    module: str
    site: str
    disk_gb: int
    image_data: str = ""
    rate: int = 0  #: bytes a second at which it may be read or sent; 0: any
    repository: str = ""  #: folder of the one to which the copy is brought; empty: it comes to an endpoint
    record: RevisionRecord | None = None  #: what is kept beside the bytes there

    @property
    def of_repository(self) -> bool:
        """The copy is one in a repository."""
        return not self.wanted.place.endpoint


@dataclass(frozen=True)
class Copied:
    """A copy that was made."""

    path: str  #: where it is, as its module says; empty: in its repository
    size: int = 0  #: bytes of its disk, if they were read back; 0: they were not
    sha256: str = ""  #: of these bytes


def disk_gib(size: int) -> int:
    """GiB of the disk that a content of so many bytes needs."""
    return max(1, -(-size // GIB))
