"""Ask a segment: who is in it, and how many each condition holds."""

import time
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from workbench.errors import NotFoundError, nearest
from workbench.segments.check import check
from workbench.segments.model import Segment
from workbench.segments.scope import Scope
from workbench.segments.sql import EVERYONE, Query, compile_sql
from workbench.store import engine


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


def compiled(segment: Segment, as_of: datetime, scope: Scope) -> Query:
    """Check and compile a segment.

    Raises:
        SegmentError: with all problems of the tree.
    """
    check(segment, scope, as_of)
    return compile_sql(segment, as_of, scope)


def qualified(query: Query, connection: engine.Connection) -> pl.DataFrame:
    """Return the users of a segment: one column, ``user_code`` (UInt32), ascending."""
    return engine.frame(connection, query.sql, query.parameters).sort("user_code")


def matched(query: Query, connection: engine.Connection, name: str, limit: int | None = None) -> pl.DataFrame:
    """Return the values of a constant property for each user whom it holds: newest first.

    Args:
        query: of a segment with a constant property called ``name``.
        connection: with the views of the lake version.
        name: its alias, else the property of its first part.
        limit: how many values a user gets; by default what the condition says.

    Returns:
        ``user_code, values``, ascending by code; ``values`` is a list of the property's type. Of two
        values that are equally new the smaller one comes first.

    Raises:
        NotFoundError: the segment has no constant property of that name.
    """
    if name not in query.matched:
        known = nearest(name, query.matched)
        raise NotFoundError(f'the segment has no constant property "{name}".{known}')
    found = engine.frame(connection, query.matched_sql(name), query.parameters)
    most = query.limits[name] if limit is None else limit
    return (
        found.sort(["user_code", "newest", "value"], descending=[False, True, False])
        .group_by("user_code", maintain_order=True)
        .agg(values=pl.col("value").head(most))
    )


def counts(query: Query, connection: engine.Connection) -> Counts:
    """Count everyone, the segment and each of its conditions in one pass."""
    began = time.perf_counter()
    found = dict(engine.rows(connection, query.counts_sql, query.parameters))
    return Counts(
        everyone=found[EVERYONE],
        conditions=tuple(
            ConditionCount(sentence=step.sentence, depth=step.depth or 0, users=found[step.name])
            for step in query.conditions
        ),
        seconds=time.perf_counter() - began,
    )
