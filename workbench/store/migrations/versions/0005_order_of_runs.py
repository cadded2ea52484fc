"""In which order runs were reserved."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Earlier runs are in the order in which they were made."""
    op.add_column("runs", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE runs SET number = (SELECT count(*) FROM runs AS other WHERE other.created_at < runs.created_at "
        "OR (other.created_at = runs.created_at AND other.run_id <= runs.run_id))"
    )
