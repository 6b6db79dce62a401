"""The tables of images: revisions, their copies, and the disks that are made from these."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from vclab.model.revisions import CopyState, RevisionState
from vclab.store.table_base import Base, Retirable


class Image(Retirable, Base):
    """An image; what it consists of is in its revisions."""

    __tablename__ = "images"

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]


class Revision(Base):
    """One state of an image. New reservations get the one in production. Memory in MiB, disk in GiB."""

    __tablename__ = "revisions"
    __table_args__ = (
        UniqueConstraint("image", "number"),
        Index(
            "uq_revisions_production",
            "image",
            unique=True,
            sqlite_where=text("state = 'production'"),
            postgresql_where=text("state = 'production'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    image: Mapped[str] = mapped_column(ForeignKey("images.name"))
    number: Mapped[int]
    state: Mapped[RevisionState]
    module: Mapped[str]
    guest: Mapped[str]
    cpus: Mapped[int]
    memory_mb: Mapped[int]
    disk_gb: Mapped[int]
    root_access: Mapped[bool]
    ports: Mapped[list[int]]
    endpoint: Mapped[str]
    module_data: Mapped[str]
    hardware: Mapped[dict[str, Any]]
    dedicated: Mapped[bool]
    child_factor: Mapped[float] = mapped_column(default=0.0)  #: 0: the site's setting
    sha256: Mapped[str] = mapped_column(default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)  #: bytes of its disk; 0: not known
    made_at: Mapped[datetime | None]
    made_by: Mapped[str] = mapped_column(default="")
    parent: Mapped[int] = mapped_column(default=0)  #: the revision it was made from
    parent_image: Mapped[str] = mapped_column(default="")  #: whose it is; empty: of the same image
    reservation: Mapped[str] = mapped_column(default="")  #: in which it was made
    notes: Mapped[str] = mapped_column(default="")
    untried: Mapped[bool] = mapped_column(default=False)  #: it was captured, and published without a boot test
    differs: Mapped[int] = mapped_column(BigInteger, default=0)  #: bytes written since it was its parent; 0: not known
    retired_at: Mapped[datetime | None]
    test_until: Mapped[datetime | None]  #: it is retired then, unless it was promoted


class Repository(Base):
    """A folder that the workers of a site reach, and that keeps the bytes of revisions."""

    __tablename__ = "repositories"

    name: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str]
    folder: Mapped[str]
    added_at: Mapped[datetime]


class Copy(Base):
    """A copy of a revision (``copies``): on a datastore of an endpoint, or in a repository, which has no endpoint."""

    __tablename__ = "copies"
    __table_args__ = (
        ForeignKeyConstraint(
            ["image", "revision"], ["revisions.image", "revisions.number"], name="fk_copies_image_revisions"
        ),
        Index("ix_copies_place", "place"),
    )

    image: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)  #: the datastore's pool, or "repository/NAME"
    endpoint: Mapped[str | None] = mapped_column(ForeignKey("endpoints.name"))
    storage: Mapped[str]
    path: Mapped[str] = mapped_column(default="")  #: as its module says; empty: where the image's data says
    ours: Mapped[bool] = mapped_column(default=False)  #: made by vclab, which may delete it
    state: Mapped[CopyState]
    why: Mapped[str] = mapped_column(default="")  #: it is broken
    since: Mapped[datetime]  #: in this state
    seen_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]  #: all of its bytes were read and right
    tried_at: Mapped[datetime | None]  #: it was last tried to verify it
    kept: Mapped[bool] = mapped_column(default=False)  #: somebody asked for it: it is made whoever waits


class CopyWaiter(Base):
    """A reservation that waits for a copy to be made."""

    __tablename__ = "copy_waiters"
    __table_args__ = (
        ForeignKeyConstraint(
            ["image", "revision", "place"],
            ["copies.image", "copies.revision", "copies.place"],
            name="fk_copy_waiters_copies",
            ondelete="CASCADE",
        ),
    )

    image: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    reservation: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class DiskChild(Base):
    """A computer's disk that is, or may be, a child of a copy: from before it is made until it is verified gone."""

    __tablename__ = "disk_children"
    __table_args__ = (
        ForeignKeyConstraint(
            ["image", "revision", "place"],
            ["copies.image", "copies.revision", "copies.place"],
            name="fk_disk_children_copies",
        ),
        Index("ix_disk_children_copy", "image", "revision", "place"),
    )

    computer: Mapped[str] = mapped_column(ForeignKey("computers.name"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)  #: of the tenure that made it
    image: Mapped[str]
    revision: Mapped[int]
    place: Mapped[str]
    since: Mapped[datetime]
