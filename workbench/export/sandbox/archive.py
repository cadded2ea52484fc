"""The SQLite file that keeps what the receiver took, and what it thought of the rest."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from workbench.export.sandbox.rules import Accepted
from workbench.export.sandbox.shape import Fault

FILE_NAME = "sandbox.sqlite3"
MEMORY = timedelta(days=30)
EVENT_NAMES = 1000

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, received_at TEXT NOT NULL, path TEXT NOT NULL,
    batches INTEGER, bytes INTEGER NOT NULL, answer TEXT NOT NULL, sha256 TEXT NOT NULL,
    duplicates INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY, request INTEGER NOT NULL, position INTEGER NOT NULL,
    received_at TEXT NOT NULL, source_request_id TEXT, environment TEXT NOT NULL, run_id TEXT,
    batch TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS batches_of_run ON batches (run_id);
CREATE TABLE IF NOT EXISTS dropped (
    request INTEGER NOT NULL, position INTEGER NOT NULL, rule TEXT NOT NULL,
    reason TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS remarks (
    request INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS seen (
    owner TEXT NOT NULL, source_request_id TEXT NOT NULL, received_at TEXT NOT NULL,
    PRIMARY KEY (owner, source_request_id)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_names (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
"""
_ALL = ("requests", "batches", "dropped", "remarks", "seen", "event_names", "sqlite_sequence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request as the archive keeps it: its body as a digest only."""

    received_at: datetime
    path: str
    body: bytes
    answer: str
    owner: str


class Archive:
    """The open file; one object a thread."""

    def __init__(self, directory: Path) -> None:
        """Open the file, and create it with its tables when it is new."""
        directory.mkdir(parents=True, exist_ok=True)
        self._sql = _connect(directory / FILE_NAME)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = NORMAL")
        self._sql.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def record(self, arrival: Arrival, judged: Iterable[Accepted | Fault] | None) -> None:
        """Keep one request with its batches, in one transaction; None means not looked at."""
        batches = None if judged is None else tuple(judged)
        at = _text(arrival.received_at)
        with _transaction(self._sql):
            number = self._request(arrival, None if batches is None else len(batches), at)
            duplicates = 0
            for position, batch in enumerate(batches or (), start=1):
                if isinstance(batch, Fault):
                    self._drop(number, position, batch)
                elif not self._first_time(arrival, batch, at):
                    duplicates += 1
                elif not self._name_is_free(batch):
                    self._forget(arrival, batch)
                    reason = f"a new event name beyond {EVENT_NAMES} distinct ones"
                    self._drop(number, position, Fault(rule="event-name-limit", reason=reason))
                else:
                    self._keep(number, position, at, batch)
            if duplicates:
                update = "UPDATE requests SET duplicates = ? WHERE number = ?"
                self._sql.execute(update, (duplicates, number))

    def _request(self, arrival: Arrival, batches: int | None, at: str) -> int:
        digest = hashlib.sha256(arrival.body).hexdigest()
        insert = (
            "INSERT INTO requests (received_at, path, batches, bytes, answer, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?)"
        )
        size = len(arrival.body)
        row = (at, arrival.path, batches, size, arrival.answer, digest)
        return self._sql.execute(insert, row).lastrowid or 0

    def _first_time(self, arrival: Arrival, batch: Accepted, at: str) -> bool:
        if batch.source_request_id is None:
            return True
        remember = (
            "INSERT INTO seen (owner, source_request_id, received_at) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET received_at = excluded.received_at"
            " WHERE received_at < ?"
        )
        forgotten = _text(arrival.received_at - MEMORY)
        row = (arrival.owner, batch.source_request_id, at, forgotten)
        return self._sql.execute(remember, row).rowcount == 1

    def _forget(self, arrival: Arrival, batch: Accepted) -> None:
        forget = "DELETE FROM seen WHERE owner = ? AND source_request_id = ?"
        self._sql.execute(forget, (arrival.owner, batch.source_request_id))

    def _name_is_free(self, batch: Accepted) -> bool:
        known = "SELECT 1 FROM event_names WHERE name = ?"
        new = [
            name
            for name in dict.fromkeys(batch.event_names)
            if self._sql.execute(known, (name,)).fetchone() is None
        ]
        if not new:
            return True
        (count,) = self._sql.execute("SELECT count(*) FROM event_names").fetchone()
        if count + len(new) > EVENT_NAMES:
            return False
        insert = "INSERT INTO event_names (name) VALUES (?)"
        self._sql.executemany(insert, [(name,) for name in new])
        return True

    def _keep(self, number: int, position: int, at: str, batch: Accepted) -> None:
        insert = (
            "INSERT INTO batches (request, position, received_at, source_request_id,"
            " environment, run_id, batch) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        ids = (batch.source_request_id, batch.environment, batch.run_id)
        self._sql.execute(insert, (number, position, at, *ids, batch.text))
        remarks = [("warning", name) for name in batch.warnings]
        remarks += [("cut", name) for name in batch.cuts]
        if remarks:
            insert = "INSERT INTO remarks (request, position, kind, name) VALUES (?, ?, ?, ?)"
            self._sql.executemany(insert, [(number, position, *remark) for remark in remarks])

    def _drop(self, number: int, position: int, fault: Fault) -> None:
        insert = "INSERT INTO dropped (request, position, rule, reason) VALUES (?, ?, ?, ?)"
        self._sql.execute(insert, (number, position, fault.rule, fault.reason))


def reset(directory: Path) -> None:
    """Delete everything that is stored, also under a running receiver; no file is no error."""
    path = directory / FILE_NAME
    if not path.exists():
        return
    with closing(_connect(path)) as sql:
        sql.execute("PRAGMA secure_delete = ON")
        sql.executescript(_TABLES)
        with _transaction(sql):
            for table in _ALL:
                sql.execute(f"DELETE FROM {table}")
        sql.execute("VACUUM")
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=10)


@contextmanager
def _transaction(sql: sqlite3.Connection) -> Iterator[None]:
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        sql.execute("ROLLBACK")
        raise
    sql.execute("COMMIT")


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
