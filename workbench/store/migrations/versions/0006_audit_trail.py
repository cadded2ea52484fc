"""The audit trail: a chain of entries that the database itself does not let anybody change."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from workbench.settings import actor
from workbench.store.lake import utc_now
from workbench.store.tables import Instant, written

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ONLY_APPENDED = "the audit trail is only ever appended to"
IN_ORDER = "an entry of the audit trail follows the newest one"

OUT_OF_ORDER = """
    NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
    OR (NEW.number > 1 AND NEW.previous <> (SELECT digest FROM audit ORDER BY number DESC LIMIT 1))
"""

# REPLACE in SQLite removes a row without its trigger for removals: the one for additions refuses it.
SQLITE = f"""
    CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}'); END
---
    CREATE TRIGGER audit_not_removed BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}'); END
---
    CREATE TRIGGER audit_in_order BEFORE INSERT ON audit WHEN {OUT_OF_ORDER}
    BEGIN SELECT RAISE(ABORT, '{IN_ORDER}'); END
"""
POSTGRES = f"""
    CREATE FUNCTION audit_only_appended() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{ONLY_APPENDED}'; END $$
---
    CREATE FUNCTION audit_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF {OUT_OF_ORDER} THEN RAISE EXCEPTION '{IN_ORDER}'; END IF; RETURN NEW; END $$
---
    CREATE TRIGGER audit_not_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_only_appended()
---
    CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_appended()
---
    CREATE TRIGGER audit_in_order BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_in_order()
"""


def upgrade() -> None:
    """Add the table, its guards, and the entry that tells what there was before."""
    table = op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("previous", name="one_entry_after_another"),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    guards = SQLITE if op.get_context().dialect.name == "sqlite" else POSTGRES
    for statement in guards.split("---"):
        op.execute(statement)
    at = utc_now()
    entry = {
        "number": 1, "who": actor(), "what": "trail begun", "subject": "trail", "details": _before(op.get_bind()),
        "previous": "0" * 64,
    }  # fmt: skip
    op.execute(
        table.insert().values(**entry, at=at, digest=_digest(json.dumps({**entry, "at": written(at)})))
    )


def _before(sql: sa.Connection) -> dict[str, object]:
    """Count what was there, with a digest of the rows that say it."""
    found: dict[str, object] = {}
    rows = []
    for name, columns in (
        ("campaigns", "id, version, digest"),
        ("segments", "id, version, digest"),
        ("runs", "run_id, number, state, audience_digest"),
    ):
        lines = [list(row) for row in sql.execute(sa.text(f"SELECT {columns} FROM {name}"))]
        found[name] = len({line[0] for line in lines})
        rows.append(sorted(lines))
    newest = sql.scalar(sa.text("SELECT coalesce(max(number), 0) FROM runs"))
    return {**found, "newest_run": newest, "sha256": _digest(json.dumps(rows))}


def _digest(text: str) -> str:
    canonical = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
