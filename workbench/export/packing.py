"""Batches into requests: at most 100, and under 250,000 encoded bytes. A user's batches stay together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from workbench.errors import StoreError

MOST_BATCHES = 100
MOST_BYTES = 250_000
MOST_BATCH_BYTES = 128_000


@dataclass(frozen=True, slots=True)
class Two:
    """Two texts, read as one; only what lies in both is copied."""

    first: bytes
    second: bytes | memoryview

    def __getitem__(self, place: slice) -> bytes | memoryview:
        """Return what lies between two places, which are given."""
        start, stop = place.start - len(self.first), place.stop - len(self.first)
        return self.second[start:stop] if start >= 0 else self.first[place] + self.second[: max(stop, 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some batches, one after the other.

    Attributes:
        rows: ``user_code, user_id, source_request_id`` of each.
        text: their bytes, a comma after each.
        bounds: where in the text each begins, and where the last one ends.
    """

    rows: pa.RecordBatch
    text: memoryview | Two
    bounds: npt.NDArray[np.int64]

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Self:
        """Return the part of the columns ``user_code, user_id, source_request_id, body``; no text is copied."""
        body = batch["body"]
        _, bounds, text = body.buffers()
        width = np.int64 if pa.types.is_large_string(body.type) else np.int32
        return cls(
            rows=batch.select(["user_code", "user_id", "source_request_id"]),
            text=memoryview(text or b""),
            bounds=np.frombuffer(bounds, width)[body.offset : body.offset + len(body) + 1].astype(np.int64),
        )

    def since(self, row: int) -> "Part":
        """Return the batches from a row on."""
        return Part(rows=self.rows.slice(row), text=self.text, bounds=self.bounds[row:])

    def then(self, part: "Part") -> "Part":
        """Return these batches and those of another part after them; only these are copied."""
        first, second = (each.text[each.bounds[0] : each.bounds[-1]] for each in (self, part))
        bounds = self.bounds - self.bounds[0]
        return Part(
            rows=pa.concat_batches([self.rows, part.rows]),
            text=Two(bytes(first), second),
            bounds=np.append(bounds[:-1], part.bounds - part.bounds[0] + bounds[-1]),
        )

    def body(self, first: int, after: int) -> bytes:
        """Return the bytes of a request that holds the batches of some rows."""
        return b"".join((b"[", self.text[self.bounds[first] : self.bounds[after] - 1], b"]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One request.

    Attributes:
        body: its bytes.
        batches: how many it holds.
        users: ``user_code, user_id, source_request_id`` (of the user's first batch).
    """

    body: bytes
    batches: int
    users: pa.RecordBatch


def pack(parts: Iterable[Part]) -> Iterator[Packed]:
    """Group batches into requests, in order, across parts.

    Source: mParticle, default service limits (request under 256 kB, batch 128 kB, 100 batches).

    Args:
        parts: the rows of a user one after the other, also across parts.

    Raises:
        StoreError: a user's batches are over a limit, which the linter has looked at when it was planned.
    """
    left: Part | None = None
    for part in parts:
        found = part if left is None else left.then(part)
        firsts = _firsts(found)
        yield from _packed(found, firsts)
        left = found.since(firsts[-1])
    if left is not None and len(left.rows):
        yield from _packed(left, [0, len(left.rows)])


def _firsts(part: Part) -> list[int]:
    """Return the first row of each request; the last request may have room for more."""
    ends = np.append(np.flatnonzero(_is_first(part))[1:], len(part.rows))
    starts = np.append(0, ends[:-1])
    bounds = part.bounds
    _refuse(np.diff(bounds) - 1, MOST_BATCH_BYTES, "bytes in a batch")
    _refuse(bounds[ends] - bounds[starts] + 2, MOST_BYTES, "bytes")
    _refuse(ends - starts, MOST_BATCHES, "batches")
    firsts = [0]
    while True:
        room = bounds.searchsorted(bounds[firsts[-1]] + MOST_BYTES - 2, "right") - 1
        after = ends[ends.searchsorted(min(room, firsts[-1] + MOST_BATCHES), "right") - 1]
        if after == len(part.rows):
            return firsts
        firsts.append(int(after))


def _packed(part: Part, firsts: list[int]) -> Iterator[Packed]:
    """Yield the requests between each two first rows."""
    is_first = _is_first(part)
    users = part.rows.filter(pl.Series(is_first).to_arrow())
    before = np.append(0, np.cumsum(is_first))[firsts].tolist()
    for (first, after), (user, next_) in zip(pairwise(firsts), pairwise(before), strict=True):
        yield Packed(
            body=part.body(first, after), batches=after - first, users=users.slice(user, next_ - user)
        )


def _is_first(part: Part) -> npt.NDArray[np.bool_]:
    """Return whether each row is the first of its user; by Polars, since Arrow's numpy imports pandas."""
    codes = pl.Series(part.rows["user_code"]).to_numpy()
    return np.append(True, codes[1:] != codes[:-1])[: len(codes)]


def _refuse(found: npt.NDArray[np.int64], most: int, what: str) -> None:
    if found.max(initial=0) > most:
        raise StoreError(
            f"a user has {found.max():,} {what}, mParticle takes {most:,}: the plan said otherwise; nothing was sent"
        )
