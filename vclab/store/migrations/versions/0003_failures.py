"""Failed loads, hosts that rest, and requests that found no place."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make the tables."""
    _failures()
    _rests()
    op.create_table(
        "refused_requests",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("candidates", sa.JSON, nullable=False),
        sa.Column("earliest", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_refused_requests"),
    )


def _failures() -> None:
    op.create_table(
        "load_failures",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("in_guest", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("against_host", sa.Boolean, nullable=False),
        sa.Column("against_revision", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_load_failures"),
        sa.UniqueConstraint("reservation", "computer", "generation", "step", "at", name="uq_load_failures_reservation"),
    )
    op.create_index("ix_load_failures_host", "load_failures", ["endpoint", "host", "against_host"])
    op.create_index("ix_load_failures_revision", "load_failures", ["image", "revision", "against_revision"])
    op.create_index("ix_load_failures_computer", "load_failures", ["computer", "generation"])


def _rests() -> None:
    op.create_table(
        "host_rests",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("pause", sa.Double, nullable=False),
        sa.Column("next_check", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checks", sa.Integer, nullable=False),
        sa.Column("last_check", sa.String, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String, nullable=False),
        sa.Column("proven", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_host_rests"),
    )
    op.create_index(
        "uq_host_rests_open",
        "host_rests",
        ["endpoint", "host"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
