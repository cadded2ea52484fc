"""One ingest from the files to the commit."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from workbench.errors import IngestError
from workbench.settings import Settings, Source, actor
from workbench.store import compact, engine, parquet, tables
from workbench.store.ingest import events, profiles
from workbench.store.ingest.files import InputFile, expand
from workbench.store.ingest.mapping import REJECTED_MONTH, RowMapping, resolve
from workbench.store.ingest.readers import Reject
from workbench.store.ingest.rejects import Rejects
from workbench.store.ingest.staging import FILE, LINE, Staged, stage
from workbench.store.ingest.types import EPOCHS
from workbench.store.lake import Lake
from workbench.store.pinned import LakeFile, LakeVersion
from workbench.store.sweep import sweep, work_folder

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What an ingest did; its rows add up: read = added + duplicates + rejected.

    Attributes:
        kind: events, profiles or devices.
        read: rows in the new files.
        added: rows (or row versions) that are new in the lake.
        duplicates: rows that were there already.
        rejected: rows in the rejects file.
        rejects_path: that file; None without rejects.
        reasons: how many rows were rejected for each reason.
        new_users: users seen for the first time.
        known_files: files with the content of another one, of this ingest or an earlier; not read again.
        without_profile: users who have events and no profile: they qualify for nothing.
        version: the lake version that holds the rows.
        recorded: ``history``, ``now`` or the column that says when the rows were recorded.
        merged: small files that were merged after the commit, as a version of its own.
        not_merged: why they could not be; the rows are in the lake all the same.
    """

    kind: str
    read: int = 0
    added: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects_path: Path | None = None
    reasons: tuple[tuple[str, int], ...] = ()
    new_users: int = 0
    known_files: int = 0
    without_profile: int = 0
    version: int = 0
    recorded: str = ""
    merged: int = 0
    not_merged: str | None = None


def ingest(
    lake: Lake,
    settings: Settings,
    source: Source,
    patterns: list[str],
    *,
    source_name: str,
    now: datetime,
    report: Report = lambda label, done, total: None,
) -> Summary:
    """Bring files into the lake, all or nothing.

    Args:
        lake: where they go.
        settings: memory, and the share of bad rows that aborts.
        source: which column is what.
        patterns: files, folders, globs.
        source_name: under which the mapping is saved.
        now: the instant of the ingest.
        report: called with a label, what is done and the total, for a progress bar.

    Raises:
        IngestError: the files cannot be read as described, or too many rows are bad; nothing was ingested.
        BusyError: another ingest is at work.
        StoreError: disk full, database unreachable.
    """
    files = expand(patterns)
    with lake.writing():
        base = lake.at()
        if source.recorded is None:
            source = source.model_copy(
                update={"recorded": "now" if base.rows(source.kind, own=False) else "history"}
            )
        mapping_digest = _digest(source)
        new = _unknown(lake, source, mapping_digest, files)
        if not new:
            return Summary(
                kind=source.kind, known_files=len(files), version=base.version, recorded=str(source.recorded)
            )
        sweep(lake, now=now, keep_days=settings.store.keep_removed_days)
        rejects = Rejects(lake.directory.parent / "rejects" / f"{now:%Y%m%dT%H%M%S}-{source.kind}.csv")
        with work_folder(lake.temporary) as folder:
            connection = base.connect(memory=settings.store.ingest_memory)
            try:
                job = _Ingest(
                    lake=lake, base=base, source=source, files=new, now=now, rejects=rejects, folder=folder,
                    connection=connection, bad_row_share=settings.store.bad_row_share, report=report,
                    known_files=len(files) - len(new),
                )  # fmt: skip
                summary = job.run(source_name, mapping_digest)
            finally:
                rejects.close()
                connection.close()
        return _compact(lake, settings, summary, now, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ingest:
    """The steps of one ingest; each leaves its result in the folder or on the connection."""

    lake: Lake
    base: LakeVersion
    source: Source
    files: tuple[InputFile, ...]
    now: datetime
    rejects: Rejects
    folder: Path
    connection: engine.Connection
    bad_row_share: float
    report: Report
    known_files: int

    def run(self, source_name: str, mapping_digest: str) -> Summary:
        staged = self.stage()
        refuse_too_many(self.rejects, staged.rows, self.bad_row_share)
        mapping = resolve(
            self.source,
            staged,
            self.base.columns.get(self.source.kind, {}),
            self.lake.declared_types(self.source.kind),
        )
        _refuse_format(self.connection, self.source)
        _refuse_naive(self.connection, mapping)
        self.report("sorting", 0, 3)
        typed = self.folder / "typed"
        _write_typed(self.connection, mapping, typed)
        _collect_rejects(self.connection, mapping, typed, self.files, self.rejects)
        refuse_too_many(self.rejects, staged.rows, self.bad_row_share)
        self.report("sorting", 1, 3)
        users, new_users = _assign_codes(self.connection, self.lake)
        writer = events.write if self.source.kind == "events" else profiles.write
        written = writer(
            self.connection, lake=self.lake, base=self.base, properties=mapping.properties,
            source=self.source, typed=typed, now=self.now,
        )  # fmt: skip
        self.report("sorting", 2, 3)
        version = self.commit((*users, *written.files), mapping, staged.rows, source_name, mapping_digest)
        self.report("sorting", 3, 3)
        return Summary(
            kind=self.source.kind,
            read=staged.rows,
            added=written.added,
            duplicates=written.duplicates,
            rejected=self.rejects.count,
            rejects_path=self.rejects.path if self.rejects.count else None,
            reasons=tuple(self.rejects.reasons.most_common()),
            new_users=new_users,
            known_files=self.known_files,
            without_profile=users_without_profile(self.lake.at(version)),
            version=version,
            recorded=str(self.source.recorded),
        )

    def stage(self) -> Staged:
        total = sum(file.path.stat().st_size for file in self.files)
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            done += size
            self.report("reading", done, total)

        raw = self.folder / "raw"
        raw.mkdir()
        return stage(
            self.files,
            self.source,
            connection=self.connection,
            folder=raw,
            rejects=self.rejects,
            report=advance,
        )

    def commit(
        self,
        files: tuple[LakeFile, ...],
        mapping: RowMapping,
        rows: int,
        source_name: str,
        mapping_digest: str,
    ) -> int:
        with self.lake.committing() as sql:
            version = self.lake.commit(
                sql, base=self.base.version, files=files,
                columns={self.source.kind: mapping.properties}, now=self.now,
            )  # fmt: skip
            known = tables.ingests.c
            for file in self.files:
                sql.execute(
                    tables.ingests.delete().where(
                        known.digest == file.digest, known.kind == self.source.kind,
                        known.mapping_digest == mapping_digest,
                    )
                )  # fmt: skip
                sql.execute(
                    tables.ingests.insert().values(
                        digest=file.digest, kind=self.source.kind, mapping_digest=mapping_digest,
                        file_name=file.path.name, source=source_name, version=version,
                        row_count=rows, created_at=self.now, created_by=actor(),
                    )
                )  # fmt: skip
        return version


def derive_profiles(lake: Lake, *, now: datetime) -> Summary:
    """Give every user who has events and no profile an empty profile, known since the first event."""
    with lake.writing():
        base = lake.at()
        connection = base.connect()
        select = (
            "SELECT user_code, min(greatest(ts, coalesce(received_at, ts))) AS valid_from, NULL::TIMESTAMPTZ AS recorded_at, "
            f"{base.version + 1}::INTEGER AS seq FROM events "
            "ANTI JOIN profile_versions USING (user_code) GROUP BY user_code ORDER BY user_code"
        )
        file = parquet.write(connection, lake, "profiles", select)
        connection.close()
        if file is None:
            return Summary(kind="profiles", version=base.version, recorded="history")
        with lake.committing() as sql:
            version = lake.commit(sql, base=base.version, files=(file,), columns={}, now=now)
        return Summary(kind="profiles", read=file.rows, added=file.rows, version=version, recorded="history")


def _compact(lake: Lake, settings: Settings, summary: Summary, now: datetime, report: Report) -> Summary:
    """Merge small files where a part has too many; the ingest is committed, whatever becomes of this."""
    most = settings.store.compact_files
    if not most:
        return summary
    try:
        found = compact.merge(lake, settings, more_than=most, now=now, report=report)
    except Exception as error:
        return replace(summary, not_merged=str(error) or type(error).__name__)
    return replace(summary, merged=sum(item.files_before for item in found.merged))


def users_without_profile(version: LakeVersion) -> int:
    """Count the users who have events or devices and no profile."""
    connection = version.connect()
    ((count,),) = engine.rows(
        connection, "SELECT count(*) FROM users ANTI JOIN profile_versions USING (user_code)"
    )
    connection.close()
    return int(count)


def _digest(source: Source) -> str:
    return hashlib.sha256(source.model_dump_json(exclude={"recorded"}).encode()).hexdigest()


def _unknown(
    lake: Lake, source: Source, mapping_digest: str, files: tuple[InputFile, ...]
) -> tuple[InputFile, ...]:
    """Leave out what was read before; of profiles and devices only the last word counts as read.

    An older file of them that comes again says that its values hold again.
    """
    table = tables.ingests.c
    same = sa.select(table.digest).where(table.kind == source.kind, table.mapping_digest == mapping_digest)
    if source.kind != "events":
        newest = sa.select(sa.func.max(table.version)).where(table.kind == source.kind)
        same = same.where(table.version == newest.scalar_subquery())
    with lake.database.reading() as sql:
        known = set(sql.scalars(same))
    fresh: dict[str, InputFile] = {}
    for file in files:
        if file.digest not in known:
            fresh.setdefault(file.digest, file)
    return tuple(fresh.values())


def _refuse_naive(connection: engine.Connection, mapping: RowMapping) -> None:
    for name, (column, naive) in mapping.naive.items():
        found = engine.rows(connection, f"SELECT {column}::VARCHAR FROM raw WHERE {naive} LIMIT 1")
        if found:
            raise IngestError(
                f'"{name}" holds times without a zone, such as "{found[0][0]}": say in which zone '
                "they were written, e.g. --timezone America/New_York (or UTC)"
            )


def _refuse_format(connection: engine.Connection, source: Source) -> None:
    if source.time_format is None or source.time_format in EPOCHS:
        return
    try:
        engine.rows(connection, f"SELECT try_strptime('', {engine.literal(source.time_format)})")
    except engine.InvalidError as error:
        raise IngestError(f'time format "{source.time_format}": {error}') from error


def _write_typed(connection: engine.Connection, mapping: RowMapping, folder: Path) -> None:
    engine.execute(
        connection,
        f"COPY ({mapping.select()}) TO {engine.literal(str(folder))} "
        "(FORMAT parquet, PARTITION_BY (month), COMPRESSION lz4)",
    )
    pattern = engine.files(folder, "*/*.parquet")
    engine.execute(
        connection,
        f"CREATE VIEW typed AS SELECT * EXCLUDE (month, problem, problem_value) FROM read_parquet({pattern}, "
        f"hive_partitioning = true, hive_types_autocast = false) WHERE month <> '{REJECTED_MONTH}'",
    )


def _collect_rejects(
    connection: engine.Connection,
    mapping: RowMapping,
    typed: Path,
    files: tuple[InputFile, ...],
    rejects: Rejects,
) -> None:
    folder = typed / f"month={REJECTED_MONTH}"
    if not folder.exists():
        return
    source = f"read_parquet({engine.files(folder, '*.parquet')})"
    query = f"SELECT {FILE}, {LINE}, problem, problem_value FROM {source} ORDER BY {FILE}, {LINE}"
    for batch in engine.batches(connection, query):
        for row in batch:
            check = mapping.checks[row["problem"] - 1]
            reject = Reject(
                line=row[LINE], column=check.column, reason=check.reason, value=row["problem_value"] or ""
            )
            rejects.add(files[row[FILE]].path.name, reject)


def refuse_too_many(rejects: Rejects, rows: int, share: float) -> None:
    """Stop where more rows are bad than the settings allow.

    Raises:
        IngestError: with the most frequent reasons.
    """
    if rejects.count > share * rows:
        rejects.close()
        raise IngestError(
            f"{rejects.count:,} of {rows:,} rows are bad, more than the {share:.0%} that "
            f"[store] bad_row_share allows; nothing was ingested. {rejects.told()}"
        )


def _assign_codes(connection: engine.Connection, lake: Lake) -> tuple[tuple[LakeFile, ...], int]:
    """Give users without a code the next dense ones, in the order of their ids."""
    ((start,),) = engine.rows(connection, "SELECT coalesce(max(user_code) + 1, 0) FROM users")
    select = (
        f"SELECT ({start} + row_number() OVER (ORDER BY user_id) - 1)::UINTEGER AS user_code, user_id "
        "FROM (SELECT DISTINCT user_id FROM typed ANTI JOIN users USING (user_id)) ORDER BY user_id"
    )
    file = parquet.write(connection, lake, "users", select)
    new = (
        f" UNION ALL SELECT user_id, user_code FROM {parquet.source(lake.directory / file.path)}"
        if file
        else ""
    )
    engine.execute(connection, f"CREATE VIEW codes AS SELECT user_id, user_code FROM users{new}")
    return ((file,), file.rows) if file else ((), 0)
