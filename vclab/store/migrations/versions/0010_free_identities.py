"""The next free identity is found without sorting all of them."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index instead of another."""
    op.drop_index("ix_computers_state", table_name="computers")
    op.create_index("ix_computers_kind_state_name", "computers", ["kind", "state", "name"])
