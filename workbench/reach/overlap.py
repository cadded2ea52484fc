"""Who is in several segments at once: every combination, exactly."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.errors import InputError
from workbench.reach.subjects import Named, past, subject
from workbench.segments.vectors import Watch
from workbench.workspace import Workspace

FEWEST, MOST = 2, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """One of the segments."""

    name: str
    sentence: str
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How several segments share their users at an instant.

    Attributes:
        as_of: the instant.
        segments: as they were given, each with its size.
        combinations: ``segments, users, at_least``, one row for every non-empty choice of segments, the
            most users first: ``users`` are in exactly these, ``at_least`` in all of these and perhaps in
            others too.
        pairs: ``first, second, both, jaccard, share_of_first, share_of_second``, one row for every two;
            a share of nobody is null.
        union: users in at least one of them.
        none: users with a profile in none of them.
        reconstructed: whether some rows count as recorded at their own time.
        seconds: the time that the question took.
    """

    as_of: datetime
    segments: tuple[Sized, ...]
    combinations: pl.DataFrame
    pairs: pl.DataFrame
    union: int
    none: int
    reconstructed: bool
    seconds: float

    @property
    def everyone(self) -> int:
        """Users with a profile."""
        return self.union + self.none


def overlap(
    workspace: Workspace, segments: Sequence[Named], *, as_of: datetime, watch: Watch | None = None
) -> Overlap:
    """Count the users of every combination of 2 to 12 segments.

    Args:
        workspace: with the lake and the saved segments.
        segments: saved ones by name, ``(name, version)``, or segments as they are written.
        as_of: the instant of the question.
        watch: hears how far it is, and may stop it.

    Raises:
        InputError: fewer than 2, more than 12, one of them twice, or an ``as_of`` in the future.
        NotFoundError: no such segment.
        SegmentError: one does not fit the data; with all its problems.
    """
    instant, began = past(as_of), time.perf_counter()
    if not FEWEST <= len(segments) <= MOST:
        raise InputError(f"an overlap is of {FEWEST} to {MOST} segments, not of {len(segments)}")
    subjects = [subject(workspace, named) for named in segments]
    names = [item.label for item in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f'segment "{twice[0]}" is named twice; an overlap is of different segments')
    lake = workspace.lake.at()
    masks, everyone = [], np.empty(0, dtype=np.bool_)
    for item in subjects:
        found = item.ask(workspace, lake, instant, watch)
        masks.append(found.qualified)
        everyone = found.everyone
    users = _exactly(masks, everyone)
    at_least = _at_least(users, len(masks))
    return Overlap(
        as_of=instant,
        segments=tuple(
            Sized(name=item.label, sentence=item.sentence, users=int(at_least[1 << place]))
            for place, item in enumerate(subjects)
        ),
        combinations=_combinations(names, users, at_least),
        pairs=_pairs(names, at_least),
        union=int(users[1:].sum()),
        none=int(users[0]),
        reconstructed=lake.reconstructed,
        seconds=time.perf_counter() - began,
    )


def _exactly(
    masks: Sequence[npt.NDArray[np.bool_]], everyone: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Count users by code: bit ``i`` of a code says whether they are in segment ``i``."""
    codes = np.zeros(everyone.size, dtype=np.uint16)
    for place, mask in enumerate(masks):
        codes |= mask.astype(np.uint16) << place
    return np.bincount(codes[everyone], minlength=1 << len(masks))


def _at_least(users: npt.NDArray[np.int64], segments: int) -> npt.NDArray[np.int64]:
    """Add to each code the users of all codes that contain it, one bit after the other."""
    found = users.copy()
    for place in range(segments):
        halves = found.reshape(-1, 2, 1 << place)
        halves[:, 0] += halves[:, 1]
    return found


def _combinations(
    names: list[str], users: npt.NDArray[np.int64], at_least: npt.NDArray[np.int64]
) -> pl.DataFrame:
    codes = range(1, len(users))
    held = [[name for place, name in enumerate(names) if code >> place & 1] for code in codes]
    frame = pl.DataFrame(
        {"segments": held, "users": users[1:], "at_least": at_least[1:]},
        schema={"segments": pl.List(pl.String), "users": pl.Int64, "at_least": pl.Int64},
    )
    return frame.sort(
        "users",
        "at_least",
        pl.col("segments").list.len(),
        descending=[True, True, False],
        maintain_order=True,
    )


def _pairs(names: list[str], at_least: npt.NDArray[np.int64]) -> pl.DataFrame:
    rows = []
    for second in range(len(names)):
        for first in range(second):
            both = int(at_least[1 << first | 1 << second])
            sizes = [int(at_least[1 << place]) for place in (first, second)]
            either = sum(sizes) - both
            rows.append((
                names[first], names[second], both,
                *(both / whole if whole else None for whole in (either, *sizes)),
            ))  # fmt: skip
    schema = {
        "first": pl.String, "second": pl.String, "both": pl.Int64, "jaccard": pl.Float64,
        "share_of_first": pl.Float64, "share_of_second": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").sort("both", descending=True, maintain_order=True)
