"""A reservation that failed is shown until it is dismissed, or its end has come. What is looked for again and again is
found by an index, however many years there are."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the indexes."""
    op.add_column("reservations", sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_reservations_ends", "reservations", ["ends"])
    op.create_index("ix_refused_requests_at", "refused_requests", ["at"])
