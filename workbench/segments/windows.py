"""Windows of time, all relative to ``as_of``; days begin in the account's zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, TypeAlias, assert_never
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from pydantic import BeforeValidator, Field


def _iso(value: object) -> object:
    """Read a date; pydantic alone would take digits for seconds since 1970."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError(f"a date is written 2026-06-30, not {value}")
    return date.fromisoformat(value)


def _clock(value: object) -> object:
    """Read a time of day; pydantic alone would take digits for seconds."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?", value):
        raise ValueError(f"a time of day is written 09:30, not {value}")
    return time.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_iso)]
ClockTime = Annotated[time, BeforeValidator(_clock)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ever:
    """All the past."""

    kind: Literal["ever"] = "ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last N units.

    Days, weeks, months and years run from 00:00 of (today - N units) to ``as_of``: the last 7 days
    on the 15th cover 8 calendar dates. Hours and minutes roll.
    """

    count: int
    unit: Literal["minutes", "hours", "days", "weeks", "months", "years"] = "days"
    kind: Literal["last"] = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysAgo:
    """Between ``farthest`` and ``nearest`` days ago, both whole calendar days included; None: ever before."""

    farthest: int | None = None
    nearest: int
    kind: Literal["days ago"] = "days ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Today, this month so far, or the whole previous month."""

    period: Literal["today", "this month", "previous month"]
    kind: Literal["calendar"] = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """Between two dates, both included; an open side has no bound."""

    first: Day | None = None
    last: Day | None = None
    kind: Literal["dates"] = "dates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """From today to N units from now, for dates of a profile or an event: a renewal in the next 7 days."""

    count: int
    unit: Literal["days", "weeks", "months", "years"] = "days"
    kind: Literal["next"] = "next"


Window: TypeAlias = Annotated[Ever | Last | DaysAgo | Calendar | Dates | Next, Field(discriminator="kind")]
EVER = Ever()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """Elapsed time: a day is 24 hours."""

    count: int
    unit: Literal["seconds", "minutes", "hours", "days", "weeks"] = "days"

    @property
    def elapsed(self) -> timedelta:
        """The time as Python has it."""
        return timedelta(**{self.unit: self.count})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Instants from ``start`` (included) to ``end`` (excluded); None leaves a side to ``as_of``."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySpan:
    """Calendar dates from ``first`` to ``last``, both included; None leaves a side open."""

    first: date | None = None
    last: date | None = None


def span(window: Window, as_of: datetime, zone: ZoneInfo) -> Span:
    """Return the instants at which the events of a window lie; ``as_of`` bounds them besides.

    Args:
        window: to resolve.
        as_of: the instant of the question; events after it never count, whatever the span says.
        zone: of the account.

    >>> at = datetime(2026, 3, 15, 12, tzinfo=ZoneInfo("UTC"))
    >>> span(Last(count=7), at, ZoneInfo("UTC")).start.date().isoformat()
    '2026-03-08'
    """
    if isinstance(window, Last) and window.unit in {"minutes", "hours"}:
        return Span(start=as_of.astimezone(UTC) - timedelta(**{window.unit: window.count}))
    days = day_span(window, as_of.astimezone(zone).date())
    end = midnight(days.last + timedelta(days=1), zone) if days.last else None
    return Span(
        start=midnight(days.first, zone) if days.first else None,
        end=end if end and end <= as_of else None,
    )


def day_span(window: Window, today: date) -> DaySpan:
    """Return the calendar dates that a window covers.

    Args:
        window: of whole days.
        today: the account's date of ``as_of``.

    >>> day_span(Next(count=1, unit="weeks"), date(2026, 3, 15)).last.isoformat()
    '2026-03-22'
    """
    match window:
        case Ever():
            return DaySpan()
        case Last():
            return DaySpan(first=today - relativedelta(**{window.unit: window.count}), last=today)  # type: ignore[arg-type]
        case Next():
            return DaySpan(first=today, last=today + relativedelta(**{window.unit: window.count}))  # type: ignore[arg-type]
        case DaysAgo():
            farthest = None if window.farthest is None else today - timedelta(days=window.farthest)
            return DaySpan(first=farthest, last=today - timedelta(days=window.nearest))
        case Calendar(period="today"):
            return DaySpan(first=today, last=today)
        case Calendar(period="this month"):
            first = today.replace(day=1)
            return DaySpan(first=first, last=first + relativedelta(months=1) - timedelta(days=1))
        case Calendar():
            first = today.replace(day=1)
            return DaySpan(first=first - relativedelta(months=1), last=first - timedelta(days=1))
        case Dates():
            return DaySpan(first=window.first, last=window.last)
        case _:
            assert_never(window)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day: where a clock change skips midnight, the one at which it jumps."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
