"""Control groups of the account, who is never in one, and whom a run has alerted."""

import sqlalchemy as sa
from alembic import op

from workbench.store.tables import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and room for the state of a blocked run; SQLite does not limit the length of a text."""
    op.create_table(
        "control_groups",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("salt", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("removed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "never_in_control",
        sa.Column("user_id", sa.String(length=300), nullable=False),
        sa.Column("flagged_at", Instant(), nullable=False),
        sa.Column("flagged_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "alerts",
        sa.Column("run_id", sa.String(length=130), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("told_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="alert_of_a_run"),
        sa.PrimaryKeyConstraint("run_id", "about", "number"),
    )
    if op.get_context().dialect.name != "sqlite":
        op.alter_column("runs", "state", existing_type=sa.String(length=20), type_=sa.String(length=40))
