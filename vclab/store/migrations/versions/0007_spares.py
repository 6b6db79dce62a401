"""Machines that are kept for the next reservation of their image."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. Until now every machine was removed, so it is empty."""
    op.create_table(
        "spares",
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("target", sa.JSON, nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removal", sa.Integer, nullable=False),
        sa.Column("evicted_for", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("computer", name="pk_spares"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_spares_computer_computers"),
    )
