"""The lake: immutable Parquet files under a pointer row, read at one pinned version."""

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from workbench.errors import BusyError, StoreError
from workbench.settings import DeclaredCatalogue, PropertyType, actor
from workbench.store import tables
from workbench.store.catalogue import Property
from workbench.store.database import Database
from workbench.store.pinned import LakeFile, LakeVersion


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

    def at(self, version: int | None = None) -> LakeVersion:
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

    def _read(self, wanted: int) -> LakeVersion:
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
