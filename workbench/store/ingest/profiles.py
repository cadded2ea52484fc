"""Profiles and devices: a changed row becomes a new version; what a file does not name is kept."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from workbench.settings import Source
from workbench.store import engine, parquet
from workbench.store.catalogue import Property
from workbench.store.ingest.events import Written
from workbench.store.ingest.staging import FILE, LINE
from workbench.store.lake import Lake
from workbench.store.pinned import VIEWS, LakeVersion

KEYS = {"profiles": ("user_code",), "devices": ("user_code", "device_id")}


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

    A row is compared with what held at its own time: its ``valid_from``, else the time at which it was
    recorded; history without any time takes the place of the newest version. Of several rows for one
    user (and device) at one time the last counts; the others are duplicates, as are rows that say
    nothing new.
    """
    kind = source.kind
    before = {item.column for item in base.columns.get(kind, {}).values()}
    own = {item.column: f"t.{engine.quote(item.column)}" for item in properties.values()}
    kept = {name: f"c.{engine.quote(name)}" for name in before - own.keys()}
    changed = [
        f"{sql} IS DISTINCT FROM c.{engine.quote(name)}" for name, sql in own.items() if name in before
    ]
    first = [f"{sql} IS NOT NULL" for name, sql in own.items() if name not in before]
    valid_from, recorded, moment = _times(connection, source)
    key, identity = ", ".join(KEYS[kind]), ", ".join(f"t.{name}" for name in KEYS[kind])
    same = " AND ".join(f"t.{name} = c.{name}" for name in KEYS[kind])
    values = [f"{sql} AS {engine.quote(name)}" for name, sql in sorted({**kept, **own}.items())]
    sql = f"""
WITH t AS (
  SELECT codes.user_code, t.*, {recorded} AS recorded_at, {moment} AS moment FROM typed t JOIN codes USING (user_id)
  QUALIFY row_number() OVER (PARTITION BY {key}, moment, recorded_at
    ORDER BY {FILE} DESC, {LINE} DESC) = 1
),
c AS (SELECT *, coalesce(valid_from, recorded_at, '-infinity'::TIMESTAMPTZ) AS moment FROM {VIEWS[kind]}),
compared AS (
  SELECT {", ".join([identity, f"{valid_from} AS valid_from", "t.recorded_at"])},
    {base.version + 1}::INTEGER AS seq, {"".join(f"{value}, " for value in values)}
    {" OR ".join(["c.user_code IS NULL", *changed, *first])} AS news
  FROM t LEFT JOIN c ON {same} AND c.moment <= t.moment
  QUALIFY row_number() OVER (PARTITION BY {identity}, t.moment, t.recorded_at
    ORDER BY c.moment DESC NULLS LAST, c.seq DESC, c.recorded_at DESC NULLS LAST) = 1
)
SELECT * EXCLUDE (news) FROM compared WHERE news ORDER BY ALL"""
    columns = {item.column: item for item in (*base.columns.get(kind, {}).values(), *properties.values())}
    file = parquet.write(
        connection, lake, kind, sql, properties=[columns[name] for name in sorted(columns)],
        parameters={"now": now} if source.recorded == "now" else {},
    )  # fmt: skip
    ((sound,),) = engine.rows(connection, "SELECT count(*) FROM typed")
    added = file.rows if file else 0
    return Written(files=(file,) if file else (), added=added, duplicates=int(sound) - added)


def _times(connection: engine.Connection, source: Source) -> tuple[str, str, str]:
    """Return SQL for ``valid_from``, for ``recorded_at``, and for the time whose version a row is compared with."""
    recorded = {
        "history": "NULL::TIMESTAMPTZ", "now": "$now::TIMESTAMPTZ",
    }.get(str(source.recorded), "t.recorded")  # fmt: skip
    if "valid_from" in {row[0] for row in engine.rows(connection, "DESCRIBE typed")}:
        return "t.valid_from", recorded, "t.valid_from"
    if source.recorded == "history":
        return "coalesce(c.valid_from, c.recorded_at)", recorded, "'infinity'::TIMESTAMPTZ"
    return "NULL::TIMESTAMPTZ", recorded, recorded
