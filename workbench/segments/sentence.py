"""A condition tree as an English sentence."""

from typing import assert_never

from workbench.segments.model import (
    AllOf,
    AnyOf,
    Condition,
    Did,
    Function,
    InSegment,
    Measure,
    Not,
    Operator,
    Predicate,
    UserProperty,
    Value,
)
from workbench.segments.windows import Calendar, Dates, DaysAgo, Ever, Last, Window

WORDS = {
    Operator.EQUALS: "is",
    Operator.NOT_EQUALS: "is not",
    Operator.IN: "is one of",
    Operator.NOT_IN: "is none of",
}


def sentence(condition: Condition) -> str:
    """Return what a condition says.

    >>> sentence(Did(events=("Charged",), window=Last(count=7)))
    'did "Charged" in the last 7 days'
    """
    match condition:
        case AllOf():
            return _joined(condition.conditions, " and ")
        case AnyOf():
            return _joined(condition.conditions, " or ")
        case Not(condition=Did() as did) if did.measure == Measure() and (
            did.match == "any" or len(did.events) == 1
        ):
            return "did not do" + _did(did).removeprefix("did")
        case Not():
            return f"not ({sentence(condition.condition)})"
        case Did():
            return _did(condition)
        case UserProperty():
            return predicate(condition.predicate)
        case InSegment():
            version = f" (version {condition.version})" if condition.version else ""
            return f'is in segment "{condition.segment}"{version}'
        case _:
            assert_never(condition)


def predicate(item: Predicate) -> str:
    """Return what a filter says: ``price > 50``."""
    if item.operator in {Operator.EXISTS, Operator.NOT_EXISTS}:
        return f"{item.property} {item.operator}"
    word = WORDS.get(item.operator, str(item.operator))
    joiner = " and " if item.operator is Operator.BETWEEN else ", "
    return f"{item.property} {word} {joiner.join(_value(value) for value in item.values)}"


def window(item: Window) -> str:
    """Return what a window says, with a leading blank; nothing for ever."""
    match item:
        case Ever():
            return ""
        case Last(count=1):
            return f" in the last {item.unit.removesuffix('s')}"
        case Last():
            return f" in the last {item.count} {item.unit}"
        case DaysAgo() if item.farthest == item.nearest:
            return f" exactly {item.farthest} days ago"
        case DaysAgo():
            return f" between {item.farthest} and {item.nearest} days ago"
        case Calendar():
            return f" in the {item.period}" if item.period == "previous month" else f" {item.period}"
        case Dates():
            parts = [f" from {item.first}" if item.first else "", f" to {item.last}" if item.last else ""]
            return "".join(parts)
        case _:
            assert_never(item)


def _did(did: Did) -> str:
    names = [f'"{name}"' for name in did.events]
    joiner = " and " if did.match == "all" else " or "
    filters = f" ({' and '.join(predicate(item) for item in did.where)})" if did.where else ""
    zero = ", users without any included" if did.include_zero else ""
    return f"did {joiner.join(names)}{filters}{_measure(did.measure)}{window(did.window)}{zero}"


def _measure(measure: Measure) -> str:
    if measure == Measure():
        return ""
    joiner = " and " if measure.operator is Operator.BETWEEN else ", "
    values = joiner.join(number(value) for value in measure.values)
    if measure.function is Function.COUNT:
        if measure.operator is Operator.AT_LEAST:
            return f" at least {values} times"
        return f" {measure.operator} {values} times"
    name = "distinct values" if measure.function is Function.DISTINCT else str(measure.function)
    return f" with {name} of {measure.property} {measure.operator} {values}"


def _joined(conditions: tuple[Condition, ...], word: str) -> str:
    parts = [
        f"({sentence(part)})" if isinstance(part, AllOf | AnyOf) else sentence(part) for part in conditions
    ]
    return word.join(parts)


def number(value: float) -> str:
    """Return a number with all its digits: ``1234567``, ``0.5``."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _value(value: Value) -> str:
    match value:
        case str():
            return f'"{value}"'
        case bool():
            return str(value).lower()
        case _:
            return number(value)
