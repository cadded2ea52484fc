"""A lake version that is open: one engine for all who read it, a cursor for each question."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from workbench.store import engine
from workbench.store.lake import LakeVersion

BATCH = 1_000_000
MOST_OPEN = 3


class Reader:
    """Answers SQL over the views of one lake version, from any thread."""

    def __init__(self, version: LakeVersion, *, memory: str | None = None) -> None:
        """Open the version.

        Args:
            version: whose views are read.
            memory: what the engine may hold before it spills; None for its own default.

        Raises:
            StoreError: a file of the version is gone or has another size than it was written with.
        """
        self.version = version
        self._connection = version.connect(memory=memory)
        engine.execute(self._connection, "SET parquet_metadata_cache = true")
        engine.execute(self._connection, "SET streaming_buffer_size = '32MB'")
        ((users,),) = engine.rows(self._connection, "SELECT coalesce(max(user_code) + 1, 0) FROM users")
        self.users = int(users)

    @contextmanager
    def cursor(self, running: set[engine.Connection]) -> Iterator[engine.Connection]:
        """Open a cursor that is a member of ``running`` while it is used, so that others can interrupt it."""
        found = self._connection.cursor()
        running.add(found)
        try:
            yield found
        finally:
            running.discard(found)
            found.close()

    def close(self) -> None:
        """Close the engine; questions under way end with an error."""
        self._connection.close()


class Readers:
    """The readers of a process: each lake version is opened once, the last few stay open."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int, str | None], Reader] = OrderedDict()

    def open(self, version: LakeVersion, *, memory: str | None = None) -> Reader:
        """Return the reader of a version; its files are looked at each time.

        Raises:
            StoreError: a file is gone or has another size than it was written with.
        """
        key = (str(version.lake), version.version, memory)
        with self._lock:
            known = self._open.get(key)
            if known is not None and known.version.files == version.files:
                version.look()
                self._open.move_to_end(key)
                return known
            self._open[key] = reader = Reader(version, memory=memory)
            self._open.move_to_end(key)
            while len(self._open) > MOST_OPEN:
                # Whoever still asks holds it; the engine closes with its last reference.
                self._open.popitem(last=False)
            return reader

    def close(self) -> None:
        """Forget all readers."""
        with self._lock:
            self._open.clear()


def stream(
    cursor: engine.Connection, sql: str, parameters: Mapping[str, Any], rows: int = BATCH
) -> Iterator[pa.RecordBatch]:
    """Yield a query's rows in columns, a batch at a time, in bounded memory.

    Raises:
        CancelledError: another thread interrupted the cursor.
        StoreError: a lake file is damaged, or memory and disk are exhausted.
    """
    with engine.errors():
        yield from cursor.sql(sql, params=dict(parameters)).to_arrow_reader(rows)
