"""The small rows: every SQL table of the workbench. People are in Parquet; decisions are here."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    cast,
    select,
    type_coerce,
)

from workbench.errors import DamagedError


class Instant(TypeDecorator[datetime]):
    """An aware datetime as fixed-width UTC text: equal, and sorted alike, on SQLite and PostgreSQL."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write ``2026-06-30T18:00:00.000000Z``."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: every instant carries its zone")
        return written(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read it back as an aware datetime."""
        try:
            return None if value is None else instant(value)
        except ValueError as error:
            raise DamagedError(f"the ledger has an instant that {error}") from error


def instant(value: object) -> datetime:
    """Return the aware datetime of an instant as the tables have it.

    Raises:
        ValueError: it is written in another way.
    """
    with suppress(ValueError):
        found = datetime.fromisoformat(str(value))
        if found.tzinfo is UTC and written(found) == value:
            return found
    raise ValueError("is not written as 2026-06-30T18:00:00.000000Z")


def written(value: datetime) -> str:
    """Return an aware instant as the tables have it."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def raw(table: Table) -> Select[Any]:
    """Select the texts as they lie in the database: what was tampered with may not be an instant or JSON."""
    return select(*(_raw(column).label(column.name) for column in table.columns))


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    match column.type:
        case Instant():
            return type_coerce(column, String)
        case JSON():
            return cast(column, Text)
        case _:
            return column


metadata = MetaData()

# SQLite ignores the length and cannot change it in place.
RUN_STATE = String(40).with_variant(String(20), "sqlite")

lake_versions = Table(
    "lake_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
)

lake_files = Table(
    "lake_files",
    metadata,
    Column("path", String(300), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("added", Integer, nullable=False, index=True),
    Column("removed", Integer),
    Column("row_count", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("first_ts", Instant),
    Column("last_ts", Instant),
    Column("contents", JSON, nullable=False),
    Column("deleted_at", Instant),
)

lake_columns = Table(
    "lake_columns",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("column", String(300), nullable=False),
    Column("type", String(20), nullable=False),
    UniqueConstraint("kind", "column", name="one_name_per_column"),
)

ingests = Table(
    "ingests",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("mapping_digest", String(64), primary_key=True),
    Column("file_name", String(500), nullable=False),
    Column("source", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
)

segments = Table(
    "segments",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("archived_at", Instant),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("archived_at", Instant),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(130), primary_key=True),
    Column("campaign_id", String(100), nullable=False),
    Column("campaign_version", Integer, nullable=False),
    Column("occurrence", Instant, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("lake_version", Integer, nullable=False),
    Column("environment", String(20), nullable=False),
    Column("state", RUN_STATE, nullable=False),
    Column("audience_path", String(300), nullable=False),
    Column("audience_digest", String(64), nullable=False),
    Column("bodies_path", String(300), nullable=False),
    Column("receiver", String(260), nullable=False),
    Column("key_digest", String(64), nullable=False),
    Column("salt_digest", String(64), nullable=False),
    Column("qualified", BigInteger, nullable=False),
    Column("verdicts", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("finished_at", Instant),
    Column("note", Text),
    Column("purpose", String(20), nullable=False, server_default="campaign"),
    Column("number", Integer, nullable=False, server_default="0"),
    Column("membership", JSON(none_as_null=True)),
    Column("leaving_digest", String(64)),
    UniqueConstraint("campaign_id", "occurrence", name="one_run_per_occurrence"),
)

requests = Table(
    "requests",
    metadata,
    Column("run_id", String(130), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(20), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("users", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("answer", Text),
    Column("answered_at", Instant),
    Column("batches", Integer, nullable=False, server_default="0"),
    Column("kind", String(20), nullable=False, server_default="message"),
    ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="request_of_a_run"),
)

control_groups = Table(
    "control_groups",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("share", Double, nullable=False),
    Column("salt", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("removed_at", Instant),
)

never_in_control = Table(
    "never_in_control",
    metadata,
    Column("user_id", String(300), primary_key=True),
    Column("flagged_at", Instant, nullable=False),
    Column("flagged_by", String(200), nullable=False),
)

test_profiles = Table(
    "test_profiles",
    metadata,
    Column("user_id", String(300), primary_key=True),
    Column("flagged_at", Instant, nullable=False),
    Column("flagged_by", String(200), nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("run_id", String(130), primary_key=True),
    Column("about", String(40), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(20), nullable=False),
    Column("told_at", Instant, nullable=False),
    ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="alert_of_a_run"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("what", String(60), nullable=False),
    Column("subject", String(300), nullable=False, index=True),
    Column("details", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("previous", name="one_entry_after_another"),
)
