"""What is promised of a large lab's pools is added up from an index alone, without the claims' rows."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index; what is released is not in it, so it does not grow with the years."""
    op.create_index(
        "ix_claims_open",
        "claims",
        ["pool", "starts", "ends", "cpus", "memory_mb", "disk_gb"],
        sqlite_where=sa.text("released IS 0"),
        postgresql_where=sa.text("released IS false"),
    )
