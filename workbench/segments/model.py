"""The condition tree: the one definition of a segment, from which everything else is derived.

Core kinds only: groups here, conditions over events in ``behaviours``, over users in ``traits``.
SQL, Polars frame, sentence, Python, JSON and checks are visitors beside this file, each a ``match``
that ends in ``assert_never``: a new kind does not type-check until every one of them knows it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from workbench.segments.behaviours import ConstantProperty, Did, Interest, Milestone, Regularly, Sequence
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Users who fit every condition."""

    conditions: tuple["Condition", ...]
    kind: Literal["all"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """Users who fit at least one condition."""

    conditions: tuple["Condition", ...]
    kind: Literal["any"] = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """Users who do not fit the condition."""

    condition: "Condition"
    kind: Literal["not"] = "not"


Group: TypeAlias = AllOf | AnyOf | Not
Behaviour: TypeAlias = Did | Milestone | Interest | Regularly | Sequence | ConstantProperty
Trait: TypeAlias = UserProperty | Age | Near | Bucket | Device | InList | InSegment

Condition: TypeAlias = Annotated[Group | Behaviour | Trait, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named condition tree."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    condition: Condition
    description: str = ""


def walk(condition: Condition) -> Iterator[Condition]:
    """Give a condition and all below it, parents first."""
    yield condition
    match condition:
        case AllOf() | AnyOf():
            for part in condition.conditions:
                yield from walk(part)
        case Not():
            yield from walk(condition.condition)


def size(condition: Condition) -> tuple[int, int]:
    """Return how many conditions a tree has and how deep they are nested, whatever its depth."""
    count, deepest, open_ = 0, 0, [(condition, 0)]
    while open_:
        item, depth = open_.pop()
        count, deepest = count + 1, max(deepest, depth)
        if isinstance(item, AllOf | AnyOf):
            open_ += [(part, depth + 1) for part in item.conditions]
        elif isinstance(item, Not):
            open_.append((item.condition, depth + 1))
    return count, deepest


def change(condition: Condition, leaf: Callable[[Condition], Condition]) -> Condition:
    """Return the tree with every condition that is no group put through ``leaf``."""
    match condition:
        case AllOf() | AnyOf():
            return replace(condition, conditions=tuple(change(part, leaf) for part in condition.conditions))
        case Not():
            return replace(condition, condition=change(condition.condition, leaf))
        case _:
            return leaf(condition)
