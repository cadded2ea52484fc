"""The tree itself: groups combine the masks of what they hold, in the order of the SQL's steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

import numpy as np
import polars as pl

from workbench.segments.behaviours import (
    ConstantProperty,
    Did,
    Interest,
    Milestone,
    Regularly,
    Sequence,
    selection,
)
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.qualify import ConditionCount, Counts
from workbench.segments.scope import Scope, aware
from workbench.segments.sentence import sentence
from workbench.segments.sql import compile_sql
from workbench.segments.traits import InSegment, UserProperty
from workbench.segments.vectors.attributes import user_property
from workbench.segments.vectors.behaviours import did, milestone
from workbench.segments.vectors.cache import Vectors
from workbench.segments.vectors.constants import constant
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.rows import expected
from workbench.segments.vectors.sequences import sequence
from workbench.segments.vectors.watch import Watch
from workbench.segments.windows import Span
from workbench.store.reader import Reader

Masks: TypeAlias = Mapping[Condition, Mask]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Who fits one condition, with a profile or without."""

    condition: Condition
    depth: int
    holds: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one condition of an *and* leaves of those before it.

    Attributes:
        sentence: what it says.
        lost: how many of those who were left do not fit it.
        left: how many do.
    """

    sentence: str
    lost: int
    left: int


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
    def steps(self) -> tuple[Step, ...]:
        """How everyone shrinks to the segment, condition by condition; one step unless the segment is an *and*."""
        whole = self.conditions[-1]
        parts = [held for held in self.conditions if held.depth == 1]
        if not isinstance(whole.condition, AllOf):
            parts = [whole]
        refused = 0
        if isinstance(whole.condition, AllOf):
            refused = sum(isinstance(part, Not) for part in whole.condition.conditions)
        left, found = self.everyone, []
        before = int(np.count_nonzero(left))
        for place, held in enumerate(parts):
            negated = place >= len(parts) - refused
            left = left & (~held.holds if negated else held.holds)
            users = int(np.count_nonzero(left))
            text = sentence(Not(condition=held.condition) if negated else held.condition)
            found.append(Step(sentence=text, lost=before - users, left=users))
            before = users
        return tuple(found)

    @property
    def users(self) -> pl.DataFrame:
        """One column, ``user_code`` (UInt32), ascending."""
        return pl.DataFrame({"user_code": np.flatnonzero(self.qualified).astype(np.uint32)})


def ask(
    segment: Segment,
    as_of: datetime,
    scope: Scope,
    *,
    reader: Reader,
    vectors: Vectors,
    watch: Watch | None = None,
) -> Asked:
    """Answer a checked segment.

    Args:
        segment: without problems (``check.check`` has passed).
        as_of: the instant of the question; rows recorded later are not seen.
        scope: the account at the reader's lake version.
        reader: of that version.
        vectors: what is known already; it learns what is computed.
        watch: hears how far it is, and may stop it.

    Raises:
        InputError: ``as_of`` is naive.
        CancelledError: the question was stopped.
        StoreError: the lake cannot be read.
    """
    question = opened(as_of, scope, reader=reader, vectors=vectors, watch=watch)
    everyone = question.everyone()
    masks = {}
    wanted = expect(question, leaves(question, segment.condition))
    for leaf, rows in wanted.items():
        question.watch.check()
        masks[leaf] = leaf_mask(question, leaf, everyone)
        question.watch.answered(rows)
    return combine(question, segment.condition, everyone, masks)


def combine(question: Question, condition: Condition, everyone: Mask, masks: Masks) -> Asked:
    """Answer a condition from the answers of its leaves."""
    held: list[Held] = []
    _hold(question, condition, 0, everyone, masks, held)
    return Asked(everyone=everyone, conditions=tuple(held))


def opened(
    as_of: datetime, scope: Scope, *, reader: Reader, vectors: Vectors, watch: Watch | None = None
) -> Question:
    """Begin a question; see ``ask``."""
    return Question(reader=reader, scope=scope, as_of=aware(as_of), vectors=vectors, watch=watch or Watch())


def expect(question: Question, conditions: list[Condition]) -> dict[Condition, int]:
    """Tell whoever looks on how many events there are to be read, and return how many each condition has."""
    found = {condition: _expected(question, condition) for condition in conditions}
    question.watch.expect(sum(found.values()))
    return found


def _expected(question: Question, condition: Condition) -> int:
    match condition:
        case Did() | Interest():
            return expected(question, selection(condition), question.span(condition.window))
        case ConstantProperty():
            parts = condition.parts
            return sum(expected(question, selection(part), question.span(part.window)) for part in parts)
        case Sequence():
            limits = question.span(condition.window)
            after = Span(start=limits.start)
            return expected(question, condition.first, limits) + expected(question, condition.then, after)
        case Milestone() | Regularly():
            return expected(question, selection(condition), Span())
        case _:
            return 0


def leaves(question: Question, condition: Condition) -> list[Condition]:
    """Return the conditions that hold no others, each once, in the order of the tree."""
    return list(dict.fromkeys(_leaves(question, condition)))


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


def leaf_mask(question: Question, leaf: Condition, everyone: Mask) -> Mask:
    """Return who fits a condition that holds no others, computed once for the instant and the data."""
    scope = question.scope
    text = f"mask $as_of {scope.zone.key} {scope.salt} {leaf!r}"
    key = question.key(text, {"as_of": question.as_of})
    return question.vectors.get(key, lambda: _leaf_mask(question, leaf, everyone))


def _leaf_mask(question: Question, leaf: Condition, everyone: Mask) -> Mask:
    """Answer from arrays, or by its own SQL."""
    holds: Mask | None = None
    match leaf:
        case Did():
            return did(question, leaf, everyone)
        case Milestone():
            return milestone(question, leaf)
        case Sequence():
            holds = sequence(question, leaf)
        case ConstantProperty():
            holds = constant(question, leaf)
        case UserProperty():
            holds = user_property(question, leaf)
    if holds is not None:
        return holds
    query = compile_sql(
        Segment(name="condition", condition=leaf), question.as_of, question.scope, question.writer().profiles
    )
    return question.members(f"{query.ctes}\nSELECT user_code FROM {query.steps[-1].name}", query.parameters)


def _hold(
    question: Question, condition: Condition, depth: int, everyone: Mask, masks: Masks, held: list[Held]
) -> Mask:
    """Append who fits a condition, after all below it, and return that."""

    def below(part: Condition) -> Mask:
        return _hold(question, part, depth + 1, everyone, masks, held)

    match condition:
        case AllOf():
            refused = [part.condition for part in condition.conditions if isinstance(part, Not)]
            wanted = [below(part) for part in condition.conditions if not isinstance(part, Not)]
            holds = _both(wanted) if wanted else everyone
            for inner in refused:
                # Of two masks, the one is greater than the other where it holds and the other does not.
                holds = holds > below(inner)
        case AnyOf():
            parts = [below(one) for one in condition.conditions]
            holds = parts[0] if parts else np.zeros(question.users, dtype=np.bool_)
            for other in parts[1:]:
                holds = holds | other
        case Not():
            holds = everyone > below(condition.condition)
        case Did(match="all") if len(condition.events) > 1:
            holds = _both([below(each) for each in _each(condition)])
        case InSegment():
            holds = below(_named(question, condition))
        case _:
            holds = masks[condition]
    held.append(Held(condition=condition, depth=depth, holds=holds))
    return holds


def _both(masks: list[Mask]) -> Mask:
    holds, *others = masks
    for other in others:
        holds = holds & other
    return holds


def _named(question: Question, condition: InSegment) -> Condition:
    found = question.scope.resolver.find(condition.segment, condition.version)
    if found is None:
        raise LookupError(f'segment "{condition.segment}" was not checked')
    return found.condition


def _each(condition: Did) -> tuple[Did, ...]:
    return tuple(replace(condition, events=(event,), match="any") for event in condition.events)
