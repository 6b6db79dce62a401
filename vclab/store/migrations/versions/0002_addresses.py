"""Which addresses a computer had, from when on: kept for good, beside who held it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KNOWN = """
INSERT INTO addresses (computer, generation, since, private_address, public_address)
SELECT r.computer, r.generation, r.ready_at, r.private_address, r.public_address
FROM reservations r JOIN tenures t ON t.computer = r.computer AND t.generation = r.generation
WHERE r.ready_at IS NOT NULL AND (r.private_address <> '' OR r.public_address <> '')
"""


def upgrade() -> None:
    """Make the table, and lay into it what the reservations still know: their last addresses."""
    op.create_table(
        "addresses",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("private_address", sa.String, nullable=False),
        sa.Column("public_address", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_addresses"),
        sa.ForeignKeyConstraint(
            ["computer", "generation"],
            ["tenures.computer", "tenures.generation"],
            name="fk_addresses_computer_tenures",
        ),
    )
    op.create_index("ix_addresses_computer", "addresses", ["computer", "generation"])
    op.create_index("ix_addresses_private_address", "addresses", ["private_address"])
    op.create_index("ix_addresses_public_address", "addresses", ["public_address"])
    op.create_index("ix_tenures_taken_at", "tenures", ["taken_at"])
    op.execute(KNOWN)
