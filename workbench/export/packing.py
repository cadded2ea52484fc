"""Batches into requests: at most 100, and under 250,000 encoded bytes. A user's batches stay together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.errors import StoreError

MOST_BATCHES = 100
MOST_BYTES = 250_000
MOST_BATCH_BYTES = 128_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One request.

    Attributes:
        body: its bytes.
        batches: how many it holds.
        users: ``user_code, source_request_id`` (of the user's first batch).
    """

    body: bytes
    batches: int
    users: pl.DataFrame


def pack(parts: Iterable[pl.DataFrame]) -> Iterator[Packed]:
    """Group batches into requests, in order, across parts.

    Source: mParticle, default service limits (request under 256 kB, batch 128 kB, 100 batches).

    Args:
        parts: ``user_code, source_request_id, body``; the rows of a user in one part, one after the other.

    Raises:
        StoreError: a user's batches are over a limit, which the linter has looked at when it was planned.
    """
    left: pl.DataFrame | None = None
    for part in parts:
        rows = part if left is None else pl.concat([left, part])
        firsts = _firsts(rows)
        yield from _packed(rows, firsts)
        left = rows[firsts[-1] :]
    if left is not None and left.height:
        yield from _packed(left, [0, left.height])


def _firsts(rows: pl.DataFrame) -> list[int]:
    """Return the first row of each request; the last request may have room for more."""
    codes = rows["user_code"].to_numpy()
    sizes = rows["body"].str.len_bytes().to_numpy().astype(np.int64)
    ends = np.append(np.flatnonzero(codes[1:] != codes[:-1]) + 1, len(codes))
    starts = np.append(0, ends[:-1])
    before = np.append(0, np.cumsum(sizes + 1))
    _refuse(sizes, MOST_BATCH_BYTES, "bytes in a batch")
    _refuse(before[ends] - before[starts] + 2, MOST_BYTES, "bytes")
    _refuse(ends - starts, MOST_BATCHES, "batches")
    firsts = [0]
    while True:
        room = np.searchsorted(before, before[firsts[-1]] + MOST_BYTES - 2, "right") - 1
        after = ends[np.searchsorted(ends, min(room, firsts[-1] + MOST_BATCHES), "right") - 1]
        if after == len(codes):
            return firsts
        firsts.append(int(after))


def _packed(rows: pl.DataFrame, firsts: list[int]) -> Iterator[Packed]:
    """Yield the requests between each two first rows."""
    is_first = rows["user_code"].is_first_distinct()
    users = rows.filter(is_first).select("user_code", "source_request_id")
    before = np.append(0, is_first.cum_sum().to_numpy())
    bodies = rows["body"]
    for first, after in pairwise(firsts):
        joined = bodies[first:after].str.join(",")[0]
        yield Packed(
            body=f"[{joined}]".encode(),
            batches=after - first,
            users=users[int(before[first]) : int(before[after])],
        )


def _refuse(found: npt.NDArray[np.int64], most: int, what: str) -> None:
    if found.max(initial=0) > most:
        raise StoreError(
            f"a user has {found.max():,} {what}, mParticle takes {most:,}: the plan said otherwise; nothing was sent"
        )
