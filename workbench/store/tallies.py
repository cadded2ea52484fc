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
from workbench.store.lake import Lake, LakeFile, sync
from workbench.store.stretch import Stretch

KIND = "tallies"
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
        codes = stretch.codes(one) if one.rows >= least else None
        if codes is not None:
            counts[one.event] = np.bincount(codes, minlength=users)
    if not counts:
        return None
    path = lake.new_path(KIND, Path(events.path).parent.name)
    names = {event: f"n{number}" for number, event in enumerate(counts)}
    columns = {names[event]: found.astype(np.min_scalar_type(found.max())) for event, found in counts.items()}
    try:
        pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False)
        sync(path)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(f"the lake cannot be written: {error.strerror or error}") from error
    return LakeFile(
        path=path.relative_to(lake.directory).as_posix(), kind=KIND, rows=users, bytes=path.stat().st_size,
        contents={"columns": [], "of": events.path, "tallies": names},
    )  # fmt: skip


def read(path: Path, columns: Iterable[str]) -> list[npt.NDArray[Any]]:
    """Return tallies: how often, by user code; later codes than the array has did it never.

    Raises:
        StoreError: the file is missing or damaged.
    """
    with stretch.damage():
        table = pq.read_table(path, columns=list(columns))
    return [column.to_numpy() for column in table.columns]


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
