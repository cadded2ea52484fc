"""Ask a segment: who is in it, and how many each condition holds."""

import time
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from workbench.segments.check import check
from workbench.segments.model import Segment
from workbench.segments.resolve import Resolver
from workbench.segments.sql import EVERYONE, Query, compile_sql
from workbench.store import engine
from workbench.store.lake import LakeVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionCount:
    """How many users with a profile one condition holds."""

    sentence: str
    depth: int
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The size of a segment and of each of its conditions, exact.

    Attributes:
        everyone: users with a profile at ``as_of``.
        conditions: children before parents; the last one is the segment.
        seconds: how long the question took.
    """

    everyone: int
    conditions: tuple[ConditionCount, ...]
    seconds: float

    @property
    def qualified(self) -> int:
        """The size of the segment."""
        return self.conditions[-1].users


def compiled(
    segment: Segment, as_of: datetime, *, version: LakeVersion, zone: ZoneInfo, resolver: Resolver
) -> Query:
    """Check and compile a segment against a lake version.

    Raises:
        SegmentError: with all problems of the tree.
    """
    check(segment, version.catalogue, resolver)
    return compile_sql(segment, as_of, catalogue=version.catalogue, zone=zone, resolver=resolver)


def qualified(query: Query, connection: engine.Connection) -> pl.DataFrame:
    """Return the users of a segment: one column, ``user_code`` (UInt32), ascending."""
    return engine.frame(connection, query.sql, query.parameters).sort("user_code")


def counts(query: Query, connection: engine.Connection) -> Counts:
    """Count everyone, the segment and each of its conditions in one pass."""
    began = time.perf_counter()
    found = dict(engine.rows(connection, query.counts_sql, query.parameters))
    return Counts(
        everyone=found[EVERYONE],
        conditions=tuple(
            ConditionCount(sentence=step.sentence, depth=step.depth, users=found[step.name])
            for step in query.steps
        ),
        seconds=time.perf_counter() - began,
    )
