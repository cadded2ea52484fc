"""Whom runs take out of an audience, and which requests say so."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No run so far kept an audience, and every request carried messages."""
    op.add_column("runs", sa.Column("membership", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("leaving_digest", sa.String(length=64), nullable=True))
    op.add_column(
        "requests", sa.Column("kind", sa.String(length=20), nullable=False, server_default="message")
    )
