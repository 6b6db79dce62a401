"""Reservations that wait for an operator, and steps that failed for good, with what could be seen then."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and the columns. A step that is run again after help has a run of its own in the load log."""
    op.add_column("reservations", sa.Column("help_since", _TIME, nullable=True))
    op.add_column("reservations", sa.Column("help_until", _TIME, nullable=True))
    op.create_table(
        "troubles",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_troubles"),
        sa.ForeignKeyConstraint(["reservation"], ["reservations.id"], name="fk_troubles_reservation_reservations"),
        sa.UniqueConstraint("reservation", "generation", "step", "at", name="uq_troubles_reservation"),
    )
    with op.batch_alter_table("load_log") as log:
        log.add_column(sa.Column("run", sa.Integer, nullable=False, server_default="0"))
        log.drop_constraint("uq_load_log_reservation", type_="unique")
        log.create_unique_constraint("uq_load_log_reservation", ["reservation", "generation", "name", "run", "attempt"])
