"""The one door to DuckDB: connections that are configured alike, and errors in the workbench's words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from workbench.errors import CancelledError, StoreError

Connection = duckdb.DuckDBPyConnection
BinderError = duckdb.BinderException
InvalidError = duckdb.InvalidInputException
Parameters = Mapping[str, Any]

# What text is trimmed of: every blank of Unicode, and the byte order mark.
BLANKS = " \t\n\r\v\f\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
DAMAGE = re.compile("parquet|magic bytes|bitpacked|invalid string encoding", re.IGNORECASE)


def connect(*, temporary: Path | None = None, memory: str | None = None) -> Connection:
    """Open an in-memory DuckDB in UTC that loads no extension and spills into ``temporary``."""
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    if temporary is not None:
        connection.execute(f"SET temp_directory = {literal(str(temporary))}")
    if memory is not None:
        connection.execute(f"SET memory_limit = {literal(memory)}")
    return connection


def frame(connection: Connection, sql: str, parameters: Parameters | None = None) -> pl.DataFrame:
    """Run a query and return its rows as a Polars frame.

    Raises:
        StoreError: a lake file is missing or damaged, or memory and disk are exhausted.
    """
    with errors():
        found: pl.DataFrame = connection.sql(sql, params=dict(parameters or {})).pl()
        return found


def rows(connection: Connection, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
    """Run a query and return its rows as tuples; for few rows only."""
    with errors():
        return connection.sql(sql, params=dict(parameters or {})).fetchall()


def batches(
    connection: Connection, sql: str, parameters: Parameters | None = None, size: int = 10_000
) -> Iterator[list[dict[str, Any]]]:
    """Stream a query's rows as lists of ``size`` dicts in bounded memory."""
    with errors():
        reader = connection.sql(sql, params=dict(parameters or {})).to_arrow_reader(size)
        for batch in reader:
            yield batch.to_pylist()


def stream(
    connection: Connection, sql: str, parameters: Parameters | None = None, *, size: int
) -> Iterator[pa.RecordBatch]:
    """Stream a query's rows as Arrow batches of ``size`` rows in bounded memory."""
    with errors():
        yield from connection.sql(sql, params=dict(parameters or {})).to_arrow_reader(size)


def arrays(
    connection: Connection, sql: str, parameters: Parameters | None = None
) -> tuple[npt.NDArray[Any], ...]:
    """Run a query and return its columns as numpy arrays, at once; plans once where ``sql`` plans twice.

    Args:
        connection: a cursor that nothing else uses meanwhile.
        sql: selects numbers without null.
        parameters: the bound values.
    """
    with errors():
        return tuple(connection.execute(sql, dict(parameters or {})).fetchnumpy().values())


def execute(connection: Connection, sql: str, parameters: Parameters | None = None) -> None:
    """Run a statement for its effect (COPY, CREATE)."""
    with errors():
        connection.execute(sql, dict(parameters or {})).fetchall()


@contextmanager
def errors() -> Iterator[None]:
    """Translate what DuckDB raises when a file or the disk fails."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise CancelledError("stopped before the answer was there") from error
    except RuntimeError as error:
        # Ctrl-C while a query runs; the engine has taken the signal.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise
    except duckdb.IOException as error:
        raise StoreError(f"the lake cannot be read or written: {_first_line(error)}") from error
    except duckdb.OutOfMemoryException as error:
        raise StoreError(f"memory and spill space are exhausted: {_first_line(error)}") from error
    except duckdb.Error as error:
        invalid = isinstance(error, duckdb.InvalidInputException) and DAMAGE.search(str(error))
        if invalid or type(error) is duckdb.Error:
            raise StoreError(f"a lake file is damaged: {_first_line(error)}") from error
        raise
    except OSError as error:
        # A stream that has begun hands on what the engine raised as text.
        if str(error).startswith("INTERRUPT"):
            raise CancelledError("stopped before the answer was there") from error
        raise StoreError(f"the lake cannot be read or written: {_first_line(error)}") from error


def pattern_fault(pattern: str) -> str | None:
    """Return why DuckDB cannot read a regular expression, or None."""
    connection = connect()
    try:
        connection.sql("SELECT regexp_matches('', $pattern)", params={"pattern": pattern}).fetchall()
    except InvalidError as error:
        return _first_line(error).removeprefix("Invalid Input Error: ")
    finally:
        connection.close()
    return None


def quote(identifier: str) -> str:
    """Quote an identifier that came from the catalogue or from a file's header."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for the few statements that take no bound value (SET, a view's file list)."""
    return "'" + text.replace("'", "''") + "'"


def files(path: Path, pattern: str = "") -> str:
    """Quote what ``read_parquet`` reads: one file, or the files of a pattern below a folder.

    DuckDB takes ``a[1].parquet`` for a pattern that means ``a1.parquet``.

    >>> files(Path("a[1].parquet"))
    "'a[[]1].parquet'"
    """
    plain = re.sub(r"([*?\[])", r"[\1]", str(path))
    return literal(f"{plain}/{pattern}" if pattern else plain)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
