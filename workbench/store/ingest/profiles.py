"""Profiles and devices: a changed row becomes a new version; what a file does not name is kept."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from workbench.settings import Source
from workbench.store import engine
from workbench.store.catalogue import Property
from workbench.store.ingest.events import PARQUET, Written
from workbench.store.ingest.staging import FILE, LINE
from workbench.store.lake import VIEWS, Lake, LakeFile, LakeVersion, sync

KEYS = {"profiles": "user_code", "devices": "user_code, device_id"}


def write(
    connection: engine.Connection,
    *,
    lake: Lake,
    base: LakeVersion,
    properties: Mapping[str, Property],
    source: Source,
    typed: Path,
    now: datetime,
) -> Written:
    """Write one version for each row that says something new.

    Of several rows for one user (and device) in one ingest the last counts, unless they carry their
    own ``valid_from``; the others are duplicates, as are rows that say what the lake knows.
    """
    kind = source.kind
    key = KEYS[kind]
    has_valid_from = "valid_from" in {row[0] for row in engine.rows(connection, "DESCRIBE typed")}
    valid_from = "t.valid_from" if has_valid_from else "NULL::TIMESTAMPTZ"
    recorded = {
        "history": "NULL::TIMESTAMPTZ", "now": "$now::TIMESTAMPTZ",
    }.get(str(source.recorded), "t.recorded")  # fmt: skip
    own = {item.column: f"t.{engine.quote(item.column)}" for item in properties.values()}
    kept = {
        item.column: f"c.{engine.quote(item.column)}"
        for item in base.columns.get(kind, {}).values()
        if item.column not in own
    }
    device = "t.device_id, " if kind == "devices" else ""
    columns = [f"{sql} AS {engine.quote(name)}" for name, sql in sorted({**kept, **own}.items())]
    changed = " OR ".join(f"{sql} IS DISTINCT FROM c.{engine.quote(name)}" for name, sql in own.items()
                          if name in {item.column for item in base.columns.get(kind, {}).values()})  # fmt: skip
    added = [f"{own[name]} IS NOT NULL" for name in own
             if name not in {item.column for item in base.columns.get(kind, {}).values()}]  # fmt: skip
    news = " OR ".join(filter(None, ["c.user_code IS NULL", changed, *added]))
    sql = (
        f"SELECT t.user_code, {device}{valid_from} AS valid_from, {recorded} AS recorded_at, "
        f"{base.version + 1}::INTEGER AS seq{', ' if columns else ''}{', '.join(columns)} FROM ("
        f"SELECT codes.user_code, typed.* FROM typed JOIN codes USING (user_id) "
        f"QUALIFY row_number() OVER (PARTITION BY {key}{', valid_from' if has_valid_from else ''} "
        f"ORDER BY {FILE} DESC, {LINE} DESC) = 1) t "
        f"LEFT JOIN (SELECT * FROM {VIEWS[kind]} QUALIFY row_number() OVER (PARTITION BY {key} "
        "ORDER BY valid_from DESC NULLS LAST, seq DESC) = 1) c "
        f"ON t.user_code = c.user_code{' AND t.device_id = c.device_id' if device else ''} "
        f"WHERE {news} ORDER BY ALL"
    )
    path = lake.new_path(kind)
    parameters = {"now": now} if recorded.startswith("$") else {}
    engine.execute(connection, f"COPY ({sql}) TO {engine.literal(str(path))} {PARQUET}", parameters)
    sync(path)
    written = f"read_parquet({engine.literal(str(path))})"
    ((rows, reconstructed),) = engine.rows(
        connection, f"SELECT count(*), count(*) FILTER (recorded_at IS NULL) FROM {written}"
    )
    ((sound,),) = engine.rows(connection, "SELECT count(*) FROM typed")
    if not rows:
        path.unlink()
        return Written(files=(), added=0, duplicates=int(sound))
    file = LakeFile(
        path=path.relative_to(lake.directory).as_posix(),
        kind=kind,
        rows=int(rows),
        bytes=path.stat().st_size,
        contents={"columns": sorted({**kept, **own}), "reconstructed": bool(reconstructed)},
    )
    return Written(files=(file,), added=int(rows), duplicates=int(sound) - int(rows))
