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


Day = Annotated[date, BeforeValidator(_iso)]


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
    """Between ``farthest`` and ``nearest`` days ago, both whole calendar days included."""

    farthest: int
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


Window: TypeAlias = Annotated[Ever | Last | DaysAgo | Calendar | Dates, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Instants from ``start`` (included) to ``end`` (excluded); None leaves a side to ``as_of``."""

    start: datetime | None = None
    end: datetime | None = None


def span(window: Window, as_of: datetime, zone: ZoneInfo) -> Span:
    """Return the instants that a window covers.

    Args:
        window: to resolve.
        as_of: the instant of the question; events after it never count, whatever the span says.
        zone: of the account.

    >>> at = datetime(2026, 3, 15, 12, tzinfo=ZoneInfo("UTC"))
    >>> span(Last(count=7), at, ZoneInfo("UTC")).start.date().isoformat()
    '2026-03-08'
    """
    today = as_of.astimezone(zone).date()
    match window:
        case Ever():
            return Span()
        case Last(unit="minutes" | "hours"):
            return Span(start=as_of.astimezone(UTC) - timedelta(**{window.unit: window.count}))
        case Last():
            return Span(start=_midnight(today - relativedelta(**{window.unit: window.count}), zone))  # type: ignore[arg-type]
        case DaysAgo():
            return Span(
                start=_midnight(today - timedelta(days=window.farthest), zone),
                end=_midnight(today - timedelta(days=window.nearest - 1), zone),
            )
        case Calendar(period="today"):
            return Span(start=_midnight(today, zone))
        case Calendar(period="this month"):
            return Span(start=_midnight(today.replace(day=1), zone))
        case Calendar():
            this_month = today.replace(day=1)
            return Span(
                start=_midnight(this_month - relativedelta(months=1), zone), end=_midnight(this_month, zone)
            )
        case Dates():
            return Span(
                start=_midnight(window.first, zone) if window.first else None,
                end=_midnight(window.last + timedelta(days=1), zone) if window.last else None,
            )
        case _:
            assert_never(window)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day: where a clock change skips midnight, the one at which it jumps."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
