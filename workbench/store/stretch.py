"""The rows of one event in one sorted file: they lie together, and are read without asking the engine.

A text column comes with its values numbered, as the file holds it; the engine would write out every text.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
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


def read(stretch: Stretch, text: str, since: int | None, until: int | None) -> pa.Table | None:
    """Return ``user_code`` and a text column of the rows of an event.

    Args:
        stretch: where they lie.
        text: the column; it comes as a dictionary.
        since: microseconds since 1970, included.
        until: microseconds since 1970, excluded.

    Returns:
        The rows; None where they do not lie as they should, or the column is not there as numbered text.

    Raises:
        StoreError: the file is damaged.
    """
    timed = since is not None or until is not None
    columns = ["user_code", text, "event", *(["ts"] if timed else [])]
    try:
        with pq.ParquetFile(stretch.path, read_dictionary=[text, "event"]) as file:
            if text not in file.schema_arrow.names:
                return None
            groups = _groups(file, stretch, since, until)
            if not groups:
                return None
            last = stretch.first + stretch.rows
            first = max(stretch.first, groups[0].first)
            found = file.read_row_groups([group.number for group in groups], columns=columns)
            found = found.slice(first - groups[0].first, min(last, groups[-1].last) - first)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"a lake file is damaged: {error}") from error
    if not pa.types.is_dictionary(found.schema.field(text).type) or not _only(found, stretch.event):
        return None
    if timed:
        instants = found.column("ts").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
        if (np.diff(instants) < 0).any():
            return None
        start = 0 if since is None else int(np.searchsorted(instants, since))
        end = len(instants) if until is None else int(np.searchsorted(instants, until))
        found = found.slice(start, end - start)
    return found.select(["user_code", text])


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group: its number, the rows of the file that it holds, and the times of a stretch's rows in it.

    ``last`` is excluded; without statistics, and where other events are in it, the times are unknown.
    """

    number: int
    first: int
    last: int
    earliest: int | None = None
    latest: int | None = None


def _groups(file: pq.ParquetFile, stretch: Stretch, since: int | None, until: int | None) -> list[_Group]:
    """Return the row groups of a stretch, one at least, without those before or after the times."""
    metadata, place = file.metadata, file.schema_arrow.names.index("ts")
    groups: list[_Group] = []
    row, end = 0, stretch.first + stretch.rows
    for number in range(metadata.num_row_groups):
        found = metadata.row_group(number)
        first, row = row, row + found.num_rows
        if row <= stretch.first or first >= end:
            continue
        known = found.column(place).statistics
        if known is None or not known.has_min_max or first < stretch.first or row > end:
            groups.append(_Group(number, first, row))
        else:
            groups.append(_Group(number, first, row, _microseconds(known.min), _microseconds(known.max)))
    # Times ascend in a stretch: what comes before a row that is too early is too early as well.
    while since is not None and len(groups) > 1 and (groups[1].earliest or since) < since:
        groups.pop(0)
    while until is not None and len(groups) > 1 and (groups[-2].latest or 0) >= until:
        groups.pop()
    return groups


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def _only(found: pa.Table, event: str) -> bool:
    """Whether all rows are of the event."""
    return all(
        len(chunk) == 0 or (len(chunk.dictionary) == 1 and chunk.dictionary[0].as_py() == event)
        or bool(pc.all(pc.equal(chunk, event)).as_py())
        for chunk in found.column("event").chunks
    )  # fmt: skip
