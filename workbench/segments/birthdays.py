"""Birthdays: a date without its year, as ``month * 100 + day``.

Whoever was born on 29 February has their anniversary on the 28th in the other years.
"""

import calendar
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


def anniversaries(today: date, days: int) -> tuple[int, ...]:
    """Return the days of the year whose anniversary lies from ``today`` to ``days`` later.

    >>> anniversaries(date(2026, 2, 27), 1)
    (227, 228, 229)
    """
    found: set[int] = set()
    for n in range(days + 1):
        day = today + timedelta(days=n)
        found |= {day_of_year(day), reached(day)}
    return tuple(sorted(found))
