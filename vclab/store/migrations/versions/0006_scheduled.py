"""Reservations for later: until its load begins, a reservation holds no computer."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The computer may be unknown; when the load begins is kept."""
    # A table that SQLite makes anew would lose its checks: they can't be read back, and so are named here.
    times = sa.CheckConstraint("starts < ends", name="ck_reservations_times")
    with op.batch_alter_table("reservations", table_args=(times,)) as table:
        table.alter_column("computer", existing_type=sa.String(), nullable=True)
        table.add_column(sa.Column("preload_at", sa.DateTime(timezone=True), nullable=True))
