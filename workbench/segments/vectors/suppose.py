"""What a tree would answer otherwise: with one condition turned round, taken out, or put in another's place.

Everything here is logic over masks of users who have a profile; nothing is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from workbench.segments.behaviours import Did
from workbench.segments.model import AllOf, AnyOf, Condition, Not, change
from workbench.segments.resolve import Resolver
from workbench.segments.traits import InSegment
from workbench.segments.vectors.question import Mask

Answers: TypeAlias = Mapping[Condition, Mask]
Path: TypeAlias = tuple[int, ...]

TRUE, FALSE = AllOf(conditions=()), AnyOf(conditions=())


def opened(condition: Condition, resolver: Resolver) -> Condition:
    """Return the tree with every segment inside it replaced by what that segment says."""
    return change(condition, lambda leaf: _inside(leaf, resolver))


def answered(condition: Condition, answers: Answers, users: int) -> Mask:
    """Answer an opened tree from the answers of its leaves.

    Args:
        condition: of groups and leaves, no segment inside.
        answers: of each leaf; only users with a profile.
        users: how many there are.
    """
    match condition:
        case AllOf():
            holds = np.ones(users, dtype=np.bool_)
            for part in condition.conditions:
                holds &= answered(part, answers, users)
            return holds
        case AnyOf():
            holds = np.zeros(users, dtype=np.bool_)
            for part in condition.conditions:
                holds |= answered(part, answers, users)
            return holds
        case Not():
            return ~answered(condition.condition, answers, users)
        case _:
            return answers[condition]


def flipped(condition: Condition, answers: Answers, leaf: Condition, users: int) -> Mask:
    """Answer an opened tree as if one leaf said the opposite, wherever it stands."""
    return answered(condition, {**answers, leaf: ~answers[leaf]}, users)


def leaves(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions of an opened tree as they read, in its order, each once.

    A leaf right under a *not* is returned with it: ``did not do "Charged"``.
    """
    return tuple(dict.fromkeys(_leaves(condition)))


def bare(leaf: Condition) -> Condition:
    """Return a leaf without the *not* around it."""
    return leaf.condition if isinstance(leaf, Not) else leaf


def without(condition: Condition, leaf: Condition) -> Condition | None:
    """Return an opened tree without a leaf; None when nothing is left. Groups that become empty go too."""
    match condition:
        case AllOf() | AnyOf():
            kept = [found for part in condition.conditions if (found := without(part, leaf)) is not None]
            return replace(condition, conditions=tuple(kept)) if kept else None
        case Not():
            inner = without(condition.condition, leaf)
            return None if inner is None else Not(condition=inner)
        case _:
            return None if condition == leaf else condition


def places(
    condition: Condition, resolver: Resolver, path: Path = ()
) -> Iterator[tuple[Path | None, Condition]]:
    """Give the conditions in the order of the counts, each with its path in the opened tree.

    The path is None for the parts of a *did all of*, which stand in the counts but not in the tree.
    """
    match condition:
        case AllOf():
            for number, part in sorted(enumerate(condition.conditions), key=_refused):
                if isinstance(part, Not):
                    yield from places(part.condition, resolver, (*path, number, 0))
                else:
                    yield from places(part, resolver, (*path, number))
        case AnyOf():
            for number, part in enumerate(condition.conditions):
                yield from places(part, resolver, (*path, number))
        case Not():
            yield from places(condition.condition, resolver, (*path, 0))
        case InSegment():
            yield from places(_named(condition, resolver), resolver, path)
        case Did(match="all") if len(condition.events) > 1:
            yield from ((None, part) for part in parts(condition))
    yield path, condition


def parts(condition: Did) -> tuple[Did, ...]:
    """Return the conditions of which all must hold: one for each event of a *did all of*, else itself."""
    if condition.match == "any" or len(condition.events) == 1:
        return (condition,)
    return tuple(replace(condition, events=(event,), match="any") for event in condition.events)


def put(condition: Condition, path: Path, other: Condition) -> Condition:
    """Return an opened tree with another condition at a path."""
    if not path:
        return other
    match condition:
        case AllOf() | AnyOf():
            below = list(condition.conditions)
            below[path[0]] = put(below[path[0]], path[1:], other)
            return replace(condition, conditions=tuple(below))
        case Not():
            return Not(condition=put(condition.condition, path[1:], other))
        case _:
            raise LookupError(f"the path {path} goes below a condition that is no group")


def _leaves(condition: Condition) -> Iterator[Condition]:
    match condition:
        case AllOf() | AnyOf():
            for part in condition.conditions:
                yield from _leaves(part)
        case Not(condition=AllOf() | AnyOf() | Not() as inner):
            yield from _leaves(inner)
        case _:
            yield condition


def _refused(item: tuple[int, Condition]) -> bool:
    return isinstance(item[1], Not)


def _inside(leaf: Condition, resolver: Resolver) -> Condition:
    return opened(_named(leaf, resolver), resolver) if isinstance(leaf, InSegment) else leaf


def _named(condition: InSegment, resolver: Resolver) -> Condition:
    found = resolver.find(condition.segment, condition.version)
    if found is None:
        raise LookupError(f'segment "{condition.segment}" was not checked')
    return found.condition
