"""Birthdays: a date without its year, as ``month * 100 + day``.

Whoever was born on 29 February has their anniversary on the 28th in the other years.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

LEAP_DAY, DAY_BEFORE = 229, 228


def day_of_year(day: date) -> int:
    """Return ``month * 100 + day``."""
    return day.month * 100 + day.day


def reached(today: date) -> int:
    """Return the latest day of the year whose anniversary was reached by ``today``.

    >>> reached(date(2026, 2, 28)), reached(date(2028, 2, 28))
    (229, 228)
    """
    found = day_of_year(today)
    return LEAP_DAY if found == DAY_BEFORE and not calendar.isleap(today.year) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days of the year from ``first`` to ``last``, both included; they may cross the new year."""

    first: int
    last: int

    @property
    def cross(self) -> bool:
        """Whether they go from one year into the next."""
        return self.last < self.first


def anniversaries(today: date, days: int) -> Days:
    """Return the days of the year whose anniversary lies from ``today`` to ``days`` (at most 364) later.

    >>> anniversaries(date(2026, 2, 27), 1)
    Days(first=227, last=229)
    """
    return Days(first=day_of_year(today), last=reached(today + timedelta(days=days)))
