"""The audience of a run as a file: one row a qualified user, written along with the requests."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import StoreError
from workbench.store import engine

USERS = 40_960
SCHEMA = pa.schema(
    {
        "user_code": pa.uint32(), "user_id": pa.large_string(), "arm": pa.large_string(),
        "held_by": pa.large_string(), "verdict": pa.large_string(), "reason": pa.large_string(),
        "send_at": pa.timestamp("us", "UTC"), "request": pa.uint32(), "source_request_id": pa.large_string(),
    }
)  # fmt: skip
NOTED = pa.schema([SCHEMA.field(name) for name in ("user_code", "user_id", "source_request_id")])
REPEATED = ["arm", "held_by", "verdict", "reason", "send_at", "request"]


class Snapshot:
    """Writes the rows of users whose requests are known, in a thread of its own; few of them are kept at a time."""

    def __init__(self, path: Path, verdicts: pl.DataFrame, connection: engine.Connection) -> None:
        """Begin the file.

        Args:
            path: of the file.
            verdicts: the frame of ``verdicts.decide``.
            connection: knows the ids of the users; nothing else uses it meanwhile.
        """
        self._connection = connection
        self._left = verdicts if verdicts["user_code"].is_sorted() else verdicts.sort("user_code")
        self._sent: list[pa.RecordBatch] = []
        self._numbers: list[int] = []
        self._pending = 0
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=REPEATED)
        self._thread = ThreadPoolExecutor(1, "snapshot")
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        """Use as a context manager, which completes the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, and close the file."""
        try:
            if kind is None:
                self._hand_over(self._left.height)
                self._wait()
        finally:
            self._thread.shutdown()
            self._writer.close()

    def add(self, users: pa.RecordBatch, request: int) -> None:
        """Note whom a request is for: ``user_code, user_id, source_request_id``, ascending from request to request."""
        self._sent.append(users)
        self._numbers.append(request)
        self._pending += len(users)
        if self._pending >= USERS:
            self._hand_over(self._left["user_code"].search_sorted(users["user_code"][-1].as_py(), "right"))

    def _hand_over(self, rows: int) -> None:
        """Let the next rows be written, with what was noted of their users, once those before are."""
        self._wait()
        self._written = self._thread.submit(self._write, self._left[:rows], self._noted())
        self._left = self._left[rows:]
        self._sent, self._numbers, self._pending = [], [], 0

    def _wait(self) -> None:
        """Wait for the rows that were handed over."""
        if self._written is not None:
            self._written.result()

    def _write(self, rows: pl.DataFrame, sent: pl.DataFrame) -> None:
        for part in rows.iter_slices(USERS):
            found = part.join(sent, on="user_code", maintain_order="left")
            if found.height < part.height:
                others = self._others(part.join(sent, on="user_code", how="anti"))
                found = pl.concat([found, others], how="diagonal").sort("user_code")
            self._writer.write_table(found.select(SCHEMA.names).to_arrow().cast(SCHEMA))

    def _noted(self) -> pl.DataFrame:
        """Return ``user_code, user_id, source_request_id, request`` of those who are sent to."""
        users = pa.Table.from_batches(self._sent, NOTED)
        numbers = np.repeat(self._numbers, [len(users) for users in self._sent])
        return pl.DataFrame(users).with_columns(request=pl.Series(numbers, dtype=pl.UInt32))

    def _others(self, users: pl.DataFrame) -> pl.DataFrame:
        """Add their ids to those who are not sent to."""
        self._connection.register("wanted", users.select("user_code"))
        sql = (
            "SELECT user_code, user_id FROM users SEMI JOIN wanted USING (user_code) "
            "WHERE user_code BETWEEN $first AND $last"
        )
        limits = {"first": users["user_code"].min(), "last": users["user_code"].max()}
        return users.join(engine.frame(self._connection, sql, limits), on="user_code")


def verified(path: Path, digest: str, what: str) -> pl.LazyFrame:
    """Return the rows of a frozen file.

    Args:
        path: of the file.
        digest: sha256 of its bytes, as the ledger has it.
        what: names it in an error.

    Raises:
        StoreError: the file is gone, or its bytes are not those that were frozen.
    """
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{what} cannot be read: {error.strerror}") from error
    if found != digest:
        raise StoreError(
            f"{what} is not what was frozen: its digest is {found[:12]}…, the ledger has {digest[:12]}…; "
            "nothing is said from it"
        )
    frame = pl.scan_parquet(path, glob=False)
    try:
        frame.collect_schema()
    except pl.exceptions.PolarsError:
        raise StoreError(f"{what} has the digest that the ledger has, and is no Parquet file") from None
    return frame
