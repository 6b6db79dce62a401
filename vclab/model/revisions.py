"""What is known of a revision of an image beside its bytes: the record that lies with them in a repository."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Hardware:
    """The machine that a revision was made on, which is what it boots on. Empty: not known."""

    firmware: str = ""  #: "bios" or "efi"
    controller: str = ""  #: of its disk, as its module calls it
    card: str = ""  #: network card, as its module calls it
    guest_id: str = ""  #: operating system, as its module calls it


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
    module_data: str = ""  #: what only its module knows of it
    parent: int = 0  #: the revision it was made from; 0: none
    reservation: str = ""  #: in which it was made
    notes: str = ""
