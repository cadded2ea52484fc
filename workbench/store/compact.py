"""Compaction: many small files of a month become one, in the order in which an ingest writes.

The merged file holds the same rows; the version that it makes answers every question as the one before.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from workbench.errors import StoreError
from workbench.settings import Settings
from workbench.store import engine, parquet, tallies
from workbench.store.lake import Lake
from workbench.store.layout import Part, parts
from workbench.store.pinned import BASE_COLUMNS, VIEWS, LakeFile, LakeVersion
from workbench.store.sweep import sweep, work_folder

# What each file is sorted by. A list stays as it is: one file is one version of it.
ORDERS = {
    "users": "user_code",
    "events": "event, ts, user_code",
    "profiles": "user_code, valid_from, recorded_at, seq",
    "devices": "user_code, device_id, valid_from, recorded_at, seq",
}

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One part that became one file.

    Attributes:
        kind: users, events, profiles or devices.
        month: of events; empty for the other kinds.
        own: whether these are events that the workbench wrote itself; they stay apart.
        rows: the same before and after.
        files_before: how many there were.
        bytes_before: how large they were together.
        bytes_after: how large the one file is.
    """

    kind: str
    month: str
    own: bool
    rows: int
    files_before: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did.

    Attributes:
        version: the newest version of the lake: a new one if anything was merged.
        merged: each part that had more files than it should.
    """

    version: int
    merged: tuple[Merged, ...]


def compact(
    lake: Lake, settings: Settings, *, now: datetime, report: Report = lambda label, done, total: None
) -> Compacted:
    """Make one file of every part that has more than one; all parts are one new version, or none is.

    Args:
        lake: whose files are merged.
        settings: memory, and how long the replaced files stay.
        now: the instant of the new version.
        report: called with a label, the bytes done and their total.

    Raises:
        BusyError: an ingest is at work.
        StoreError: disk full, database unreachable, or a file that is gone or damaged.
    """
    with lake.writing():
        return merge(lake, settings, more_than=1, now=now, report=report)


def merge(lake: Lake, settings: Settings, *, more_than: int, now: datetime, report: Report) -> Compacted:
    """Make one file of every part that has more than ``more_than``; call it while holding the lock.

    Raises:
        BusyError, StoreError: as ``compact``.
    """
    base = lake.at()
    wanted = [part for part in parts(base) if part.kind in ORDERS and len(part.files) > more_than]
    if not wanted:
        return Compacted(version=base.version, merged=())
    sweep(lake, now=now, keep_days=settings.store.keep_removed_days)
    total, done = sum(part.bytes for part in wanted), 0
    written: list[LakeFile] = []
    counted: list[LakeFile] = []
    try:
        with work_folder(lake.temporary) as folder:
            for part in wanted:
                report("compacting", done, total)
                file = _write(lake, base, part, folder, settings.store.ingest_memory)
                written += [file] if file else []
                if file is None or file.rows != part.rows:
                    raise _unlike(part)
                tally = tallies.write(lake, file, base.rows("users")) if part.kind == "events" else None
                counted += [tally] if tally else []
                done += part.bytes
    except BaseException:
        for file in (*written, *counted):
            (lake.directory / file.path).unlink(missing_ok=True)
        raise
    removed = [file.path for part in wanted for file in part.files]
    known = tallies.by_file(base.files)
    removed += [known[path].path for path in removed if path in known]
    with lake.committing() as connection:
        version = lake.commit(
            connection, base=base.version, files=(*written, *counted), columns={}, now=now,
            removed=tuple(removed),
        )  # fmt: skip
    report("compacting", total, total)
    return Compacted(version=version, merged=tuple(map(_merged, wanted, written)))


def _write(lake: Lake, base: LakeVersion, part: Part, folder: Path, memory: str) -> LakeFile | None:
    """Write the rows of a part as one file: the columns that any of its files has, typed as the catalogue says."""
    alone = replace(base, files=part.files, temporary=folder)
    present = {name for file in part.files for name in file.contents["columns"]}
    properties = sorted(alone.properties(part.kind), key=lambda item: item.column)
    kept = [item for item in properties if item.column in present]
    if len(kept) != len(present):
        raise _unlike(part)
    connection = alone.connect(memory=memory)
    try:
        columns = [*BASE_COLUMNS[part.kind], *(engine.quote(item.column) for item in kept)]
        return parquet.write(
            connection, lake, part.kind,
            f"SELECT {', '.join(columns)} FROM {VIEWS[part.kind]} ORDER BY {ORDERS[part.kind]}",
            properties=kept, folder=f"month={part.month}" if part.month else "",
            own=part.own,
        )  # fmt: skip
    finally:
        connection.close()


def _unlike(part: Part) -> StoreError:
    name = " ".join(filter(None, (part.kind, part.month)))
    return StoreError(f"the files of {name} do not hold what the lake says; nothing was merged")


def _merged(part: Part, file: LakeFile) -> Merged:
    return Merged(
        kind=part.kind, month=part.month, own=part.own, rows=file.rows, files_before=len(part.files),
        bytes_before=part.bytes, bytes_after=file.bytes,
    )  # fmt: skip
