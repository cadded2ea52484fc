"""The lake at one version: its files, what a condition may name there, and connections that read it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.errors import StoreError
from workbench.settings import DeclaredCatalogue
from workbench.store import catalogue as catalogues
from workbench.store import engine, facts, held
from workbench.store.catalogue import SQL_TYPES, Catalogue, ListVersion, Property, Span

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
