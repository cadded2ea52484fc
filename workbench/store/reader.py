"""A lake version that is open: one engine for all who read it, a cursor for each question."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.store import engine
from workbench.store.pinned import LakeVersion
from workbench.store.stretch import damage, dictionaries, metadata

BATCH = 1_000_000
MOST_OPEN = 3
MOST_BYTES, SMALL = 4, 1_000_000


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
        self._repeats: dict[str, bool] = {}

    @contextmanager
    def cursor(self) -> Iterator[engine.Connection]:
        """Open a cursor while it is used."""
        found = self._connection.cursor()
        try:
            yield found
        finally:
            found.close()

    def repeats(self, kind: str, column: str) -> bool:
        """Whether the values of a text column repeat so often that its files hold numbers in their place.

        Judged by the bytes that a value takes; ids and addresses take more.
        """
        if column not in self._repeats:
            size = rows = 0
            for path in self.version.paths(kind):
                found, count = _size(path, column)
                size, rows = size + found, rows + count
            self._repeats[column] = 0 < size <= max(MOST_BYTES * rows, SMALL)
        return self._repeats[column]

    def dictionary(self, kind: str, column: str) -> pa.Table | None:
        """Return ``user_code`` and a text column whose values are numbered; None where a file lacks it.

        Raises:
            StoreError: a lake file is damaged.
        """
        tables = []
        for path in self.version.paths(kind):
            known = metadata(path)
            if column not in dictionaries(known, [column], range(known.num_row_groups)):
                return None
            with damage(), pq.ParquetFile(path, metadata=known, read_dictionary=[column]) as file:
                tables.append(file.read(["user_code", column]))
        if not tables or any(not pa.types.is_dictionary(table.schema.field(column).type) for table in tables):
            return None
        # Some files say that no code is null, others do not.
        return pa.concat_tables(tables, promote_options="default")

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


def _size(path: str, column: str) -> tuple[int, int]:
    """Return the bytes of a column before compression, and its rows; nothing where the file lacks it."""
    found = metadata(path)
    names = found.schema.to_arrow_schema().names
    if column not in names:
        return 0, 0
    place = names.index(column)
    groups = [found.row_group(number).column(place) for number in range(found.num_row_groups)]
    return sum(group.total_uncompressed_size for group in groups), found.num_rows


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
