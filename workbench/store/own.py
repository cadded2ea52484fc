"""Events that the workbench writes into the lake itself: each batch of them once, in files of their own."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workbench.errors import StoreError
from workbench.settings import actor
from workbench.store import engine, parquet, tables, tallies
from workbench.store.catalogue import Property, declare
from workbench.store.lake import Lake
from workbench.store.pinned import LakeFile, LakeVersion
from workbench.store.sweep import work_folder

SOURCE = "workbench"
# Where an ingest keeps the digest of its mapping.
WRITTEN = hashlib.sha256(b"events of the workbench's own").hexdigest()
SUFFIX = " (workbench)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One event for each row of a Parquet file that is wanted.

    Attributes:
        name: of the batch; it is written once.
        event: the name of the event.
        path: of the file, with ``user_code``, ``user_id``, ``send_at`` and what ``where`` and ``properties`` name.
        where: SQL of which rows are wanted.
        rows: how many rows are wanted, as it is known from elsewhere.
        properties: SQL of a text by the name of its property.
        parameters: the bound values of ``properties``.
    """

    name: str
    event: str
    path: Path
    where: str
    rows: int
    properties: Mapping[str, str]
    parameters: Mapping[str, str]


def is_written(lake: Lake, name: str) -> bool:
    """Whether the events of a batch are in the lake."""
    table = tables.ingests
    query = table.select().where(
        table.c.digest == _digest(name), table.c.kind == "events", table.c.mapping_digest == WRITTEN
    )
    with lake.database.reading() as sql:
        return sql.execute(query).first() is not None


def write(lake: Lake, batch: Batch, *, now: datetime, memory: str) -> int:
    """Write the events of a batch and the note that they are written, in one commit; call it while holding the lock.

    The event's ``ts`` is ``send_at``, its ``received_at`` is ``now``, its id the names of batch and user.

    Args:
        lake: where they go.
        batch: what they are made of.
        now: the instant of the writing.
        memory: what the engine may hold before it spills.

    Returns:
        How many events were written; 0 where they were there already.

    Raises:
        BusyError: another writer, which the lock did not see, was faster.
        StoreError: disk full, database unreachable, or a file that does not hold what was announced.
    """
    if is_written(lake, batch.name):
        return 0
    base = lake.at()
    columns = _properties(lake, base, batch.properties)
    files: list[LakeFile] = []
    if batch.rows:
        with work_folder(lake.temporary) as folder:
            files = _write(lake, base, batch, columns, now, memory, folder)
    named = {"events": {item.name: item for item in columns.values()}}
    with lake.committing() as sql:
        version = base.version
        if files:
            version = lake.commit(sql, base=version, files=tuple(files), columns=named, now=now)
        sql.execute(
            tables.ingests.insert().values(
                digest=_digest(batch.name), kind="events", mapping_digest=WRITTEN, file_name=batch.name,
                source=SOURCE, version=version, row_count=batch.rows, created_at=now, created_by=actor(),
            )
        )  # fmt: skip
    return batch.rows


def _write(
    lake: Lake,
    base: LakeVersion,
    batch: Batch,
    columns: Mapping[str, Property],
    now: datetime,
    memory: str,
    folder: Path,
) -> list[LakeFile]:
    """Write a file for each month, sorted as those of an ingest, and its tallies where the event is frequent."""
    source = f"{parquet.source(batch.path)} WHERE {batch.where}"
    texts = ", ".join(
        f"({sql})::VARCHAR AS {engine.quote(columns[name].column)}" for name, sql in batch.properties.items()
    )
    month = "strftime(send_at, '%Y-%m')"
    connection = engine.connect(temporary=folder, memory=memory)
    files: list[LakeFile] = []
    try:
        for (name,) in engine.rows(connection, f"SELECT DISTINCT {month} FROM {source} ORDER BY 1"):
            file = parquet.write(
                connection, lake, "events",
                f"SELECT user_code::UINTEGER AS user_code, $event AS event, send_at AS ts, "
                f"$now::TIMESTAMPTZ AS received_at, $batch || '/' || user_id AS event_id, {texts} "
                f"FROM {source} AND {month} = $month ORDER BY event, ts, user_code",
                properties=columns.values(), folder=f"month={name}", own=True,
                parameters={
                    **batch.parameters, "event": batch.event, "now": now, "batch": batch.name, "month": name,
                },
            )  # fmt: skip
            files += [file] if file else []
        rows = sum(file.rows for file in files)
        if rows != batch.rows:
            raise StoreError(
                f'"{batch.path.name}" of {batch.name} holds {rows:,} users of the {batch.rows:,} that were counted'
            )
        counted = [tallies.write(lake, file, base.rows("users")) for file in tuple(files)]
        files += [tally for tally in counted if tally]
    except BaseException:
        for file in files:
            (lake.directory / file.path).unlink(missing_ok=True)
        raise
    finally:
        connection.close()
    return files


def _properties(lake: Lake, base: LakeVersion, names: Iterable[str]) -> dict[str, Property]:
    """Return a text property for each name; a name that the lake has with another type gets a suffix."""
    known, declared = dict(base.columns.get("events", {})), lake.declared_types("events")
    found: dict[str, Property] = {}
    for name in names:
        free = name
        while (known[free].type if free in known else declared.get(free, "text")) != "text":
            free += SUFFIX
        found[name] = known[free] = known.get(free) or declare(free, "text", known.values())
    return found


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
