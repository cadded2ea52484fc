"""The tree itself: groups combine the masks of what they hold, in the order of the SQL's steps."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

import numpy as np
import polars as pl

from workbench.segments.behaviours import ConstantProperty, Did, Interest, Milestone, Regularly, Sequence
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.qualify import ConditionCount, Counts
from workbench.segments.scope import Scope, aware
from workbench.segments.sentence import sentence
from workbench.segments.sql import compile_sql
from workbench.segments.sql.query import Query
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.segments.vectors.behaviours import did, vector
from workbench.segments.vectors.cache import Vectors
from workbench.segments.vectors.question import Mask, Question
from workbench.store.reader import Reader

WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Who fits one condition, with a profile or without."""

    condition: Condition
    depth: int
    holds: Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The answer of a segment.

    Attributes:
        everyone: who has a profile.
        conditions: children before parents, as the steps of the SQL; the last one is the segment.
    """

    everyone: Mask
    conditions: tuple[Held, ...]

    @property
    def qualified(self) -> Mask:
        """Who is in the segment."""
        return self.conditions[-1].holds & self.everyone

    def counts(self, seconds: float) -> Counts:
        """Return the size of everyone, of the segment and of each of its conditions."""
        return Counts(
            everyone=int(np.count_nonzero(self.everyone)),
            conditions=tuple(
                ConditionCount(
                    sentence=sentence(held.condition),
                    depth=held.depth,
                    users=int(np.count_nonzero(held.holds & self.everyone)),
                )
                for held in self.conditions
            ),
            seconds=seconds,
        )

    @property
    def users(self) -> pl.DataFrame:
        """One column, ``user_code`` (UInt32), ascending."""
        return pl.DataFrame({"user_code": np.flatnonzero(self.qualified).astype(np.uint32)})


def ask(segment: Segment, as_of: datetime, scope: Scope, *, reader: Reader, vectors: Vectors) -> Asked:
    """Answer a checked segment.

    Args:
        segment: without problems (``check.check`` has passed).
        as_of: the instant of the question; rows recorded later are not seen.
        scope: the account at the reader's lake version.
        reader: of that version.
        vectors: what is known already; it learns what is computed.

    Raises:
        InputError: ``as_of`` is naive.
        CancelledError: the question was stopped.
        StoreError: the lake cannot be read.
    """
    question = Question(reader=reader, scope=scope, as_of=aware(as_of), vectors=vectors)
    _read_ahead(question, segment.condition)
    everyone = _everyone(question)
    held: list[Held] = []
    _hold(question, segment.condition, 0, everyone, held)
    return Asked(everyone=everyone, conditions=tuple(held))


def _everyone(question: Question) -> Mask:
    ctes = Query(steps=(), parameters={}).ctes
    return question.members(f"{ctes}\nSELECT user_code FROM everyone", {"as_of": question.as_of}, "profiles")


def _read_ahead(question: Question, condition: Condition) -> None:
    """Scan behaviours side by side: a small scan does not keep all cores busy."""
    wanted = list(dict.fromkeys(_leaves(question, condition)))
    if len(wanted) < 2:
        return
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda leaf: _leaf_vector(question, leaf), wanted))


def _leaves(question: Question, condition: Condition) -> list[Condition]:
    match condition:
        case AllOf() | AnyOf():
            return [leaf for part in condition.conditions for leaf in _leaves(question, part)]
        case Not():
            return _leaves(question, condition.condition)
        case InSegment():
            return _leaves(question, _named(question, condition))
        case Did(match="all") if len(condition.events) > 1:
            return list(_each(condition))
        case _:
            return [condition]


def _leaf_vector(question: Question, leaf: Condition) -> None:
    if isinstance(leaf, Did):
        vector(question, leaf)
    else:
        _members(question, leaf)


def _hold(question: Question, condition: Condition, depth: int, everyone: Mask, held: list[Held]) -> Mask:
    """Append who fits a condition, after all below it, and return that."""
    match condition:
        case AllOf():
            wanted = [part for part in condition.conditions if not isinstance(part, Not)]
            refused = [part.condition for part in condition.conditions if isinstance(part, Not)]
            holds = everyone if not wanted else np.ones(question.users, dtype=np.bool_)
            for part in wanted:
                holds = holds & _hold(question, part, depth + 1, everyone, held)
            for inner in refused:
                holds = holds & ~_hold(question, inner, depth + 1, everyone, held)
        case AnyOf():
            holds = np.zeros(question.users, dtype=np.bool_)
            for one in condition.conditions:
                holds = holds | _hold(question, one, depth + 1, everyone, held)
        case Not():
            holds = everyone & ~_hold(question, condition.condition, depth + 1, everyone, held)
        case Did(match="all") if len(condition.events) > 1:
            holds = np.ones(question.users, dtype=np.bool_)
            for part in _each(condition):
                holds = holds & _hold(question, part, depth + 1, everyone, held)
        case InSegment():
            holds = _hold(question, _named(question, condition), depth + 1, everyone, held)
        case Did():
            holds = did(question, condition, everyone)
        case Milestone() | Interest() | Regularly() | Sequence() | ConstantProperty():
            holds = _members(question, condition)
        case UserProperty() | Age() | Near() | Bucket() | Device() | InList():
            holds = _members(question, condition)
        case _:
            assert_never(condition)
    held.append(Held(condition=condition, depth=depth, holds=holds))
    return holds


def _members(question: Question, condition: Condition) -> Mask:
    """Ask the SQL of one condition."""
    query = compile_sql(Segment(name="condition", condition=condition), question.as_of, question.scope)
    sql = f"{query.ctes}\nSELECT user_code FROM {query.steps[-1].name}"
    return question.members(sql, query.parameters)


def _named(question: Question, condition: InSegment) -> Condition:
    found = question.scope.resolver.find(condition.segment, condition.version)
    if found is None:
        raise LookupError(f'segment "{condition.segment}" was not checked')
    return found.condition


def _each(condition: Did) -> tuple[Did, ...]:
    return tuple(replace(condition, events=(event,), match="any") for event in condition.events)
