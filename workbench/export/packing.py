"""Batches into requests: at most 100, and under 250,000 encoded bytes. A user's batches stay together."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from workbench.errors import StoreError
from workbench.export.payload import Batch

MOST_BATCHES = 100
MOST_BYTES = 250_000
MOST_BATCH_BYTES = 128_000


def pack(batches: Iterable[Batch]) -> Iterator[tuple[Batch, ...]]:
    """Group batches into requests, in order.

    Source: mParticle, default service limits (request under 256 kB, batch 128 kB, 100 batches).

    Args:
        batches: those of a user one after the other.

    Raises:
        StoreError: a user's batches are over a limit, which the linter has looked at when it was planned.
    """
    group: list[Batch] = []
    size = 2
    for _, found in groupby(batches, key=lambda batch: batch.user_code):
        of_user = tuple(found)
        added = sum(len(batch.body) + 1 for batch in of_user)
        _refuse(max(len(batch.body) for batch in of_user), MOST_BATCH_BYTES, "bytes in a batch")
        _refuse(2 + added, MOST_BYTES, "bytes")
        _refuse(len(of_user), MOST_BATCHES, "batches")
        if group and (len(group) + len(of_user) > MOST_BATCHES or size + added > MOST_BYTES):
            yield tuple(group)
            group, size = [], 2
        group += of_user
        size += added
    if group:
        yield tuple(group)


def _refuse(found: int, most: int, what: str) -> None:
    if found > most:
        raise StoreError(
            f"a user has {found:,} {what}, mParticle takes {most:,}: the plan said otherwise; nothing was sent"
        )


def body(group: Iterable[Batch]) -> bytes:
    """Return the bytes of one request."""
    return b"[" + b",".join(batch.body for batch in group) + b"]"
