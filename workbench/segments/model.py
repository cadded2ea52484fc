"""The condition tree: the one definition of a segment, from which everything else is derived.

Core kinds only. SQL, sentence, JSON and checks are visitors beside this file, each a ``match`` that
ends in ``assert_never``: a new kind does not type-check until every one of them knows it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from workbench.segments.windows import Ever, Window

EVER = Ever()

Value: TypeAlias = bool | int | float | str


class Operator(StrEnum):
    """How a property is compared."""

    EQUALS = "="
    NOT_EQUALS = "!="
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    BETWEEN = "between"
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    NOT_CONTAINS = "does not contain"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    EXISTS = "exists"
    NOT_EXISTS = "does not exist"


class Function(StrEnum):
    """What is computed over a user's matching events."""

    COUNT = "count"
    SUM = "sum"
    AVERAGE = "average"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """A property compared with values: ``price > 50``. Several values are an OR over them."""

    property: str
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A function over matching events, compared with numbers: ``sum of price >= 500``.

    Attributes:
        function: count needs no property; the others do. Average counts an event that lacks the
            property as 0; an ``exists`` filter drops such events.
        property: of the event.
        operator: one of ``= != > >= < <= between``.
        values: one number; two for between.
    """

    function: Function = Function.COUNT
    property: str | None = None
    operator: Operator = Operator.AT_LEAST
    values: tuple[int | float, ...] = (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """Users who did one or more events.

    Attributes:
        events: exact names.
        match: ``any``: one shared measure over the union; ``all``: each event on its own.
        where: filters, all of which hold, applied before the measure.
        measure: at least once, unless said otherwise.
        window: in which the events lie, relative to ``as_of``.
        include_zero: whether a user without any matching event counts as 0 instead of being left out.
    """

    events: tuple[str, ...]
    match: Literal["any", "all"] = "any"
    where: tuple[Predicate, ...] = ()
    measure: Measure = Measure()
    window: Window = EVER
    include_zero: bool = False
    kind: Literal["did"] = "did"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProperty:
    """Users whose profile attribute fits."""

    predicate: Predicate
    kind: Literal["user"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment:
    """Users of another segment; without a version the newest, which saving pins."""

    segment: str
    version: int | None = None
    kind: Literal["segment"] = "segment"


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


Condition: TypeAlias = Annotated[
    AllOf | AnyOf | Not | Did | UserProperty | InSegment, Field(discriminator="kind")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A named condition tree."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    condition: Condition
    description: str = ""
