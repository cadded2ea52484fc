"""Problems of comparisons: properties, operators, values, measures."""

import math
from collections.abc import Iterator, Mapping

from workbench.errors import Problem, nearest
from workbench.segments import patterns, versions
from workbench.segments.check.windows import dates_problems
from workbench.segments.predicates import Function, Measure, Operator, Predicate
from workbench.settings import PropertyType
from workbench.store.catalogue import Property

PRESENCE = frozenset({Operator.EXISTS, Operator.NOT_EXISTS})
EQUALITY = frozenset({Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN, Operator.NOT_IN})
ORDER = frozenset({Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST, Operator.BETWEEN})
TEXT = frozenset({
    Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES,
})  # fmt: skip
DATE = frozenset({Operator.WITHIN, Operator.ANNIVERSARY})
LISTED = frozenset({Operator.CONTAINS_ANY, Operator.CONTAINS_ALL, Operator.CONTAINS_NONE})
NUMBERS = ORDER | {Operator.EQUALS, Operator.NOT_EQUALS}

OPERATORS: Mapping[PropertyType, frozenset[Operator]] = {
    "text": PRESENCE | EQUALITY | TEXT,
    "number": PRESENCE | EQUALITY | ORDER,
    "boolean": PRESENCE | frozenset({Operator.EQUALS, Operator.NOT_EQUALS}),
    "date": PRESENCE | DATE,
    "instant": PRESENCE | DATE,
    "list": PRESENCE | LISTED,
    "version": PRESENCE | EQUALITY | ORDER,
}
VALUE_COUNTS = {
    Operator.BETWEEN: (2, 2), Operator.EXISTS: (0, 0), Operator.NOT_EXISTS: (0, 0), Operator.WITHIN: (0, 0),
    Operator.GREATER: (1, 1), Operator.AT_LEAST: (1, 1), Operator.LESS: (1, 1), Operator.AT_MOST: (1, 1),
    Operator.ANNIVERSARY: (1, 1),
}  # fmt: skip
MOST_VALUES = 10_000
LARGEST = 2**53
LONGEST_WAIT = 364


def predicate_problems(
    item: Predicate, path: str, known: Mapping[str, Property], subject: str
) -> Iterator[Problem]:
    """Give the problems of a filter over the properties of ``known``."""
    if item.property not in known:
        hint = nearest(item.property, known)
        yield Problem(path=path, message=f'unknown {subject} "{item.property}".{hint}')
        return
    kind = known[item.property].type
    if item.operator not in OPERATORS[kind]:
        allowed = ", ".join(operator for operator in Operator if operator in OPERATORS[kind])
        message = f'"{item.property}" is {_a(kind)}; "{item.operator}" does not apply to it ({allowed} do)'
        yield Problem(path=path, message=message)
        return
    yield from value_problems(item.operator, item.values, path)
    if item.operator is Operator.WITHIN and item.window is None:
        yield Problem(path=path, message='"within" needs a window')
    elif item.operator is Operator.WITHIN and item.window is not None:
        yield from dates_problems(item.window, path)
    elif item.window is not None:
        yield Problem(path=path, message=f'"{item.operator}" takes no window')
    elif item.operator is Operator.ANNIVERSARY:
        yield from _days(item, path)
    elif item.operator is Operator.MATCHES:
        faults = [patterns.problem(value) for value in item.values if isinstance(value, str)]
        yield from (Problem(path=path, message=fault) for fault in faults if fault)
    if item.operator is not Operator.ANNIVERSARY:
        yield from typed_problems(item.property, kind, item.values, path)


def typed_problems(name: str, kind: PropertyType, values: tuple[object, ...], path: str) -> Iterator[Problem]:
    """Give the problem of every value that is not of a property's type."""
    for value in values:
        if value == "" and kind in {"text", "list"}:
            message = f'"{name}": an empty text is kept as absent; use "exists" or "does not exist"'
            yield Problem(path=path, message=message)
        if not _fits(value, kind):
            wanted = "text" if kind == "list" else kind
            hint = f"; a {wanted} is needed" if wanted != kind else ""
            yield Problem(path=path, message=f'"{name}" is {_a(kind)}, {value!r} is not{hint}')


def measure_problems(
    measure: Measure, path: str, known: Mapping[str, Property], subject: str
) -> Iterator[Problem]:
    """Give the problems of a measure over events."""
    if measure.function is Function.COUNT:
        if measure.property is not None:
            yield Problem(path=path, message=f'count takes no property, got "{measure.property}"')
    elif measure.property is None:
        yield Problem(path=path, message=f"{measure.function} needs a property")
    elif measure.property not in known:
        hint = nearest(measure.property, known)
        yield Problem(path=path, message=f'"{measure.property}" is not a {subject}.{hint}')
    elif measure.function is Function.DISTINCT:
        if known[measure.property].type == "list":
            yield Problem(path=path, message=f'"{measure.property}" is a list: its values are not counted')
    elif known[measure.property].type != "number":
        kind = known[measure.property].type
        yield Problem(
            path=path, message=f'{measure.function} needs a number, "{measure.property}" is {_a(kind)}'
        )
    if measure.function in {Function.COUNT, Function.DISTINCT}:
        below = [value for value in measure.values if _is_number(value) and value < 0]
        if below:
            yield Problem(path=path, message=f"a count is never below 0, got {min(below):g}")
    yield from number_problems(measure.operator, measure.values, path)
    wanted = 2 if measure.operator is Operator.BETWEEN else 1
    if measure.operator in EQUALITY and len(measure.values) > wanted:
        message = f'"{measure.operator}" takes 1 number, got {len(measure.values)}; combine conditions'
        yield Problem(path=path, message=message)


def number_problems(operator: Operator, values: tuple[object, ...], path: str) -> Iterator[Problem]:
    """Give the problems of a comparison of numbers."""
    if operator not in NUMBERS:
        yield Problem(path=path, message=f'"{operator}" does not compare numbers')
    for value in values:
        if not _is_number(value):
            yield Problem(path=path, message=f"{value!r} is not a number")
    yield from value_problems(operator, values, path)


def value_problems(operator: Operator, values: tuple[object, ...], path: str) -> Iterator[Problem]:
    """Give the problems of the values of an operator, whatever is compared."""
    fewest, most = VALUE_COUNTS.get(operator, (1, MOST_VALUES))
    if not fewest <= len(values) <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most:,}"
        yield Problem(path=path, message=f'"{operator}" takes {wanted} values, got {len(values)}')
    for value in values:
        if isinstance(value, float) and not math.isfinite(value):
            yield Problem(path=path, message=f"{value} is not a finite number")
        if isinstance(value, int) and abs(value) > LARGEST:
            yield Problem(path=path, message=f"{value} is beyond 2^53: numbers are not exact there")
        if isinstance(value, str) and not _encodes(value):
            yield Problem(path=path, message=f"{value!r} is not valid Unicode text")
    if operator is Operator.BETWEEN and len(values) == 2:
        low, high = values
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            yield Problem(path=path, message=f"between {low} and {high}: the first is larger")
        if (
            isinstance(low, str)
            and isinstance(high, str)
            and (versions.key(low) or "") > (versions.key(high) or "")
        ):
            yield Problem(path=path, message=f"between {low} and {high}: the first is larger")


def _days(item: Predicate, path: str) -> Iterator[Problem]:
    for value in item.values:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST_WAIT:
            message = f"an anniversary comes within 0 to {LONGEST_WAIT} days, got {value!r}"
            yield Problem(path=path, message=message)


def _fits(value: object, kind: PropertyType) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return _is_number(value)
    if kind == "version":
        return isinstance(value, str) and versions.key(value) is not None
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _a(kind: PropertyType) -> str:
    return f"{'an' if kind == 'instant' else 'a'} {kind}"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
