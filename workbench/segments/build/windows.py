"""The words for windows, shared by events and by dates of properties."""

from abc import ABC, abstractmethod
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from workbench.errors import InputError
from workbench.segments.windows import Calendar, Dates, DaysAgo, Duration, Ever, Last, Window

Result = TypeVar("Result")


class Windowed(ABC, Generic[Result]):
    """Something that takes a window and returns what it becomes in it."""

    __slots__ = ()

    @abstractmethod
    def in_window(self, window: Window) -> Result:
        """Take any window of ``segments.windows``."""

    def ever(self) -> Result:
        """At any time."""
        return self.in_window(Ever())

    def in_last(self, **unit: int) -> Result:
        """In the last N ``minutes``, ``hours`` (rolling), ``days``, ``weeks``, ``months``, ``years``."""
        name, count = single(unit)
        return self.in_window(Last(count=count, unit=name))

    def days_ago(self, days: int) -> Result:
        """Exactly N days ago: that whole calendar day."""
        return self.in_window(DaysAgo(farthest=days, nearest=days))

    def between_days_ago(self, farthest: int, nearest: int) -> Result:
        """Between two numbers of days ago, both whole days included."""
        return self.in_window(DaysAgo(farthest=farthest, nearest=nearest))

    def at_least_days_ago(self, days: int) -> Result:
        """N or more days ago."""
        return self.in_window(DaysAgo(nearest=days))

    def today(self) -> Result:
        """On the account's date of the question."""
        return self.in_window(Calendar(period="today"))

    def this_month(self) -> Result:
        """In the calendar month of the question."""
        return self.in_window(Calendar(period="this month"))

    def previous_month(self) -> Result:
        """In the whole calendar month before."""
        return self.in_window(Calendar(period="previous month"))

    def between_dates(self, first: date | str, last: date | str) -> Result:
        """Between two dates, both included."""
        return self.in_window(Dates(first=_day(first), last=_day(last)))

    def on(self, day: date | str) -> Result:
        """On one date."""
        return self.in_window(Dates(first=_day(day), last=_day(day)))

    def before(self, day: date | str) -> Result:
        """Before a date, which is excluded."""
        return self.in_window(Dates(last=_day(day) - timedelta(days=1)))

    def after(self, day: date | str) -> Result:
        """After a date, which is excluded."""
        return self.in_window(Dates(first=_day(day) + timedelta(days=1)))

    def until(self, day: date | str) -> Result:
        """Up to a date, which is included."""
        return self.in_window(Dates(last=_day(day)))

    def since(self, day: date | str) -> Result:
        """From a date on, which is included."""
        return self.in_window(Dates(first=_day(day)))


def single(unit: dict[str, int]) -> tuple[Any, int]:
    """Return the one unit and its count.

    Raises:
        InputError: none, several, or no unit.
    """
    known = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")
    if len(unit) != 1 or next(iter(unit)) not in known:
        given = ", ".join(f"{name}={count}" for name, count in unit.items()) or "nothing"
        raise InputError(f"give one of {', '.join(known)}, such as days=7; got {given}")
    ((name, count),) = unit.items()
    return name, count


def duration(unit: dict[str, int]) -> Duration:
    """Return an elapsed time."""
    name, count = single(unit)
    return Duration(count=count, unit=name)


def _day(day: date | str) -> date:
    if isinstance(day, datetime):
        raise InputError(f"{day} is an instant; give a date")
    try:
        return day if isinstance(day, date) else date.fromisoformat(day)
    except ValueError as error:
        raise InputError(f'a date is written 2026-06-30, not "{day}"') from error
