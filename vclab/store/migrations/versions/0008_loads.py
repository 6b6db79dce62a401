"""Loads that nobody waits for: their steps are logged too."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A line of the load log need not be a reservation's."""
    with op.batch_alter_table("load_log") as table:
        table.drop_constraint("fk_load_log_reservation_reservations", type_="foreignkey")
