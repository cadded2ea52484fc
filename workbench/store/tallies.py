"""Tallies: how often each user did the frequent events of one file, beside that file.

A count over months adds a few small arrays up instead of reading millions of rows. An event is frequent
where it has more rows than a quarter of the users have codes; rarer ones are read as quickly.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import StoreError
from workbench.store import stretch
from workbench.store.lake import Lake, sync
from workbench.store.pinned import LakeFile
from workbench.store.stretch import Stretch

KIND, COUNTS = "tallies", "counts"
FEWEST, SHARE = 100_000, 0.25


def write(lake: Lake, events: LakeFile, users: int) -> LakeFile | None:
    """Write the tallies of a file of events; None, and no file, where no event is frequent.

    Args:
        lake: gives the file its name.
        events: a finished file.
        users: how many user codes there are.

    Raises:
        StoreError: the file of events is damaged, or the disk is full.
    """
    least = max(FEWEST, SHARE * users)
    counts: dict[str, npt.NDArray[np.int64]] = {}
    for one in stretches(lake.directory, events):
        found = stretch.numbers(one) if one.rows >= least else None
        if found is not None:
            counts[one.event] = np.bincount(found[0], minlength=users)
    if not counts:
        return None
    path = lake.new_path(KIND, Path(events.path).parent.name)
    arrays = [found.astype(np.min_scalar_type(found.max())) for found in counts.values()]
    table = pa.table(
        {"event": list(counts), COUNTS: pa.array([array.tobytes() for array in arrays], pa.binary())}
    )
    try:
        # A row group each: one event is read without the others.
        pq.write_table(table, path, compression="zstd", use_dictionary=False, row_group_size=1)
        sync(path)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(f"the lake cannot be written: {error.strerror or error}") from error
    kinds = {event: array.dtype.name for event, array in zip(counts, arrays, strict=True)}
    return LakeFile(
        path=path.relative_to(lake.directory).as_posix(), kind=KIND, rows=len(counts),
        bytes=path.stat().st_size, contents={"columns": [], "of": events.path, "tallies": kinds},
    )  # fmt: skip


def read(path: Path, kinds: Mapping[str, str], event: str) -> npt.NDArray[Any]:
    """Return a tally: how often, by user code; later codes than the array has did it never.

    Args:
        path: of the file.
        kinds: the events that it has, in their order, and of which type the numbers of each are.
        event: one of them.

    Raises:
        StoreError: the file is missing or damaged.
    """
    with stretch.damage(), pq.ParquetFile(path, metadata=stretch.metadata(str(path))) as file:
        found = file.read_row_group(list(kinds).index(event), columns=[COUNTS])
        return np.frombuffer(found.column(COUNTS).chunk(0)[0].as_buffer(), dtype=kinds[event])


def by_file(files: Iterable[LakeFile]) -> Mapping[str, LakeFile]:
    """Return the tallies by the path of the file of events that they are of."""
    return {str(file.contents["of"]): file for file in files if file.kind == KIND}


def stretches(directory: Path, events: LakeFile) -> list[Stretch]:
    """Say where the rows of each event lie: a file is in the order of the names, as bytes."""
    found, first = [], 0
    held = events.contents["events"]
    for name in sorted(held, key=str.encode):
        found.append(Stretch(directory / events.path, name, first, held[name]["rows"]))
        first += held[name]["rows"]
    return found
