"""The right to send a run: one process has it, and it ends with that process."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from workbench.errors import BusyError, StoreError
from workbench.export.records import RequestState
from workbench.store import tables
from workbench.store.database import Database

# A request begins no later than this many seconds after the database was asked and said that the run is held.
FRESH = 0.25
# Whoever takes a lock that its holder may have lost waits longer than that: room for a request to get from gate to wire.
LAPSE = 2 * FRESH


class Hold:
    """Transactions of the process that sends a run.

    On PostgreSQL they run on the connection that holds the lock, so that none can succeed without it.

    Attributes:
        known_at: by the monotonic clock; the run was still held later than this. It is read before the last commit.
    """

    def __init__(self, database: Database, locked: sa.Connection | None) -> None:
        """Keep the database, and its connection with the lock where it has one."""
        self.database = database
        self.known_at = float("-inf")
        self._locked = locked

    def transaction(self, *, alone: bool = False) -> AbstractContextManager[sa.Connection]:
        """One short write transaction; ``alone`` as for those of the database.

        Raises:
            StoreError: the database fails, or the lock is lost.
        """
        return self._held(self.database.transaction(self._locked, alone=alone))

    def looking(self) -> AbstractContextManager[sa.Connection]:
        """One short read; on PostgreSQL it fails like a write when the lock is lost."""
        return self._held(self.database.reading()) if self._locked is None else self.transaction()

    @contextmanager
    def _held(self, opened: AbstractContextManager[sa.Connection]) -> Iterator[sa.Connection]:
        if self._locked is not None and self._locked.invalidated:
            raise StoreError("the lock on the run is lost; another process may be sending it")
        with opened as sql:
            yield sql
            before = monotonic()
        self.known_at = before


@contextmanager
def holding(database: Database, directory: Path, run_id: str) -> Iterator[Hold]:
    """Be the only process that sends a run.

    A lock of PostgreSQL ends with a connection, while the process that had it may live and not know yet. What that one
    may still begin is ``sent``, and it begins nothing ``FRESH`` after its last commit; that time is waited out.

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
            if _is_being_sent(database, connection, run_id):
                sleep(LAPSE)
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


def _is_being_sent(database: Database, connection: sa.Connection, run_id: str) -> bool:
    request = tables.requests.c
    sent = sa.exists().where(request.run_id == run_id, request.state == RequestState.SENT)
    with database.transaction(connection) as sql:
        return bool(sql.scalar(sa.select(sent)))
