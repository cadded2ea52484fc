"""Events: typed rows become sorted, immutable files; what is already there is not added again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from workbench.settings import Source
from workbench.store import engine, facts, parquet, tallies
from workbench.store.catalogue import Property
from workbench.store.ingest.mapping import REJECTED_MONTH
from workbench.store.ingest.staging import FILE, LINE
from workbench.store.lake import Lake
from workbench.store.pinned import LakeFile, LakeVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one kind added to the lake."""

    files: tuple[LakeFile, ...]
    added: int
    duplicates: int


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
    """Write the typed rows of each month, clustered by event and time.

    Args:
        connection: with the views ``typed`` (sound rows) and ``codes(user_id, user_code)``.
        lake: gives the names of new files.
        base: the version that the new rows are compared with.
        properties: of this source, by name.
        source: says when the rows were recorded.
        typed: the folder of the typed rows, one folder a month.
        now: stamped as ``received_at`` unless the rows are history.
    """
    months = sorted(path.name.removeprefix("month=") for path in typed.glob("month=*"))
    with_ids = "event_id" in {row[0] for row in engine.rows(connection, "DESCRIBE typed")}
    engine.execute(connection, f"CREATE TEMP TABLE doubled ({FILE} INTEGER, {LINE} BIGINT)")
    if with_ids:
        _find_doubled_ids(connection, base)
    files: list[LakeFile] = []
    for month in months:
        if month == REJECTED_MONTH:
            continue
        rows = f"read_parquet({engine.files(typed / f'month={month}', '*.parquet')})"
        if _may_repeat(connection, rows, base):
            _find_doubled_rows(connection, rows, base, properties, with_ids=with_ids)
        event_id = "event_id" if with_ids else "NULL::VARCHAR AS event_id"
        written = _month_file(connection, lake, rows, month, properties, source, event_id, now)
        files += [written] if written else []
    ((users,),) = engine.rows(connection, "SELECT coalesce(max(user_code) + 1, 0) FROM codes")
    counted = [tally for file in files if (tally := tallies.write(lake, file, int(users)))]
    ((duplicates,),) = engine.rows(connection, "SELECT count(*) FROM doubled")
    return Written(
        files=(*files, *counted), added=sum(file.rows for file in files), duplicates=int(duplicates)
    )


def _find_doubled_ids(connection: engine.Connection, base: LakeVersion) -> None:
    """Note the rows whose event_id is taken: by an earlier row of the source, or by the lake."""
    engine.execute(
        connection,
        f"INSERT INTO doubled SELECT {FILE}, {LINE} FROM typed SEMI JOIN ("
        "SELECT event_id FROM typed WHERE event_id IS NOT NULL GROUP BY event_id HAVING count(*) > 1"
        ") USING (event_id) "
        f"QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY {FILE}, {LINE}) > 1",
    )
    if any(file.contents.get("event_ids") for file in base.files):
        engine.execute(
            connection,
            f"INSERT INTO doubled SELECT {FILE}, {LINE} FROM typed "
            f"SEMI JOIN events USING (event_id) ANTI JOIN doubled USING ({FILE}, {LINE})",
        )


def _may_repeat(connection: engine.Connection, rows: str, base: LakeVersion) -> bool:
    """Whether rows of two files, or of a file and the lake, lie in the same time: else none can be equal."""
    new = engine.rows(connection, f"SELECT min(ts), max(ts) FROM {rows} GROUP BY {FILE} ORDER BY 1")
    # The workbench's own events have an id each, so none of them is equal to a row without one.
    held = [file for file in base.files if file.kind == "events" and not facts.own(file.contents)]
    there = [(file.first_ts, file.last_ts) for file in held]
    neighbours = any(later[0] <= earlier[1] for earlier, later in pairwise(new))
    return neighbours or any(
        first <= old[1] and old[0] <= last for first, last in new for old in there if old[0] and old[1]
    )


def _find_doubled_rows(
    connection: engine.Connection,
    rows: str,
    base: LakeVersion,
    properties: Mapping[str, Property],
    *,
    with_ids: bool,
) -> None:
    """Note the rows without an id that are there already.

    The identity of such a row is its content plus its ordinal among the equal rows of its file: two
    equal rows of one file are two events, and the same rows exported twice add nothing.
    """
    new = _identity(properties)
    there = _identity(base.columns.get("events", {}))
    engine.execute(
        connection,
        f"INSERT INTO doubled WITH new AS (SELECT {FILE}, {LINE}, identity, "
        f"row_number() OVER (PARTITION BY identity, {FILE} ORDER BY {LINE}) AS ordinal "
        f"FROM (SELECT {FILE}, {LINE}, {new} AS identity FROM {rows} t JOIN codes USING (user_id) "
        f"{'WHERE event_id IS NULL' if with_ids else ''})), "
        f"there AS (SELECT identity, count(*) AS times FROM (SELECT {there} AS identity FROM events "
        f"WHERE event_id IS NULL AND ts BETWEEN (SELECT min(ts) FROM {rows}) "
        f"AND (SELECT max(ts) FROM {rows})) GROUP BY identity) "
        f"SELECT {FILE}, {LINE} FROM new LEFT JOIN there USING (identity) "
        "QUALIFY ordinal <= coalesce(times, 0) "
        f"OR row_number() OVER (PARTITION BY identity, ordinal ORDER BY {FILE}) > 1",
    )


def _identity(properties: Mapping[str, Property]) -> str:
    """Return SQL for the content of a row. Lengths keep one value from reading like two."""
    parts = ["user_code", "epoch_us(ts)", "length(event)", "event"]
    for item in sorted(properties.values(), key=lambda item: item.column):
        text = f"{engine.quote(item.column)}::VARCHAR"
        parts.append(f"'{item.column}=' || length({text}) || ':' || {text}")
    return f"md5(concat_ws(chr(31), {', '.join(parts)}))"


def _month_file(
    connection: engine.Connection,
    lake: Lake,
    rows: str,
    month: str,
    properties: Mapping[str, Property],
    source: Source,
    event_id: str,
    now: datetime,
) -> LakeFile | None:
    columns = ", ".join(engine.quote(item.column) for item in properties.values())
    received = {
        "history": "NULL::TIMESTAMPTZ", "now": "$now::TIMESTAMPTZ",
    }.get(str(source.recorded), "recorded")  # fmt: skip
    select = (
        f"SELECT codes.user_code, event, ts, {received} AS received_at, {event_id}"
        f"{', ' + columns if columns else ''} FROM {rows} t JOIN codes USING (user_id) "
        f"ANTI JOIN doubled USING ({FILE}, {LINE}) ORDER BY event, ts, user_code"
    )
    return parquet.write(
        connection, lake, "events", select, properties=properties.values(),
        parameters={"now": now} if received.startswith("$") else {}, folder=f"month={month}",
    )  # fmt: skip
