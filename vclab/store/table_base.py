"""The base of all tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Enum, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vclab.model.access import GroupKind, ResourceKind, Role, ToKind
from vclab.model.catalog import AfterUse, ComputerKind
from vclab.model.intents import Outcome
from vclab.model.inventory import PoolKind
from vclab.model.revisions import CopyState, RevisionState
from vclab.model.states import ComputerState, Ending, Purpose, ReservationState
from vclab.store.column_types import UtcTime


def words(kind: Any) -> Enum:
    """An enumeration, stored as its readable values."""
    return Enum(kind, native_enum=False, length=20, values_callable=lambda members: [m.value for m in members])


class Base(DeclarativeBase):
    """Base of all tables. Constraints have fixed names, which errors and migrations use."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: UtcTime(),
        str: String(),
        list[str]: JSON(),
        list[int]: JSON(),
        dict[str, Any]: JSON(),
        AfterUse: words(AfterUse),
        CopyState: words(CopyState),
        ComputerKind: words(ComputerKind),
        ComputerState: words(ComputerState),
        RevisionState: words(RevisionState),
        ReservationState: words(ReservationState),
        Ending: words(Ending),
        GroupKind: words(GroupKind),
        Outcome: words(Outcome),
        PoolKind: words(PoolKind),
        Purpose: words(Purpose),
        ResourceKind: words(ResourceKind),
        Role: words(Role),
        ToKind: words(ToKind),
    }


class Retirable:
    """A row that can be disabled, so that nothing new uses it, and removed: hidden, while the history refers to it."""

    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str] = mapped_column(default="")
    removed_at: Mapped[datetime | None]
