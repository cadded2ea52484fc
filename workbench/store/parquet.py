"""One Parquet file of the lake: how it is written, and what is noted about it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.store import engine, facts
from workbench.store.catalogue import Property
from workbench.store.lake import Lake, sync
from workbench.store.pinned import LakeFile

ROW_GROUP = 122_880
OPTIONS = f"(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"


def write(
    connection: engine.Connection,
    lake: Lake,
    kind: str,
    select: str,
    *,
    properties: Iterable[Property] = (),
    parameters: Mapping[str, Any] | None = None,
    folder: str = "",
    own: bool = False,
) -> LakeFile | None:
    """Write the rows of a query as one durable file that no version knows yet; None, and no file, without rows.

    Args:
        connection: runs the query.
        lake: gives the file its name.
        kind: users, events, profiles or devices.
        select: the query, in the order that the file keeps.
        properties: whose columns the query has beside those of ``BASE_COLUMNS``.
        parameters: its bound values.
        folder: below the kind's own.
        own: whether the workbench writes these events itself.

    Raises:
        StoreError: disk full, or memory and spill space exhausted.
    """
    path = lake.new_path(kind, folder)
    try:
        engine.execute(connection, f"COPY ({select}) TO {engine.literal(str(path))} {OPTIONS}", parameters)
        sync(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    kept = tuple(properties)
    ((rows,),) = engine.rows(connection, f"SELECT count(*) FROM {source(path)}")
    if not rows:
        path.unlink()
        return None
    noted = _events(connection, path, kept) if kind == "events" else _versions(connection, kind, path)
    span = noted.pop("span", (None, None))
    return LakeFile(
        path=path.relative_to(lake.directory).as_posix(), kind=kind, rows=int(rows),
        bytes=path.stat().st_size, first_ts=span[0], last_ts=span[1],
        contents={"columns": [item.column for item in kept], **noted, **({"own": True} if own else {})},
    )  # fmt: skip


def source(path: Path) -> str:
    """Return the SQL that reads one file."""
    return f"read_parquet({engine.files(path)})"


def _events(connection: engine.Connection, path: Path, properties: tuple[Property, ...]) -> dict[str, Any]:
    counts = ", ".join(f"count({engine.quote(item.column)})" for item in properties)
    summary = engine.rows(
        connection,
        "SELECT event, count(*), min(ts), max(ts), count(event_id), count(*) FILTER (received_at IS NULL), "
        f"count(*) FILTER ({facts.RECORDED} = ts), max({facts.RECORDED}){', ' + counts if counts else ''} FROM {source(path)} GROUP BY event ORDER BY event",
    )
    names = [item.name for item in properties]
    return {
        "span": (min(row[2] for row in summary), max(row[3] for row in summary)),
        "event_ids": any(row[4] for row in summary),
        "reconstructed": any(row[5] for row in summary),
        "as_it_happened": all(row[6] == row[1] for row in summary),
        "latest": facts.latest(max(row[7] for row in summary)),
        "events": {
            row[0]: {"rows": row[1], "properties": [n for n, c in zip(names, row[8:], strict=True) if c]}
            for row in summary
        },
    }


def _versions(connection: engine.Connection, kind: str, path: Path) -> dict[str, Any]:
    if kind == "users":
        return {}
    ((unrecorded, seen, first, last, single),) = engine.rows(
        connection,
        f"SELECT count(*) FILTER (recorded_at IS NULL), max({facts.VISIBLE}), min(user_code), max(user_code), "
        f"count(DISTINCT user_code) = count(*) FROM {source(path)}",
    )
    noted: dict[str, Any] = {"reconstructed": bool(unrecorded), "latest": facts.latest(seen)}
    return noted | ({"codes": [first, last], "one_each": single} if kind == "profiles" else {})
