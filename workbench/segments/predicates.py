"""How a property is compared, and what is computed over events."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from workbench.segments.windows import Window

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
    MATCHES = "matches"
    CONTAINS_ANY = "contains any"
    CONTAINS_ALL = "contains all"
    CONTAINS_NONE = "contains none"
    WITHIN = "within"
    ANNIVERSARY = "anniversary"
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
    """A property compared with values: ``price > 50``. Several values are an OR over them.

    Attributes:
        property: exact name.
        operator: every one but ``does not exist`` needs the property to be present.
        values: of the property's type; for ``anniversary`` the number of days from today, 0 for today.
        window: for ``within``: the calendar dates in which a date or an instant lies.
    """

    property: str
    operator: Operator
    values: tuple[Value, ...] = ()
    window: Window | None = None


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


ONCE = Measure()
