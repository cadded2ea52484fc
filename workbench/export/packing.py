"""Batches into requests: at most 100, and under 250,000 encoded bytes."""

from collections.abc import Iterable, Iterator

from workbench.errors import InputError
from workbench.export.payload import Batch

MOST_BATCHES = 100
MOST_BYTES = 250_000
MOST_BATCH_BYTES = 128_000


def pack(batches: Iterable[Batch]) -> Iterator[tuple[Batch, ...]]:
    """Group batches into requests, in order.

    Source: mParticle, default service limits (request under 256 kB, batch 128 kB, 100 batches).

    Raises:
        InputError: one batch alone is over mParticle's limit.
    """
    group: list[Batch] = []
    size = 2
    for batch in batches:
        if len(batch.body) > MOST_BATCH_BYTES:
            raise InputError(
                f"one user's batch has {len(batch.body):,} bytes, mParticle takes {MOST_BATCH_BYTES:,}; "
                "send fewer attributes"
            )
        if group and (len(group) == MOST_BATCHES or size + len(batch.body) + 1 > MOST_BYTES):
            yield tuple(group)
            group, size = [], 2
        group.append(batch)
        size += len(batch.body) + 1
    if group:
        yield tuple(group)


def body(group: Iterable[Batch]) -> bytes:
    """Return the bytes of one request."""
    return b"[" + b",".join(batch.body for batch in group) + b"]"
