"""The rows of one event in one sorted file: they lie together, and are read without asking the engine.

A text column comes with its values numbered, as the file holds it; the engine would write out every text.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import StoreError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where the rows of an event lie in a file.

    Attributes:
        path: of the file.
        event: the name.
        first: how many rows of the file come before.
        rows: how many there are.
    """

    path: Path
    event: str
    first: int
    rows: int


def texts(
    stretch: Stretch, text: str, since: int | None, until: int | None, *, with_ts: bool = False
) -> pa.Table | None:
    """Return ``user_code`` and a text column of the rows of an event, and the times as ``ts``.

    Args:
        stretch: where they lie.
        text: the column; it comes as a dictionary.
        since: microseconds since 1970, included.
        until: microseconds since 1970, excluded.
        with_ts: whether the times are wanted, in microseconds since 1970.

    Returns:
        The rows; None where they do not lie as they should, or the column is not there as numbered text.

    Raises:
        StoreError: the file is damaged.
    """
    columns = ["user_code", text, *(["ts"] if with_ts else [])]
    found = _read(stretch, columns, since, until, numbered=[text])
    if found is None or not pa.types.is_dictionary(found.schema.field(text).type):
        return None
    if with_ts:
        found = found.set_column(found.schema.get_field_index("ts"), "ts", pa.array(_instants(found)))
    return found.select(columns)


def numbers(
    stretch: Stretch, *, with_ts: bool = False, since: int | None = None, until: int | None = None
) -> tuple[npt.NDArray[Any], ...] | None:
    """Return the user codes of the rows of an event, and their times in microseconds since 1970.

    Args:
        stretch: where they lie.
        with_ts: whether the times are wanted.
        since: microseconds since 1970, included.
        until: microseconds since 1970, excluded.

    Returns:
        One or two arrays; None where the rows do not lie as they should.

    Raises:
        StoreError: the file is damaged.
    """
    found = _read(stretch, ["user_code", *(["ts"] if with_ts else [])], since, until, numbered=[])
    if found is None:
        return None
    codes = found.column("user_code").to_numpy()
    return (codes, _instants(found)) if with_ts else (codes,)


@lru_cache(maxsize=256)
def metadata(path: str) -> pq.FileMetaData:
    """Return what a file says of itself; files never change.

    Raises:
        StoreError: the file is missing or damaged.
    """
    with damage():
        return pq.read_metadata(path)


def dictionaries(found: pq.FileMetaData, columns: Iterable[str], groups: Iterable[int]) -> list[str]:
    """Return the columns that can be read as numbered texts: those that no row group holds as differences."""
    names = found.schema.to_arrow_schema().names
    parts = [found.row_group(number) for number in groups]
    return [
        name
        for name in columns
        if name in names
        and not any(
            encoding.startswith("DELTA")
            for part in parts
            for encoding in part.column(names.index(name)).encodings
        )
    ]


@contextmanager
def damage() -> Iterator[None]:
    """Translate what a file raises that cannot be read.

    Raises:
        StoreError: in its place.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"a lake file is damaged: {error}") from error


def _read(
    stretch: Stretch, columns: list[str], since: int | None, until: int | None, numbered: list[str]
) -> pa.Table | None:
    """Read columns of a stretch between two times; None if the rows do not lie as they should."""
    known = metadata(str(stretch.path))
    if not set(columns) <= set(known.schema.to_arrow_schema().names):
        return None
    groups = _groups(known, stretch, since, until)
    if not groups:
        return None
    timed = since is not None or until is not None
    wanted = [*columns, "event", *(["ts"] if timed and "ts" not in columns else [])]
    chosen = [group.number for group in groups]
    texts_ = dictionaries(known, ["event", *numbered], chosen)
    with damage(), pq.ParquetFile(stretch.path, metadata=known, read_dictionary=texts_) as file:
        found = file.read_row_groups(chosen, columns=wanted)
    last = stretch.first + stretch.rows
    first = max(stretch.first, groups[0].first)
    found = found.slice(first - groups[0].first, min(last, groups[-1].last) - first)
    if not all(_only(chunk, stretch.event) for chunk in found.column("event").chunks):
        return None
    if not timed:
        return found
    instants = _instants(found)
    if (instants[1:] < instants[:-1]).any():
        return None
    start = 0 if since is None else int(np.searchsorted(instants, since))
    end = len(instants) if until is None else int(np.searchsorted(instants, until))
    return found.slice(start, max(end - start, 0))


def _instants(found: pa.Table) -> npt.NDArray[np.int64]:
    instants: npt.NDArray[np.int64] = (
        found.column("ts").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    )
    return instants


def _only(names: pa.Array, event: str) -> bool:
    """Whether all names are that of the event."""
    if pa.types.is_dictionary(names.type):
        (place,) = pc.index_in(pa.array([event]), names.dictionary).to_pylist()
        return place is not None and bool(pc.all(pc.equal(names.indices, place)).as_py())
    return bool(pc.all(pc.equal(names, event)).as_py())


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group: its number, the rows of the file that it holds, and the times of a stretch's rows in it.

    ``last`` is excluded; without statistics, and where other events are in it, the times are unknown:
    later than any and earlier than any.
    """

    number: int
    first: int
    last: int
    earliest: int = np.iinfo(np.int64).max
    latest: int = np.iinfo(np.int64).min


def _groups(known: pq.FileMetaData, stretch: Stretch, since: int | None, until: int | None) -> list[_Group]:
    """Return the row groups of a stretch, one at least, without those before or after the times."""
    place = known.schema.to_arrow_schema().names.index("ts")
    groups: list[_Group] = []
    row, end = 0, stretch.first + stretch.rows
    for number in range(known.num_row_groups):
        found = known.row_group(number)
        first, row = row, row + found.num_rows
        if row <= stretch.first or first >= end:
            continue
        times = found.column(place).statistics
        if times is None or not times.has_min_max or first < stretch.first or row > end:
            groups.append(_Group(number, first, row))
        else:
            groups.append(_Group(number, first, row, _microseconds(times.min), _microseconds(times.max)))
    # Times ascend in a stretch: what comes before a row that is too early is too early as well.
    while since is not None and len(groups) > 1 and groups[1].earliest < since:
        groups.pop(0)
    while until is not None and len(groups) > 1 and groups[-2].latest >= until:
        groups.pop()
    return groups


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)
