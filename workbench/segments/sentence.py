"""A condition tree as an English sentence."""

from collections.abc import Sequence as Many
from datetime import time
from typing import assert_never

from workbench.segments.behaviours import (
    Clock,
    ConstantPart,
    ConstantProperty,
    Did,
    Interest,
    Milestone,
    Regularly,
    Selection,
    Sequence,
    selection,
)
from workbench.segments.model import AllOf, AnyOf, Condition, Not
from workbench.segments.predicates import ONCE, Function, Measure, Operator, Predicate, Value
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.segments.windows import Calendar, Dates, DaysAgo, Duration, Ever, Last, Next, Window

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
        case Not(condition=Did() as did) if did.measure == ONCE and (
            did.match == "any" or len(did.events) == 1
        ):
            return "did not do" + _did(did).removeprefix("did")
        case Not(condition=InSegment() | InList() as inner):
            return sentence(inner).replace("is in", "is not in", 1)
        case Not():
            return f"not ({sentence(condition.condition)})"
        case Did():
            return _did(condition)
        case Milestone():
            events = events_sentence(selection(condition))
            return f"did {events} for the {condition.which} time{window(condition.window) or ' ever'}"
        case Interest():
            return _interest(condition)
        case Regularly():
            return _regularly(condition)
        case Sequence():
            verb = "then" if condition.followed else "and then not"
            return (
                f"did {events_sentence(condition.first)}{window(condition.window)} {verb} "
                f"{events_sentence(condition.then)} within {duration(condition.within)}"
            )
        case ConstantProperty():
            parts = " and ".join(_part(part) for part in condition.parts)
            return f"for one and the same {condition.name}: {parts}"
        case UserProperty():
            return predicate(condition.predicate)
        case Age():
            return f"age {_compared(condition.operator, condition.values)}"
        case Near():
            place = f"{number(condition.latitude)}, {number(condition.longitude)}"
            return f"is at most {number(condition.metres)} m from ({place})"
        case Bucket():
            return f"is in user bucket {condition.first} to {condition.last}"
        case Device():
            return f"has a device with {' and '.join(predicate(item) for item in condition.where)}"
        case InList():
            return f'is in list "{condition.list}"{_version(condition.version)}'
        case InSegment():
            return f'is in segment "{condition.segment}"{_version(condition.version)}'
        case _:
            assert_never(condition)


def predicate(item: Predicate) -> str:
    """Return what a filter says: ``price > 50``."""
    if item.operator in {Operator.EXISTS, Operator.NOT_EXISTS}:
        return f"{item.property} {item.operator}"
    if item.operator is Operator.WITHIN and item.window is not None:
        return f"{item.property} is{window(item.window)}"
    if item.operator is Operator.ANNIVERSARY:
        days = int(item.values[0]) if item.values else 0
        when = "today" if days == 0 else f"within the next {days} {'day' if days == 1 else 'days'}"
        return f"the anniversary of {item.property} is {when}"
    return f"{item.property} {_compared(item.operator, item.values)}"


def window(item: Window) -> str:
    """Return what a window says, with a leading blank; nothing for ever."""
    match item:
        case Ever():
            return ""
        case Last(count=1) | Next(count=1):
            return f" in the {item.kind} {item.unit.removesuffix('s')}"
        case Last() | Next():
            return f" in the {item.kind} {item.count} {item.unit}"
        case DaysAgo(farthest=None):
            return f" at least {item.nearest} {'day' if item.nearest == 1 else 'days'} ago"
        case DaysAgo() if item.farthest == item.nearest:
            return f" exactly {item.farthest} {'day' if item.farthest == 1 else 'days'} ago"
        case DaysAgo():
            return f" between {item.farthest} and {item.nearest} days ago"
        case Calendar():
            return f" in the {item.period}" if item.period == "previous month" else f" {item.period}"
        case Dates() if item.first is not None and item.first == item.last:
            return f" on {item.first}"
        case Dates(first=None):
            return f" up to {item.last}"
        case Dates(last=None):
            return f" since {item.first}"
        case Dates():
            return f" from {item.first} to {item.last}"
        case _:
            assert_never(item)


def duration(item: Duration) -> str:
    """Return what a duration says: ``2 hours``."""
    return f"{item.count} {item.unit.removesuffix('s') if item.count == 1 else item.unit}"


def events_sentence(events: Selection, joiner: str = " or ") -> str:
    """Return which events are meant: names, filters, and the local time."""
    names = joiner.join(f'"{name}"' for name in events.events)
    filters = f" ({' and '.join(predicate(item) for item in events.where)})" if events.where else ""
    return f"{names}{filters}{_clock(events.clock)}"


def _did(did: Did) -> str:
    events = events_sentence(selection(did), " and " if did.match == "all" else " or ")
    zero = ", users without any included" if did.include_zero else ""
    return f"did {events}{_measure(did.measure)}{window(did.window)}{zero}"


def _interest(item: Interest) -> str:
    events = events_sentence(selection(item))
    values = " or ".join(_value(value) for value in item.values)
    if item.percent is None:
        return f"did {events}{window(item.window)} predominantly with {item.property} {values}"
    share = f"at least {number(item.percent)} %"
    return f"did {events}{window(item.window)} with {item.property} {values} in {share} of them"


def _regularly(item: Regularly) -> str:
    times = "" if item.times == 1 else f" at least {item.times} times"
    period = {1: "days", 7: "weeks"}.get(item.days, f"periods of {item.days} days")
    return (
        f"did {events_sentence(selection(item))}{times} in at least {item.at_least} of the last "
        f"{item.periods} {period}"
    )


def _part(part: ConstantPart) -> str:
    verb = "did" if part.did else "did not do"
    events = events_sentence(selection(part))
    return f"{verb} {events}{_measure(part.measure)} by {part.property}{window(part.window)}"


def _clock(clock: Clock | None) -> str:
    if clock is None:
        return ""
    days = f" on {', '.join(day.capitalize() for day in clock.weekdays)}" if clock.weekdays else ""
    hours = ""
    if clock.end is not None:
        hours = f" between {_time(clock.start)} and {_time(clock.end)}"
    elif clock.start != time():
        hours = f" from {_time(clock.start)}"
    return f"{days}{hours}{' in the local time of the user' if clock.zone == 'user' else ''}"


def _time(value: time) -> str:
    return value.isoformat("minutes" if value.second == 0 else "seconds")


def _measure(measure: Measure) -> str:
    if measure == ONCE:
        return ""
    if measure.function is Function.COUNT:
        if measure.operator is Operator.AT_LEAST:
            return f" at least {number(measure.values[0])} times"
        return f" {measure.operator} {_values(measure.operator, measure.values)} times"
    name = "distinct values" if measure.function is Function.DISTINCT else str(measure.function)
    values = _values(measure.operator, measure.values)
    return f" with {name} of {measure.property} {measure.operator} {values}"


def _compared(operator: Operator, values: Many[Value]) -> str:
    return f"{WORDS.get(operator, operator)} {_values(operator, values)}"


def _values(operator: Operator, values: Many[Value]) -> str:
    return (" and " if operator is Operator.BETWEEN else ", ").join(_value(value) for value in values)


def _version(version: int | None) -> str:
    return f" (version {version})" if version else ""


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
