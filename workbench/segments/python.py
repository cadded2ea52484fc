"""A segment as the Python that builds it (``segments.build``)."""

import json
from collections.abc import Iterable
from datetime import time
from typing import TypeGuard, assert_never

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
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.predicates import ONCE, Function, Measure, Operator, Predicate
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.segments.windows import Calendar, Dates, DaysAgo, Duration, Ever, Last, Next, Window

SIGNS = {
    Operator.GREATER: ">", Operator.AT_LEAST: ">=", Operator.LESS: "<", Operator.AT_MOST: "<=",
    Operator.EQUALS: "==", Operator.NOT_EQUALS: "!=",
}  # fmt: skip
METHODS = {
    Operator.BETWEEN: "between", Operator.IN: "is_in", Operator.NOT_IN: "not_in",
    Operator.CONTAINS: "contains", Operator.NOT_CONTAINS: "does_not_contain",
    Operator.STARTS_WITH: "starts_with", Operator.ENDS_WITH: "ends_with", Operator.MATCHES: "matches",
    Operator.CONTAINS_ANY: "contains_any", Operator.CONTAINS_ALL: "contains_all",
    Operator.CONTAINS_NONE: "contains_none", Operator.EXISTS: "exists", Operator.NOT_EXISTS: "missing",
}  # fmt: skip
COUNTS = {
    Operator.AT_LEAST: "at_least", Operator.AT_MOST: "at_most", Operator.EQUALS: "exactly",
    Operator.LESS: "fewer_than", Operator.GREATER: "more_than", Operator.BETWEEN: "times_between",
}  # fmt: skip


def to_python(segment: Segment) -> str:
    """Return the code that builds a segment: an import, and one expression bound to ``segment``."""
    root = segment.condition
    lines = [_line(part) for part in root.conditions] if _joins(root) else [expression(root)]
    sign = "|" if isinstance(root, AnyOf) else "&"
    body = f"\n    {sign} ".join(lines)
    name = ", ".join(_values((segment.name, *([segment.description] if segment.description else []))))
    code = f"segment = (\n    {body}\n).named({name})\n"
    return f"from workbench.segments.build import {', '.join(_used(code))}\n\n{code}"


def expression(condition: Condition) -> str:
    """Return the code of a condition."""
    match condition:
        case AllOf() | AnyOf() if _joins(condition):
            return (" & " if isinstance(condition, AllOf) else " | ").join(
                _line(part) for part in condition.conditions
            )
        case AllOf() | AnyOf():
            name = "all_of" if isinstance(condition, AllOf) else "any_of"
            return f"{name}({', '.join(expression(part) for part in condition.conditions)})"
        case Not():
            return f"~{_line(condition.condition)}"
        case Did():
            return _did(condition)
        case Milestone():
            return f"{_events(selection(condition))}.{condition.which}_time(){_window(condition.window)}"
        case Interest():
            events = f"{_events(selection(condition))}{_window(condition.window)}"
            values = ", ".join(_values((condition.property, *condition.values)))
            if condition.percent is None:
                return f"{events}.predominantly({values})"
            return f"{events}.mostly({values}, percent={condition.percent!r})"
        case Regularly():
            days = "" if condition.days == 7 else f", days={condition.days}"
            times = "" if condition.times == 1 else f", times={condition.times}"
            events = _events(selection(condition))
            return f"{events}.regularly({condition.at_least}, of={condition.periods}{days}{times})"
        case Sequence():
            verb = "then" if condition.followed else "not_then"
            first = f"{_events(condition.first)}{_window(condition.window)}"
            return f"{first}.{verb}({_events(condition.then)}, {_unit(condition.within)})"
        case ConstantProperty():
            parts = [_part(part) for part in condition.parts]
            parts += [f"alias={_literal(condition.alias)}"] if condition.alias is not None else []
            parts += [f"limit={condition.limit}"] if condition.limit != 5 else []
            return f"same({', '.join(parts)})"
        case UserProperty():
            return _predicate("user", condition.predicate)
        case Age():
            return _compared("age()", condition.operator, condition.values)
        case Near():
            place = f"{condition.latitude!r}, {condition.longitude!r}"
            return f"near({place}, metres={condition.metres!r})"
        case Bucket():
            return f"bucket({condition.first}, {condition.last})"
        case Device(where=(only,)):
            return _predicate("device", only)
        case Device():
            return f"device_with({_filters(condition.where)})"
        case InList():
            return f"in_list({_literal(condition.list)}{_version(condition.version)})"
        case InSegment():
            return f"in_segment({_literal(condition.segment)}{_version(condition.version)})"
        case _:
            assert_never(condition)


def _joins(condition: Condition) -> TypeGuard[AllOf | AnyOf]:
    """Whether ``&`` or ``|`` gives this group: it flattens groups of its own kind."""
    if not isinstance(condition, AllOf | AnyOf) or len(condition.conditions) < 2:
        return False
    return not any(isinstance(part, type(condition)) for part in condition.conditions)


def _line(condition: Condition) -> str:
    """Return the code of a condition where it stands beside a sign."""
    text = expression(condition)
    return f"({text})" if _joins(condition) or _ends_with_a_sign(condition) else text


def _ends_with_a_sign(condition: Condition) -> bool:
    match condition:
        case UserProperty(predicate=item) | Device(where=(item,)):
            return item.operator in SIGNS and len(item.values) == 1
        case Age():
            return condition.operator in SIGNS and len(condition.values) == 1
        case _:
            return False


def _did(did: Did) -> str:
    text = _events(selection(did), "did_all" if did.match == "all" else "did") + _window(did.window)
    if did.include_zero:
        text += ".including_zero()"
    counted = did.measure.function is Function.COUNT and did.measure.operator in COUNTS
    return text + _measure(did.measure) if counted else _measured(text, did.measure)


def _measure(measure: Measure) -> str:
    if measure == ONCE:
        return ""
    values = ", ".join(_values(measure.values))
    return f".{COUNTS[measure.operator]}({values})"


def _measured(text: str, measure: Measure) -> str:
    left = f"{text}.{measure.function}({'' if measure.property is None else _literal(measure.property)})"
    if measure.operator in {Operator.EQUALS, Operator.BETWEEN}:
        method = "equals" if measure.operator is Operator.EQUALS else "between"
        return f"{left}.{method}({', '.join(_values(measure.values))})"
    return f"({left} {SIGNS[measure.operator]} {measure.values[0]!r})"


def _part(part: ConstantPart) -> str:
    did = Did(
        events=part.events, where=part.where, clock=part.clock, measure=part.measure, window=part.window
    )
    return f"{'' if part.did else '~'}{_did(did)}.by({_literal(part.property)})"


def _events(events: Selection, function: str = "did") -> str:
    text = f"{function}({', '.join(_values(events.events))})"
    if events.where:
        text += f".where({_filters(events.where)})"
    return text + (_clock(events.clock) if events.clock else "")


def _clock(clock: Clock) -> str:
    zone = "" if clock.zone == "account" else f', zone="{clock.zone}"'
    end = "" if clock.end is None else f', "{clock.end}"'
    text = f'.at_hours("{clock.start}"{end}{zone})' if clock.end is not None or clock.start != time() else ""
    if clock.weekdays:
        text += f".on_weekdays({', '.join(_values(clock.weekdays))}{'' if text else zone})"
    return text


def _filters(items: Iterable[Predicate]) -> str:
    return ", ".join(_predicate("prop", item) for item in items)


def _predicate(function: str, item: Predicate) -> str:
    left = f"{function}({_literal(item.property)})"
    if item.operator is Operator.WITHIN and item.window is not None:
        return left + _window(item.window)
    if item.operator is Operator.ANNIVERSARY:
        return f"{left}.anniversary({'' if item.values == (0,) else f'within={item.values[0]!r}'})"
    return _compared(left, item.operator, item.values)


def _compared(left: str, operator: Operator, values: tuple[object, ...]) -> str:
    if operator in METHODS:
        return f"{left}.{METHODS[operator]}({', '.join(_values(values))})"
    if len(values) == 1:
        return f"{left} {SIGNS[operator]} {_literal(values[0])}"
    method = "equals" if operator is Operator.EQUALS else "not_equals"
    return f"{left}.{method}({', '.join(_values(values))})"


def _window(window: Window) -> str:
    match window:
        case Ever():
            return ""
        case Last() | Next():
            return f".in_{window.kind}({_unit(window)})"
        case DaysAgo(farthest=None):
            return f".at_least_days_ago({window.nearest})"
        case DaysAgo() if window.farthest == window.nearest:
            return f".days_ago({window.nearest})"
        case DaysAgo():
            return f".between_days_ago({window.farthest}, {window.nearest})"
        case Calendar():
            return f".{window.period.replace(' ', '_')}()"
        case Dates(first=None):
            return f'.until("{window.last}")'
        case Dates(last=None):
            return f'.since("{window.first}")'
        case Dates() if window.first == window.last:
            return f'.on("{window.first}")'
        case Dates():
            return f'.between_dates("{window.first}", "{window.last}")'
        case _:
            assert_never(window)


def _unit(item: Last | Next | Duration) -> str:
    return f"{item.unit}={item.count}"


def _version(version: int | None) -> str:
    return "" if version is None else f", version={version}"


def _values(values: Iterable[object]) -> list[str]:
    return [_literal(value) for value in values]


def _literal(value: object) -> str:
    """Return a value as Python has it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _used(code: str) -> list[str]:
    from workbench.segments import build  # noqa: PLC0415 - the names only

    return [name for name in build.__all__ if f"{name}(" in code]
