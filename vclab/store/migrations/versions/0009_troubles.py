"""Loads that nobody waits for: what failed, and what could be seen then, is kept of them too."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A step that failed for good need not be a reservation's."""
    with op.batch_alter_table("troubles") as table:
        table.drop_constraint("fk_troubles_reservation_reservations", type_="foreignkey")
