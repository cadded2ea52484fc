"""``did(…)`` and what can be said of it."""

from dataclasses import replace
from datetime import time
from typing import Literal, NoReturn

from workbench.errors import InputError
from workbench.segments.behaviours import (
    Clock,
    ConstantPart,
    ConstantProperty,
    Did,
    Interest,
    Milestone,
    Regularly,
    Sequence,
    Weekday,
    selection,
)
from workbench.segments.build.expression import Expression
from workbench.segments.build.users import Filter
from workbench.segments.build.windows import Windowed, duration
from workbench.segments.predicates import ONCE, Function, Measure, Operator, Value
from workbench.segments.windows import EVER, Window

PLAIN = Did(events=())
PLAIN_CLOCK = Clock()


class DidExpression(Expression, Windowed["DidExpression"]):
    """Users who did events; filters, clock, window and measure in any order."""

    __slots__ = ()
    condition: Did

    def where(self, *filters: Filter) -> "DidExpression":
        """Count only events that fit every filter."""
        found = (*self.condition.where, *(item.predicate for item in filters))
        return DidExpression(replace(self.condition, where=found))

    def at_hours(
        self,
        start: str | time,
        end: str | time | None = None,
        *,
        zone: Literal["account", "user"] | None = None,
    ) -> "DidExpression":
        """Count only events from ``start`` to before ``end``, local time; 22:00 to 06:00 crosses midnight."""
        clock = self.condition.clock or Clock()
        if (clock.start, clock.end) != (PLAIN_CLOCK.start, PLAIN_CLOCK.end):
            raise InputError(f"{self!r}: its hours are set already")
        _refuse_other_zone(self, zone)
        last = _time(end) if end is not None else None
        changed = replace(clock, start=_time(start), end=last, zone=zone or clock.zone)
        return DidExpression(replace(self.condition, clock=changed))

    def on_weekdays(
        self, *weekdays: Weekday, zone: Literal["account", "user"] | None = None
    ) -> "DidExpression":
        """Count only events on these days of the week, local date."""
        clock = self.condition.clock or Clock()
        if clock.weekdays:
            raise InputError(f"{self!r}: its weekdays are set already; name all of them at once")
        _refuse_other_zone(self, zone)
        changed = replace(clock, weekdays=weekdays, zone=zone or clock.zone)
        return DidExpression(replace(self.condition, clock=changed))

    def in_window(self, window: Window) -> "DidExpression":
        """Count only events in a window."""
        _refuse_second_window(self, self.condition.window)
        return DidExpression(replace(self.condition, window=window))

    def including_zero(self) -> "DidExpression":
        """Count users without a matching event as 0, where an upper bound leaves them out."""
        return DidExpression(replace(self.condition, include_zero=True))

    def at_least(self, times: int) -> "DidExpression":
        """N times or more."""
        return self.count() >= times

    def at_most(self, times: int) -> "DidExpression":
        """Up to N times, and at least once."""
        return self.count() <= times

    def exactly(self, times: int) -> "DidExpression":
        """N times."""
        return self.count().equals(times)

    def fewer_than(self, times: int) -> "DidExpression":
        """Fewer than N times, and at least once."""
        return self.count() < times

    def more_than(self, times: int) -> "DidExpression":
        """More than N times."""
        return self.count() > times

    def times_between(self, low: int, high: int) -> "DidExpression":
        """Between two numbers of times, both included."""
        return self.count().between(low, high)

    def count(self) -> "Measured":
        """The number of events, to be compared."""
        return Measured(self, Function.COUNT, None)

    def sum(self, name: str) -> "Measured":
        """The sum of a property."""
        return Measured(self, Function.SUM, name)

    def average(self, name: str) -> "Measured":
        """The average of a property; an event without it counts as 0."""
        return Measured(self, Function.AVERAGE, name)

    def minimum(self, name: str) -> "Measured":
        """The smallest value of a property."""
        return Measured(self, Function.MINIMUM, name)

    def maximum(self, name: str) -> "Measured":
        """The largest value of a property."""
        return Measured(self, Function.MAXIMUM, name)

    def distinct(self, name: str) -> "Measured":
        """The number of different values of a property."""
        return Measured(self, Function.DISTINCT, name)

    def first_time(self) -> "MilestoneExpression":
        """The first matching event ever lies in the window."""
        return self._milestone("first")

    def last_time(self) -> "MilestoneExpression":
        """The latest matching event lies in the window."""
        return self._milestone("last")

    def predominantly(self, name: str, *values: Value) -> Expression:
        """No other value of the property is as frequent."""
        return self._interest(name, values, None)

    def mostly(self, name: str, *values: Value, percent: float) -> Expression:
        """The values make at least this share of the events."""
        return self._interest(name, values, percent)

    def regularly(self, at_least: int, of: int, *, days: int = 7, times: int = 1) -> Expression:
        """In at least so many of the last periods, of so many days each, that often in each."""
        did = plain(self, "match", "measure", "include_zero", "window")
        return Expression(
            Regularly(
                events=did.events, where=did.where, clock=did.clock,
                at_least=at_least, periods=of, days=days, times=times,
            )
        )  # fmt: skip

    def then(self, later: "DidExpression", **unit: int) -> Expression:
        """Some event was followed by ``later`` within ``hours=2`` (seconds, minutes, hours, days, weeks)."""
        return self._sequence(later, unit, followed=True)

    def not_then(self, later: "DidExpression", **unit: int) -> Expression:
        """Some event, whose time has run out, was not followed by ``later`` in time."""
        return self._sequence(later, unit, followed=False)

    def by(self, name: str) -> "Part":
        """Measure each value of a property on its own, for ``same``; ``~`` of it: not done with the value."""
        did = plain(self, "match", "include_zero")
        return Part(
            ConstantPart(
                events=did.events, where=did.where, clock=did.clock, measure=did.measure, window=did.window,
                property=name,
            )
        )  # fmt: skip

    def _milestone(self, which: Literal["first", "last"]) -> "MilestoneExpression":
        did = plain(self, "match", "measure", "include_zero")
        found = Milestone(which=which, events=did.events, where=did.where, clock=did.clock, window=did.window)
        return MilestoneExpression(found)

    def _interest(self, name: str, values: tuple[Value, ...], percent: float | None) -> Expression:
        did = plain(self, "match", "measure", "include_zero")
        return Expression(
            Interest(
                events=did.events, where=did.where, clock=did.clock, window=did.window,
                property=name, values=values, percent=percent,
            )
        )  # fmt: skip

    def _sequence(self, later: "DidExpression", unit: dict[str, int], *, followed: bool) -> Expression:
        first = plain(self, "match", "measure", "include_zero")
        then = plain(later, "match", "measure", "include_zero", "window")
        return Expression(
            Sequence(
                first=selection(first), then=selection(then), within=duration(unit), followed=followed,
                window=first.window,
            )
        )  # fmt: skip


class MilestoneExpression(Expression, Windowed["MilestoneExpression"]):
    """Users whose first or latest event lies in a window."""

    __slots__ = ()
    condition: Milestone

    def in_window(self, window: Window) -> "MilestoneExpression":
        """Take the window of the first or latest event."""
        _refuse_second_window(self, self.condition.window)
        return MilestoneExpression(replace(self.condition, window=window))


class Part:
    """An event measured for each value of a property."""

    __slots__ = ("part",)

    def __init__(self, part: ConstantPart) -> None:
        """Wrap a part of the tree."""
        self.part = part

    def __bool__(self) -> NoReturn:
        """Refuse ``and`` and ``not``, which would drop a part.

        Raises:
            TypeError: always.
        """
        raise TypeError("parts are listed: same(a.by(name), ~b.by(name))")

    def __invert__(self) -> "Part":
        """Not done with the value."""
        return Part(replace(self.part, did=not self.part.did))


class Measured:
    """A measure of events, waiting for a number."""

    __slots__ = ("_did", "_function", "_property")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, did: DidExpression, function: Function, name: str | None) -> None:
        """Keep what is measured."""
        self._did = did
        self._function = function
        self._property = name

    def __bool__(self) -> NoReturn:
        """Refuse ``and``, ``not`` and a measure without a comparison.

        Raises:
            TypeError: always.
        """
        raise TypeError("a measure is compared with a number: did(a).sum(name) > 5")

    def __eq__(self, value: float) -> DidExpression:  # type: ignore[override]
        """Is the number."""
        return self.equals(value)

    def __ne__(self, value: float) -> DidExpression:  # type: ignore[override]
        """Is another number."""
        return self._compare(Operator.NOT_EQUALS, value)

    def __gt__(self, value: float) -> DidExpression:
        """Is above."""
        return self._compare(Operator.GREATER, value)

    def __ge__(self, value: float) -> DidExpression:
        """Is at least."""
        return self._compare(Operator.AT_LEAST, value)

    def __lt__(self, value: float) -> DidExpression:
        """Is below."""
        return self._compare(Operator.LESS, value)

    def __le__(self, value: float) -> DidExpression:
        """Is at most."""
        return self._compare(Operator.AT_MOST, value)

    def equals(self, value: float) -> DidExpression:
        """Is the number."""
        return self._compare(Operator.EQUALS, value)

    def between(self, low: float, high: float) -> DidExpression:
        """Is between two numbers, both included."""
        return self._compare(Operator.BETWEEN, low, high)

    def _compare(self, operator: Operator, *values: float) -> DidExpression:
        if self._did.condition.measure != ONCE:
            raise InputError(f"{self._did!r}: it is measured already; a range is times_between or between")
        measure = Measure(function=self._function, property=self._property, operator=operator, values=values)
        return DidExpression(replace(self._did.condition, measure=measure))


def did(*events: str) -> DidExpression:
    """Users who did at least one of the events, counted together."""
    return DidExpression(Did(events=events))


def did_all(*events: str) -> DidExpression:
    """Users who did each of the events; a measure holds for each on its own."""
    return DidExpression(Did(events=events, match="all"))


def same(*parts: Part, alias: str | None = None, limit: int = 5) -> Expression:
    """Users for whom one value fits every part: ``same(did("View").by("sku"), ~did("Buy").by("sku"))``."""
    found = tuple(item.part for item in parts)
    return Expression(ConstantProperty(parts=found, alias=alias, limit=limit))


def plain(expression: DidExpression, *fields: str) -> Did:
    """Return the condition of an expression; what would be lost with ``fields`` is refused.

    Raises:
        InputError: one of the fields was set.
    """
    for name in fields:
        if getattr(expression.condition, name) != getattr(PLAIN, name):
            said = name.replace("_", " ")
            raise InputError(f"{expression!r}: its {said} has no meaning here; leave it out")
    return expression.condition


def _refuse_other_zone(expression: DidExpression, zone: str | None) -> None:
    """Hours and weekdays of one event are those of one zone."""
    clock = expression.condition.clock
    if clock is not None and zone is not None and zone != clock.zone:
        raise InputError(f"{expression!r}: its zone is the {clock.zone}'s already")


def _refuse_second_window(expression: Expression, window: Window) -> None:
    """The second of two windows would silently replace the first."""
    if window != EVER:
        raise InputError(
            f"{expression!r}: its window is set already; a range is between_dates or between_days_ago"
        )


def _time(value: str | time) -> time:
    try:
        return value if isinstance(value, time) else time.fromisoformat(value)
    except ValueError as error:
        raise InputError(f'a time of day is written 09:30, not "{value}"') from error
