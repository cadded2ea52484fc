"""Custom lists: a file of ids and identities becomes a version of a named set of users.

Only existing profiles match; nothing is created. The file is streamed, the matching spills to disk.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl

from workbench.errors import IngestError
from workbench.settings import Settings
from workbench.store import audit, engine, parquet
from workbench.store.audit import What
from workbench.store.catalogue import Catalogue
from workbench.store.held import profiles_at
from workbench.store.ingest import readers
from workbench.store.ingest.files import InputFile, expand
from workbench.store.ingest.readers import Reject
from workbench.store.ingest.rejects import Rejects
from workbench.store.ingest.run import refuse_too_many
from workbench.store.lake import Lake, sync
from workbench.store.pinned import LakeFile, LakeVersion
from workbench.store.sweep import sweep, work_folder

Identity = Literal["user_id", "email", "phone", "customer_id"]
PLAIN: tuple[Identity, ...] = ("user_id", "email", "phone", "customer_id")
TYPED = ("Type", "Identity")
LONGEST_NAME = 100
STAGED = {"line": pl.Int64, "kind": pl.String, "identity": pl.String}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSummary:
    """What an import did; its rows add up: read = matched + duplicates + unmatched + malformed.

    Attributes:
        name: of the list.
        version: that holds the users: a new one, or the newest one when it says the same.
        is_new: whether this import made the version.
        users: how many users the list has; an identity that two profiles share brings both.
        read: rows of the file.
        matched: rows that brought a user.
        duplicates: rows whose users an earlier row had brought.
        unmatched: rows that no profile fits.
        malformed: rows of another type or without an identity.
        rejects_path: every row but the matched ones, with its line and reason; None without any.
    """

    name: str
    version: int
    is_new: bool
    users: int
    read: int
    matched: int
    duplicates: int
    unmatched: int
    malformed: int
    rejects_path: Path | None


def import_list(
    lake: Lake,
    settings: Settings,
    name: str,
    path: str,
    *,
    now: datetime,
    identity: Identity | None = None,
    sep: str | None = None,
    report: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> ListSummary:
    """Import a list, all or nothing; a failed import keeps the last good version.

    Args:
        lake: where the list goes.
        settings: memory, the share of malformed rows that aborts, and which attributes are identities.
        name: of the list.
        path: CSV with the columns ``Type,Identity`` (``g``: our user id; ``i``: email, phone or customer
            id), or with one column.
        now: the instant of the import; profiles are matched as they are known then.
        identity: what the one column holds; by default its header says so.
        sep: separator of the columns.
        report: called with a label, what is done and the total.

    Raises:
        IngestError: another format, too many malformed rows, or no row that fits a profile.
        BusyError: another ingest is at work.
        StoreError: disk full, database unreachable.
    """
    if not 0 < len(name.strip()) <= LONGEST_NAME or name != name.strip() or not name.isprintable():
        raise IngestError(f'"{name}": a list has a name of 1 to {LONGEST_NAME} printable characters')
    file, *others = expand([path])
    if others or file.format != "csv":
        raise IngestError(f'"{path}": a list is one CSV file')
    with lake.writing():
        base = lake.at()
        sweep(lake, now=now, keep_days=settings.store.keep_removed_days)
        rejects = Rejects(lake.directory.parent / "rejects" / f"{now:%Y%m%dT%H%M%S}-list.csv")
        with work_folder(lake.temporary) as folder:
            connection = base.connect(memory=settings.store.ingest_memory)
            try:
                malformed, rows = _stage(file, identity, sep, folder, rejects, report)
                refuse_too_many(rejects, rows, settings.store.bad_row_share)
                report("matching", 0, 1)
                _match(connection, folder, base.catalogue, settings, now)
                found = _count(connection, file, rejects)
                if not found["matched"]:
                    told = f" {rejects.told()}" if rejects.count else ""
                    raise IngestError(
                        f'"{file.path.name}": none of its {rows:,} rows fits a profile; nothing was imported.{told}'
                    )
                version, users, is_new = _commit(connection, lake, base, name, now)
                report("matching", 1, 1)
            finally:
                rejects.close()
                connection.close()
    return ListSummary(
        name=name, version=version, is_new=is_new, users=users, read=rows, malformed=malformed,
        rejects_path=rejects.path if rejects.count else None, **found,
    )  # fmt: skip


def _stage(
    file: InputFile,
    identity: Identity | None,
    sep: str | None,
    folder: Path,
    rejects: Rejects,
    report: Callable[[str, int, int], None],
) -> tuple[int, int]:
    """Write the sound rows as Parquet and return how many are malformed, and how many there are."""
    malformed = rows = 0
    total = file.path.stat().st_size
    pl.DataFrame(schema=STAGED).write_parquet(folder / "000000.parquet")
    for number, chunk in enumerate(readers.read_delimited(file, sep), 1):
        faults = list(chunk.rejects)
        frame = _typed(chunk, identity, file)
        bad = pl.col("kind").is_null() | pl.col("identity").is_null()
        for line, kind in frame.filter(bad).select("line", "kind").iter_rows():
            faults.append(
                Reject(line=line, column="", reason="no identity" if kind else "the type is neither g nor i")
            )
        for fault in sorted(faults, key=lambda item: item.line):
            rejects.add(file.path.name, fault)
        malformed += len(faults)
        rows += frame.height + len(chunk.rejects)
        frame.filter(~bad).write_parquet(folder / f"{number:06d}.parquet", compression="lz4")
        report("reading", chunk.bytes, total)
    return malformed, rows


def _typed(chunk: readers.Chunk, identity: Identity | None, file: InputFile) -> pl.DataFrame:
    """Return ``line, kind, identity``: kind is ``g``, ``i`` or one named identity; null where malformed."""
    names = list(chunk.columns)
    if [name.strip().lower() for name in names] == [name.lower() for name in TYPED]:
        kinds, values = (chunk.columns[name] for name in names)
        kind = pl.Series(kinds, dtype=pl.String).str.strip_chars(engine.BLANKS).str.to_lowercase()
        kind = pl.select(pl.when(kind.is_in(["g", "i"])).then(kind)).to_series()
    elif len(names) == 1:
        header = names[0].strip().lower()
        chosen = identity or (header if header in PLAIN else None)
        if chosen is None:
            raise IngestError(
                f'"{file.path.name}": say what "{names[0]}" holds: --identity {" or ".join(PLAIN)}'
            )
        (values,) = chunk.columns.values()
        kind = pl.Series([chosen], dtype=pl.String).new_from_index(0, len(chunk.lines))
    else:
        raise IngestError(
            f'"{file.path.name}" has the columns {", ".join(names)}: a list has {",".join(TYPED)}, or one column'
        )
    texts = pl.Series(values, dtype=pl.String).str.strip_chars(engine.BLANKS)
    return pl.DataFrame({"line": chunk.lines, "kind": kind, "identity": texts}, schema=STAGED).with_columns(
        identity=pl.when(pl.col("identity") != "").then("identity")
    )


def _match(
    connection: engine.Connection, folder: Path, catalogue: Catalogue, settings: Settings, now: datetime
) -> None:
    """Create ``rows(line, kind, identity)`` and ``firsts(user_code, line)``: who came, and on which line first."""
    staged = f"read_parquet({engine.files(folder, '*.parquet')})"
    engine.execute(connection, f"CREATE VIEW rows AS SELECT * FROM {staged}")
    known = "\n  UNION ALL\n".join(_identities(catalogue, settings))
    engine.execute(
        connection,
        f"CREATE TEMP TABLE matches AS WITH profiles AS ({profiles_at('$now')}), known AS (\n{known}\n)\n"
        "SELECT line, user_code FROM rows JOIN known USING (kind, identity) WHERE NOT folds\n"
        "UNION SELECT line, user_code FROM (SELECT line, kind, lower(identity) AS identity FROM rows) "
        "JOIN known USING (kind, identity) WHERE folds",
        {"now": now},
    )
    engine.execute(
        connection,
        "CREATE TEMP TABLE firsts AS SELECT user_code, min(line) AS line FROM matches GROUP BY user_code",
    )


def _identities(catalogue: Catalogue, settings: Settings) -> Iterator[str]:
    """Give the SQL of ``kind, identity, folds, user_code`` for each way to name a user; e-mail folds case."""
    for kind in ("g", "user_id"):
        yield f"  SELECT '{kind}' AS kind, user_id AS identity, false AS folds, user_code FROM profiles JOIN users USING (user_code)"
    mapped = {"phone": "mobile_number", "email": "email", "customer_id": "customer_id"}
    for standard, identity in mapped.items():
        names = dict.fromkeys([standard, settings.identities.get(identity, standard)])
        for name in names:
            if name not in catalogue.attributes:
                continue
            column = engine.quote(catalogue.attributes[name].column)
            source = "profiles JOIN users USING (user_code)" if name == "user_id" else "profiles"
            folds = standard == "email"
            trimmed = f"trim({column}::VARCHAR, {engine.literal(engine.BLANKS)})"
            value = f"lower({trimmed})" if folds else trimmed
            for kind in ("i", standard):
                yield (
                    f"  SELECT '{kind}', {value}, {folds}, user_code FROM {source} WHERE {column} IS NOT NULL"
                )


def _count(connection: engine.Connection, file: InputFile, rejects: Rejects) -> dict[str, int]:
    """Count the sound rows by what became of them, and note those that brought nobody."""
    fate = (
        "SELECT line, identity, CASE WHEN line IN (SELECT line FROM firsts) THEN 'matched' "
        "WHEN line IN (SELECT line FROM matches) THEN 'duplicates' ELSE 'unmatched' END AS fate FROM rows"
    )
    counted = dict(engine.rows(connection, f"SELECT fate, count(*) FROM ({fate}) GROUP BY fate"))
    reasons = {"duplicates": "its users came before", "unmatched": "no profile fits"}
    query = f"SELECT line, identity, fate FROM ({fate}) WHERE fate <> 'matched' ORDER BY line"
    for batch in engine.batches(connection, query):
        for row in batch:
            reject = Reject(line=row["line"], column="", reason=reasons[row["fate"]], value=row["identity"])
            rejects.add(file.path.name, reject)
    return {fate: int(counted.get(fate, 0)) for fate in ("matched", "duplicates", "unmatched")}


def _commit(
    connection: engine.Connection, lake: Lake, base: LakeVersion, name: str, now: datetime
) -> tuple[int, int, bool]:
    """Write the users as the next version, unless the newest one has the same."""
    before = base.catalogue.lists.get(name, ())
    ((users,),) = engine.rows(connection, "SELECT count(*) FROM firsts")
    if before and before[-1].users == users:
        newest = "SELECT user_code FROM lists WHERE list = $list AND version = $version"
        named = {"list": name, "version": before[-1].version}
        ((others,),) = engine.rows(
            connection, f"SELECT count(*) FROM (SELECT user_code FROM firsts EXCEPT {newest})", named
        )
        if not others:
            return before[-1].version, int(users), False
    version = before[-1].version + 1 if before else 1
    path = lake.new_path("lists")
    select = f"SELECT user_code, $list AS list, {version}::INTEGER AS version FROM firsts ORDER BY user_code"
    engine.execute(
        connection, f"COPY ({select}) TO {engine.literal(str(path))} {parquet.OPTIONS}", {"list": name}
    )
    sync(path)
    file = LakeFile(
        path=path.relative_to(lake.directory).as_posix(), kind="lists", rows=int(users),
        bytes=path.stat().st_size,
        contents={"columns": [], "list": name, "version": version, "recorded_at": now.isoformat()},
    )  # fmt: skip
    with lake.committing() as sql:
        lake_version = lake.commit(sql, base=base.version, files=(file,), columns={}, now=now)
        details = {"version": version, "users": int(users), "lake_version": lake_version}
        audit.append(sql, What.LIST_IMPORTED, name, details)
    return version, int(users), True
