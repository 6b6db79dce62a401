"""The tables of groups and grants."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vclab.model.access import GroupKind, ResourceKind, Role, ToKind
from vclab.store.table_base import Base


class Group(Base):
    """A group of people, of images or of computers."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[GroupKind]
    title: Mapped[str]
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class GroupMember(Base):
    """What is in a group. What is removed from the catalog leaves its groups in the same transaction."""

    __tablename__ = "group_members"
    __table_args__ = (Index("ix_group_members_kind_name", "kind", "name"),)

    group_name: Mapped[str] = mapped_column(ForeignKey("groups.name"), primary_key=True)
    kind: Mapped[ResourceKind] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


class Grant(Base):
    """A role, to somebody, over something (``vclab.model.access.Grant``). What it names is locked while it is made, and
    can't be removed before it: there are no foreign keys, for "everyone" and "everything" are no rows."""

    __tablename__ = "grants"
    __table_args__ = (
        UniqueConstraint("role", "to_kind", "to_name", "on_group"),
        Index("ix_grants_to_name", "to_name"),
        Index("ix_grants_on_group", "on_group"),
        {"sqlite_autoincrement": True},  # the audit names grants that are gone: no other one gets their number
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[Role]
    to_kind: Mapped[ToKind]
    to_name: Mapped[str]  #: empty: everyone
    on_group: Mapped[str]  #: empty: everything
    made_at: Mapped[datetime]
    made_by: Mapped[str]
