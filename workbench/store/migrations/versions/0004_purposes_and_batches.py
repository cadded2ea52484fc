"""What a run is for, how many batches a request holds, and to whom test sends go."""

import sqlalchemy as sa
from alembic import op

from workbench.store.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every run so far was a campaign's, with one batch a user."""
    op.add_column(
        "runs", sa.Column("purpose", sa.String(length=20), nullable=False, server_default="campaign")
    )
    op.add_column("requests", sa.Column("batches", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE requests SET batches = users")
    op.create_table(
        "test_profiles",
        sa.Column("user_id", sa.String(length=300), nullable=False),
        sa.Column("flagged_at", Instant(), nullable=False),
        sa.Column("flagged_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
    )
