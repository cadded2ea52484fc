"""Conditions over what a user did.

Each of them chooses events by name, filters and clock (a ``Selection``), and a window; an event that was
recorded after ``as_of`` is not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Literal, TypeAlias

from workbench.segments.predicates import ONCE, Measure, Predicate, Value
from workbench.segments.windows import EVER, ClockTime, Duration, Window

Weekday: TypeAlias = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

WEEKDAYS: Mapping[Weekday, int] = {
    "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6, "sunday": 7,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time of day and the day of the week of an event.

    Attributes:
        start: local time, included.
        end: local time, excluded; before ``start`` the range crosses midnight.
        weekdays: of the event's local date; none named means all.
        zone: whose local time: the account's, or the user's (the account's where that is unknown).
    """

    start: ClockTime = time()
    end: ClockTime | None = None
    weekdays: tuple[Weekday, ...] = ()
    zone: Literal["account", "user"] = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events.

    Attributes:
        events: exact names; any of them.
        where: filters, all of which hold.
        clock: the local time at which they happened.
    """

    events: tuple[str, ...]
    where: tuple[Predicate, ...] = ()
    clock: Clock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """Users who did one or more events.

    Attributes:
        events: exact names.
        match: ``any``: one shared measure over the union; ``all``: each event on its own.
        where: filters, all of which hold, applied before the measure.
        clock: the local time at which they happened.
        measure: at least once, unless said otherwise.
        window: in which the events lie, relative to ``as_of``.
        include_zero: whether a user without any matching event counts as 0 instead of being left out.
    """

    events: tuple[str, ...]
    match: Literal["any", "all"] = "any"
    where: tuple[Predicate, ...] = ()
    clock: Clock | None = None
    measure: Measure = ONCE
    window: Window = EVER
    include_zero: bool = False
    kind: Literal["did"] = "did"


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Users whose first-ever, or latest, matching event lies in the window."""

    which: Literal["first", "last"]
    events: tuple[str, ...]
    where: tuple[Predicate, ...] = ()
    clock: Clock | None = None
    window: Window = EVER
    kind: Literal["milestone"] = "milestone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Users in whose events some values of a property prevail.

    Attributes:
        property: of the events.
        values: an OR over them.
        percent: at least this share of the matching events, those without the property included; None
            for *predominantly*: no other value is as frequent as the most frequent of ``values``.
    """

    events: tuple[str, ...]
    property: str
    values: tuple[Value, ...]
    percent: float | None = None
    where: tuple[Predicate, ...] = ()
    clock: Clock | None = None
    window: Window = EVER
    kind: Literal["interest"] = "interest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regularly:
    """Users who did the events in at least ``at_least`` of the last ``periods`` periods.

    Attributes:
        at_least: how many periods.
        periods: how many are looked at; the last one ends at ``as_of``.
        days: length of a period in calendar days; today is the last day of the last one.
        times: matching events that a period needs.
    """

    events: tuple[str, ...]
    at_least: int
    periods: int
    days: int = 7
    times: int = 1
    where: tuple[Predicate, ...] = ()
    clock: Clock | None = None
    kind: Literal["regularly"] = "regularly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Users with a ``first`` event that was, or was not, followed by a ``then`` event in time.

    Attributes:
        first: lies in ``window``.
        then: strictly later than ``first``, by at most ``within``.
        within: elapsed time.
        followed: False: some ``first`` was not followed; one whose time has not run out at ``as_of`` is
            undecided and does not count.
    """

    first: Selection
    then: Selection
    within: Duration
    followed: bool = True
    window: Window = EVER
    kind: Literal["sequence"] = "sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantPart:
    """One event of a constant property, measured for each value of its property.

    Attributes:
        property: whose value is the constant one; an event without it takes no part.
        did: False: the value must not reach the measure.
    """

    events: tuple[str, ...]
    property: str
    did: bool = True
    where: tuple[Predicate, ...] = ()
    clock: Clock | None = None
    measure: Measure = ONCE
    window: Window = EVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantProperty:
    """Users for whom one value fits every part: viewed X and did not buy the same X.

    Attributes:
        parts: at least one of them done.
        alias: under which the content finds the values; by default the first part's property.
        limit: how many values the content gets, newest first.
    """

    parts: tuple[ConstantPart, ...]
    alias: str | None = None
    limit: int = 5
    kind: Literal["constant property"] = "constant property"

    @property
    def name(self) -> str:
        """The name of the values."""
        return self.alias or self.parts[0].property


def selections(
    condition: Did | Milestone | Interest | Regularly | Sequence | ConstantProperty,
) -> tuple[Selection, ...]:
    """Return every selection of events that a condition makes."""
    match condition:
        case Sequence():
            return condition.first, condition.then
        case ConstantProperty():
            return tuple(selection(part) for part in condition.parts)
        case _:
            return (selection(condition),)


def selection(condition: Did | Milestone | Interest | Regularly | ConstantPart) -> Selection:
    """Return which events a condition is about."""
    return Selection(events=condition.events, where=condition.where, clock=condition.clock)
