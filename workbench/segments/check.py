"""All problems of a tree at once, each with its path: nothing is dropped, guessed or widened."""

import math
from collections.abc import Iterator, Mapping
from typing import assert_never

from workbench.errors import Problem, SegmentError, nearest
from workbench.segments.codec import ordinal
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
    Segment,
    UserProperty,
)
from workbench.segments.resolve import Resolver
from workbench.segments.windows import Dates, DaysAgo, Last, Window
from workbench.settings import PropertyType
from workbench.store.catalogue import Catalogue, Property

PRESENCE = frozenset({Operator.EXISTS, Operator.NOT_EXISTS})
EQUALITY = frozenset({Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN, Operator.NOT_IN})
ORDER = frozenset({Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST, Operator.BETWEEN})
TEXT = frozenset({
    Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH,
})  # fmt: skip

OPERATORS: Mapping[PropertyType, frozenset[Operator]] = {
    "text": PRESENCE | EQUALITY | TEXT,
    "number": PRESENCE | EQUALITY | ORDER,
    "boolean": PRESENCE | frozenset({Operator.EQUALS, Operator.NOT_EQUALS}),
    "date": PRESENCE,
    "instant": PRESENCE,
    "list": PRESENCE,
}
LARGEST = 2**53
LONGEST: Mapping[str, int] = {
    "minutes": 52_560_000, "hours": 876_000, "days": 36_500, "weeks": 5_200, "months": 1_200, "years": 100,
}  # fmt: skip
VALUE_COUNTS = {
    Operator.BETWEEN: (2, 2), Operator.EXISTS: (0, 0), Operator.NOT_EXISTS: (0, 0),
    Operator.GREATER: (1, 1), Operator.AT_LEAST: (1, 1), Operator.LESS: (1, 1), Operator.AT_MOST: (1, 1),
}  # fmt: skip


def check(segment: Segment, catalogue: Catalogue, resolver: Resolver) -> None:
    """Refuse a segment that cannot be asked exactly.

    Raises:
        SegmentError: with every problem of the tree and of the segments that it names.
    """
    found = list(problems(segment, catalogue, resolver))
    if found:
        raise SegmentError(segment.name, found)


def problems(segment: Segment, catalogue: Catalogue, resolver: Resolver) -> Iterator[Problem]:
    """Give every problem of a segment."""
    yield from _condition(segment.condition, "", catalogue, resolver, (segment.name,))


def _condition(
    condition: Condition, path: str, catalogue: Catalogue, resolver: Resolver, inside: tuple[str, ...]
) -> Iterator[Problem]:
    match condition:
        case AllOf() | AnyOf():
            here = _join(path, condition.kind)
            if not condition.conditions:
                yield Problem(
                    path=here, message="an empty group matches nobody or everybody; add a condition"
                )
            for number, part in enumerate(condition.conditions, 1):
                place = f"{here} > {number}{ordinal(number)} condition"
                yield from _condition(part, place, catalogue, resolver, inside)
        case Not():
            yield from _condition(condition.condition, _join(path, "not"), catalogue, resolver, inside)
        case Did():
            yield from _did(condition, _join(path, "did"), catalogue)
        case UserProperty():
            yield from _predicate(
                condition.predicate, _join(path, "user"), catalogue.attributes, "user property"
            )
        case InSegment():
            yield from _segment(condition, _join(path, "segment"), catalogue, resolver, inside)
        case _:
            assert_never(condition)


def _did(did: Did, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    if not did.events:
        yield Problem(path=path, message="names no event")
    for name in did.events:
        if name not in catalogue.events:
            yield Problem(path=path, message=f'unknown event "{name}".{nearest(name, catalogue.events)}')
    usable = catalogue.properties_of(did.events)
    known = {name: item for name, item in catalogue.properties.items() if name in usable}
    subject = " or ".join(f'"{name}"' for name in did.events)
    if any(name in catalogue.events for name in did.events):
        for number, item in enumerate(did.where, 1):
            place = f"{path} > {number}{ordinal(number)} filter"
            yield from _predicate(item, place, known, f"property of {subject}")
        yield from _measure(did.measure, _join(path, "measure"), known, f"property of {subject}")
    if did.include_zero and did.measure.function not in {Function.COUNT, Function.SUM, Function.DISTINCT}:
        message = f"without any event there is no {did.measure.function}; include_zero does not apply"
        yield Problem(path=path, message=message)
    if not did.include_zero and _only_zero(did.measure):
        yield Problem(
            path=path, message="matches nobody: users without events are left out unless include_zero is set"
        )
    yield from _window(did.window, _join(path, "window"))


def _only_zero(measure: Measure) -> bool:
    if measure.function is not Function.COUNT or not measure.values:
        return False
    first, last = measure.values[0], measure.values[-1]
    match measure.operator:
        case Operator.EQUALS:
            return first == 0
        case Operator.LESS:
            return first <= 1
        case Operator.AT_MOST | Operator.BETWEEN:
            return last < 1
        case _:
            return False


def _measure(measure: Measure, path: str, known: Mapping[str, Property], subject: str) -> Iterator[Problem]:
    if measure.function is Function.COUNT:
        if measure.property is not None:
            yield Problem(path=path, message=f'count takes no property, got "{measure.property}"')
        if any(value < 0 for value in measure.values):
            yield Problem(path=path, message=f"a count is never below 0, got {min(measure.values):g}")
    elif measure.property is None:
        yield Problem(path=path, message=f"{measure.function} needs a property")
    elif measure.property not in known:
        hint = nearest(measure.property, known)
        yield Problem(path=path, message=f'"{measure.property}" is not a {subject}.{hint}')
    elif measure.function is not Function.DISTINCT and known[measure.property].type != "number":
        kind = known[measure.property].type
        yield Problem(
            path=path, message=f'{measure.function} needs a number, "{measure.property}" is a {kind}'
        )
    allowed = ORDER | {Operator.EQUALS, Operator.NOT_EQUALS}
    if measure.operator not in allowed:
        yield Problem(path=path, message=f'"{measure.operator}" does not compare numbers')
    yield from _values(measure.operator, measure.values, path)


def _predicate(item: Predicate, path: str, known: Mapping[str, Property], subject: str) -> Iterator[Problem]:
    if item.property not in known:
        hint = nearest(item.property, known)
        yield Problem(path=path, message=f'unknown {subject} "{item.property}".{hint}')
        return
    kind = known[item.property].type
    if item.operator not in OPERATORS[kind]:
        allowed = ", ".join(operator for operator in Operator if operator in OPERATORS[kind])
        message = f'"{item.property}" is a {kind}; "{item.operator}" does not apply to it ({allowed} do)'
        yield Problem(path=path, message=message)
        return
    yield from _values(item.operator, item.values, path)
    for value in item.values:
        if not _fits(value, kind):
            yield Problem(path=path, message=f'"{item.property}" is a {kind}, {value!r} is not')


def _values(operator: Operator, values: tuple[object, ...], path: str) -> Iterator[Problem]:
    fewest, most = VALUE_COUNTS.get(operator, (1, math.inf))
    if not fewest <= len(values) <= most:
        wanted = f"{fewest}" if fewest == most else f"at least {fewest}"
        yield Problem(path=path, message=f'"{operator}" takes {wanted} values, got {len(values)}')
    for value in values:
        if isinstance(value, float) and not math.isfinite(value):
            yield Problem(path=path, message=f"{value} is not a finite number")
        if isinstance(value, int) and abs(value) > LARGEST:
            yield Problem(path=path, message=f"{value} is beyond 2^53: numbers are not exact there")
    if operator is Operator.BETWEEN and len(values) == 2:
        low, high = values
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            yield Problem(path=path, message=f"between {low} and {high}: the first is larger")


def _fits(value: object, kind: PropertyType) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _window(window: Window, path: str) -> Iterator[Problem]:
    match window:
        case Last() if not 1 <= window.count <= LONGEST[window.unit]:
            limit = f"{LONGEST[window.unit]:,}"
            yield Problem(path=path, message=f"the last {window.count} {window.unit}: give 1 to {limit}")
        case DaysAgo() if window.farthest > LONGEST["days"]:
            limit = f"{LONGEST['days']:,}"
            yield Problem(path=path, message=f"{window.farthest} days ago: give at most {limit}")
        case DaysAgo() if window.nearest < 0 or window.farthest < window.nearest:
            message = f"between {window.farthest} and {window.nearest} days ago: farthest first, none below 0"
            yield Problem(path=path, message=message)
        case Dates() if window.first and window.last and window.first > window.last:
            yield Problem(path=path, message=f"from {window.first} to {window.last}: the first is later")
        case Dates() if not window.first and not window.last:
            yield Problem(path=path, message="names no date")
        case Dates():
            for day in (window.first, window.last):
                if day and not 1900 <= day.year <= 2999:
                    yield Problem(path=path, message=f"{day} is not in the years 1900 to 2999")


def _segment(
    item: InSegment, path: str, catalogue: Catalogue, resolver: Resolver, inside: tuple[str, ...]
) -> Iterator[Problem]:
    if item.segment in inside:
        chain = " > ".join((*inside, item.segment))
        yield Problem(path=path, message=f"a segment cannot contain itself: {chain}")
        return
    other = resolver.find(item.segment, item.version)
    if other is None:
        version = f" version {item.version}" if item.version and item.segment in resolver.names() else ""
        hint = "" if version else nearest(item.segment, resolver.names())
        yield Problem(path=path, message=f'unknown segment "{item.segment}"{version}.{hint}')
        return
    place = f'{path} "{item.segment}"'
    yield from _condition(other.condition, place, catalogue, resolver, (*inside, item.segment))


def _join(path: str, step: str) -> str:
    return f"{path} > {step}" if path else step
