"""The lake: immutable Parquet files under a pointer row, read at one pinned version."""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from workbench.errors import BusyError, StoreError
from workbench.settings import DeclaredCatalogue, PropertyType, actor
from workbench.store import catalogue as catalogues
from workbench.store import engine, facts, held, tables
from workbench.store.catalogue import SQL_TYPES, Catalogue, ListVersion, Property, Span
from workbench.store.database import Database

BASE_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "users": {"user_code": "UINTEGER", "user_id": "VARCHAR"},
    "events": {
        "user_code": "UINTEGER", "event": "VARCHAR", "ts": "TIMESTAMPTZ",
        "received_at": "TIMESTAMPTZ", "event_id": "VARCHAR",
    },
    "profiles": {
        "user_code": "UINTEGER", "valid_from": "TIMESTAMPTZ", "recorded_at": "TIMESTAMPTZ", "seq": "INTEGER",
    },
    "devices": {
        "user_code": "UINTEGER", "device_id": "VARCHAR", "valid_from": "TIMESTAMPTZ",
        "recorded_at": "TIMESTAMPTZ", "seq": "INTEGER",
    },
    "lists": {"user_code": "UINTEGER", "list": "VARCHAR", "version": "INTEGER"},
}  # fmt: skip

VIEWS = {
    "users": "users", "events": "events", "profiles": "profile_versions", "devices": "device_versions",
    "lists": "lists",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeFile:
    """One immutable file and what it holds."""

    path: str
    kind: str
    rows: int
    bytes: int
    first_ts: datetime | None = None
    last_ts: datetime | None = None
    contents: Mapping[str, Any]


class Lake:
    """Finds the files of a version; the only writer is ``commit``."""

    def __init__(
        self,
        directory: Path,
        database: Database,
        declared: DeclaredCatalogue,
        identities: Iterable[str] = (),
    ) -> None:
        """Point at ``directory/lake``; nothing is opened yet. ``identities`` are attributes that stay text."""
        self.identities = frozenset(identities)
        self.directory = directory / "lake"
        self.temporary = directory / "tmp"
        self.database = database
        self.declared = declared
        self._newest: LakeVersion | None = None

    def declared_types(self, kind: str) -> Mapping[str, PropertyType]:
        """Return the types that ``[catalogue]`` gives to the names of one kind."""
        if kind == "profiles":
            return {**dict.fromkeys(self.identities, "text"), **self.declared.attributes}
        events = self.declared.events.values() if kind == "events" else ()
        return {name: item for event in events for name, item in event.properties.items()}

    def version(self) -> int:
        """Return the newest committed version; 0 before the first ingest."""
        with self.database.reading() as connection:
            found = connection.scalar(sa.select(sa.func.max(tables.lake_versions.c.version)))
        return int(found or 0)

    def oldest(self) -> int:
        """Return the version from which on every one can be read: none of their files was deleted."""
        file = tables.lake_files.c
        with self.database.reading() as connection:
            found = connection.scalar(
                sa.select(sa.func.max(file.removed)).where(file.deleted_at.is_not(None))
            )
        return int(found or 0)

    def at(self, version: int | None = None) -> "LakeVersion":
        """Pin a version (the newest by default); later ingests do not change what it reads.

        The file list of the newest one is read once: it is replaced with its version, never changed.

        Raises:
            StoreError: there is no such version, or a file of it was deleted after a compaction.
        """
        newest = self.version()
        wanted = newest if version is None else version
        if not 0 <= wanted <= newest:
            raise StoreError(f"the lake has versions 0 to {newest}, not {wanted}")
        if wanted < newest:
            return self._read(wanted)
        known = self._newest
        if known is None or known.version != newest:
            self._newest = known = self._read(newest)
        return known

    def _read(self, wanted: int) -> "LakeVersion":
        file = tables.lake_files
        with self.database.reading() as connection:
            found = connection.execute(
                sa.select(file)
                .where(file.c.added <= wanted, sa.or_(file.c.removed.is_(None), file.c.removed > wanted))
                .order_by(file.c.added, file.c.path)
            ).all()
            columns = connection.execute(sa.select(tables.lake_columns)).all()
        deleted = [row.deleted_at for row in found if row.deleted_at is not None]
        if deleted:
            raise StoreError(
                f"lake version {wanted} was compacted away on {min(deleted):%Y-%m-%d}; "
                f"the oldest that can be read is {self.oldest()}"
            )
        files = tuple(
            LakeFile(
                path=row.path, kind=row.kind, rows=row.row_count, bytes=row.bytes,
                first_ts=row.first_ts, last_ts=row.last_ts, contents=row.contents,
            )
            for row in found
        )  # fmt: skip
        by_kind: dict[str, dict[str, Property]] = {}
        for row in columns:
            by_kind.setdefault(row.kind, {})[row.name] = Property(
                name=row.name, type=row.type, column=row.column
            )
        return LakeVersion(
            version=wanted, files=files, columns=by_kind, lake=self.directory,
            temporary=self.temporary, declared=self.declared,
        )  # fmt: skip

    @contextmanager
    def writing(self, *, wait: float = 0) -> Iterator[None]:
        """Hold the lake's write lock; readers are not affected.

        Args:
            wait: how many seconds to wait for another writer.

        Raises:
            BusyError: another ingest or a compaction is at work.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.temporary.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.directory / "write.lock", timeout=wait)
            with lock:
                yield
        except Timeout as error:
            raise BusyError(
                "another ingest or compaction is writing to this lake; try again when it is done"
            ) from error
        except OSError as error:
            raise StoreError(f"the lake cannot be written: {error.strerror or error}") from error

    def new_path(self, kind: str, folder: str = "") -> Path:
        """Return a name that no file ever had, below ``lake/kind``."""
        path = self.directory / kind / folder / f"{uuid.uuid4().hex}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def committing(self) -> Iterator[sa.Connection]:
        """One transaction for ``commit`` and what belongs to it.

        Raises:
            BusyError: another ingest, which the lock did not see, wrote the same rows.
            StoreError: the database is unreachable, locked or full.
        """
        try:
            with self.database.transaction() as connection:
                yield connection
        except sa.exc.IntegrityError as error:
            raise BusyError("another ingest finished first; run this one again") from error

    def commit(
        self,
        connection: sa.Connection,
        *,
        base: int,
        files: tuple[LakeFile, ...],
        columns: Mapping[str, Mapping[str, Property]],
        now: datetime,
        removed: Iterable[str] = (),
    ) -> int:
        """Make ``files`` visible as one new version, inside the caller's transaction.

        The files of ``removed`` paths belong to older versions only.

        Raises:
            BusyError: the lake moved on since ``base``.
        """
        newest = int(connection.scalar(sa.select(sa.func.max(tables.lake_versions.c.version))) or 0)
        if newest != base:
            raise BusyError("another ingest finished first; run this one again")
        version = base + 1
        connection.execute(
            tables.lake_versions.insert().values(version=version, created_at=now, created_by=actor())
        )
        for file in files:
            connection.execute(
                tables.lake_files.insert().values(
                    path=file.path, kind=file.kind, added=version, row_count=file.rows, bytes=file.bytes,
                    first_ts=file.first_ts, last_ts=file.last_ts, contents=file.contents,
                )
            )  # fmt: skip
        table = tables.lake_files
        for path in removed:
            connection.execute(table.update().where(table.c.path == path).values(removed=version))
        known = {
            (row.kind, row.name)
            for row in connection.execute(sa.select(tables.lake_columns.c.kind, tables.lake_columns.c.name))
        }
        for kind, properties in columns.items():
            for item in properties.values():
                if (kind, item.name) not in known:
                    connection.execute(
                        tables.lake_columns.insert().values(
                            kind=kind, name=item.name, column=item.column, type=item.type
                        )
                    )
        return version


@dataclass(frozen=True, kw_only=True)
class LakeVersion:
    """The lake at one version: its files, its catalogue, and connections that read it."""

    version: int
    files: tuple[LakeFile, ...]
    columns: Mapping[str, Mapping[str, Property]]
    lake: Path
    temporary: Path
    declared: DeclaredCatalogue

    @cached_property
    def catalogue(self) -> Catalogue:
        """What a condition may name at this version."""
        events = [file for file in self.files if file.kind == "events"]
        return catalogues.build(
            version=self.version,
            contents=[file.contents["events"] for file in events],
            columns=self.columns,
            declared=self.declared,
            lists=self._lists(),
            ingested=_span(file for file in events if not facts.own(file.contents)),
            span=_span(events),
        )

    def _lists(self) -> dict[str, tuple[ListVersion, ...]]:
        found: dict[str, list[ListVersion]] = {}
        for file in self.files:
            if file.kind == "lists":
                imported = datetime.fromisoformat(file.contents["recorded_at"])
                version = ListVersion(version=file.contents["version"], recorded_at=imported, users=file.rows)
                found.setdefault(file.contents["list"], []).append(version)
        return {name: tuple(sorted(found[name], key=lambda item: item.version)) for name in sorted(found)}

    @property
    def reconstructed(self) -> bool:
        """Whether some rows carry their own time as the time at which they were recorded."""
        return any(file.contents.get("reconstructed") for file in self.files)

    def as_it_happened(self, events: Iterable[str]) -> bool:
        """Whether every row of these events counts as recorded when it happened."""
        files = [file.contents for file in self.files if file.kind == "events"]
        return all(facts.as_it_happened(file) for file in files if facts.has_any(file, events))

    def single_profiles(self, as_of: datetime) -> bool:
        """Whether ``profile_versions`` is known to have one row a user at most, each seen at ``as_of``."""
        return facts.single_profiles((file.contents for file in self.files if file.kind == "profiles"), as_of)

    def profiles_at(self, as_of: datetime) -> str:
        """Return the SQL of the profiles as known at ``$as_of``: one row a user, unsearched where none has two."""
        return "SELECT * FROM profile_versions" if self.single_profiles(as_of) else held.profiles_at()

    def profile_codes(self, as_of: datetime) -> list[tuple[int, int]] | None:
        """Return the ranges of user codes, both ends included, that have a profile; None where files cannot tell."""
        return facts.profile_codes(
            [(file.contents, file.rows) for file in self.files if file.kind == "profiles"], as_of
        )

    def rows(self, kind: str, *, own: bool = True) -> int:
        """Count the rows of ``kind`` from the file list; of profiles and devices versions, of events ``own`` ones."""
        files = [file for file in self.files if file.kind == kind]
        return sum(file.rows for file in files if own or not facts.own(file.contents))

    def connect(self, *, memory: str | None = None) -> engine.Connection:
        """Open a connection with the views ``users, events, profile_versions, device_versions, lists``.

        Raises:
            StoreError: a file of this version is gone or has another size than it was written with.
        """
        self.look()
        connection = engine.connect(temporary=self.temporary, memory=memory)
        for kind, view in VIEWS.items():
            engine.execute(connection, f"CREATE VIEW {view} AS {self.select(kind)}")
        return connection

    def look(self) -> None:
        """See that every file is there in full.

        Raises:
            StoreError: a file of this version is gone or has another size than it was written with.
        """
        for file in self.files:
            try:
                size = (self.lake / file.path).stat().st_size
            except OSError as error:
                raise StoreError(f'the lake file "{file.path}" cannot be read: {error.strerror}') from error
            if size != file.bytes:
                raise StoreError(f'the lake file "{file.path}" is damaged: {size:,} of {file.bytes:,} bytes')

    def properties(self, kind: str) -> tuple[Property, ...]:
        """Return the properties of ``kind`` that are columns beside those of ``BASE_COLUMNS``."""
        catalogue = self.catalogue
        known = {
            "events": catalogue.properties, "profiles": catalogue.attributes, "devices": catalogue.devices,
        }.get(kind, {})  # fmt: skip
        return tuple(item for item in known.values() if item.column not in {"user_id", "device_id"})

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """For each kind a digest of its files: equal digests, equal rows, since files never change."""
        names: dict[str, list[str]] = {kind: [] for kind in BASE_COLUMNS}
        for file in self.files:
            names.setdefault(file.kind, []).append(file.path)
        return {
            kind: hashlib.sha256("\n".join(sorted(paths)).encode()).hexdigest()
            for kind, paths in names.items()
        }

    def paths(self, kind: str) -> list[str]:
        """Return the absolute paths of the files of ``kind``."""
        return [str(self.lake / file.path) for file in self.files if file.kind == kind]

    def select(
        self, kind: str, files: Iterable[LakeFile] | None = None, columns: Iterable[str] | None = None
    ) -> str:
        """Return the SQL of the rows of ``kind`` as the views have them.

        Args:
            kind: of the rows.
            files: some of its files; all by default.
            columns: names of columns beside those of ``BASE_COLUMNS``; all by default.
        """
        chosen = [file for file in self.files if file.kind == kind] if files is None else list(files)
        shapes = {tuple(file.contents["columns"]) for file in chosen}
        present = {name for shape in shapes for name in shape}
        wanted = None if columns is None else set(columns)
        parts = [f"{name}::{sql} AS {name}" for name, sql in BASE_COLUMNS[kind].items()]
        for item in self.properties(kind):
            if wanted is None or item.column in wanted:
                value = engine.quote(item.column) if item.column in present else "NULL"
                parts.append(f"{value}::{SQL_TYPES[item.type]} AS {engine.quote(item.column)}")
        if not chosen:
            empty = ", ".join(f"NULL::{sql} AS {name}" for name, sql in BASE_COLUMNS[kind].items())
            return f"SELECT {', '.join(parts)} FROM (SELECT {empty}) WHERE false"
        listed = ", ".join(engine.files(self.lake / file.path) for file in chosen)
        by_name = ", union_by_name = true" if len(shapes) > 1 else ""
        return f"SELECT {', '.join(parts)} FROM read_parquet([{listed}]{by_name}, hive_partitioning = false)"


def _span(files: Iterable[LakeFile]) -> Span:
    spans = [(file.first_ts, file.last_ts) for file in files]
    firsts, lasts = [first for first, _ in spans if first], [last for _, last in spans if last]
    return min(firsts, default=None), max(lasts, default=None)


def sync(path: Path) -> None:
    """Make a finished file durable: its bytes, then its name."""
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def utc_now() -> datetime:
    """Return the clock's time; called at the doors only and handed down as an argument."""
    return datetime.now(UTC)
