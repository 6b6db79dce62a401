"""An act that a record has carried out is known by its id, so that it is never done twice."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("events", sa.Column("act", sa.String(), nullable=False, server_default=""))
