"""When a lake file that no newer version reads was deleted."""

import sqlalchemy as sa
from alembic import op

from workbench.store.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the instant; no file was deleted so far."""
    op.add_column("lake_files", sa.Column("deleted_at", Instant(), nullable=True))
