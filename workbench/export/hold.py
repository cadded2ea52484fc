"""The right to send a run: one process has it, and it ends with that process."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from workbench.errors import BusyError, StoreError
from workbench.store.database import Database


class Hold:
    """Transactions of the process that sends a run.

    On PostgreSQL they run on the connection that holds the lock, so that none can succeed without it.
    """

    def __init__(self, database: Database, locked: sa.Connection | None) -> None:
        """Keep the database, and its connection with the lock where it has one."""
        self.database = database
        self._locked = locked

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One short write transaction.

        Raises:
            StoreError: the database fails, or the lock is lost.
        """
        if self._locked is not None and self._locked.invalidated:
            raise StoreError("the lock on the run is lost; another process may be sending it")
        with self.database.transaction(self._locked) as sql:
            yield sql

    @contextmanager
    def looking(self) -> Iterator[sa.Connection]:
        """One short read; on PostgreSQL it fails like a write when the lock is lost."""
        with self.database.reading() if self._locked is None else self.transaction() as sql:
            yield sql


@contextmanager
def holding(database: Database, directory: Path, run_id: str) -> Iterator[Hold]:
    """Be the only process that sends a run.

    Raises:
        BusyError: another process holds it.
    """
    busy = BusyError(f'run "{run_id}" is being sent by another process; its progress: workbench runs show')
    if not database.is_sqlite:
        key = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], signed=True)
        connection = database.advisory_lock(key)
        if connection is None:
            raise busy
        try:
            yield Hold(database, connection)
        finally:
            # Whoever waits has it at once; the server would notice the end of the connection later.
            with suppress(SQLAlchemyError):
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": key})
                connection.commit()
            connection.invalidate()
            connection.close()
        return
    lock = FileLock(directory / f"{run_id}.lock", timeout=0)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise busy from error
    except OSError as error:
        raise StoreError(f"the run's lock cannot be written: {error.strerror}") from error
    try:
        yield Hold(database, None)
    finally:
        lock.release()
