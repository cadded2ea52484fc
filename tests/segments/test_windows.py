"""Each window at its edges, as instants."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from workbench.segments.windows import Calendar, Dates, DaysAgo, Ever, Last, Span, Window, span

NEW_YORK, UTC_ZONE = ZoneInfo("America/New_York"), ZoneInfo("UTC")


def utc(text: str) -> datetime:
    """2026-03-08T05:00 as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "as_of", "start", "end"),
    [
        (Last(count=7), "2026-03-15T12:00", "2026-03-08", None),
        (Last(count=7), "2026-03-15T00:00", "2026-03-08", None),
        (Last(count=7), "2026-03-14T23:59:59.999999", "2026-03-07", None),
        (Last(count=2, unit="weeks"), "2026-03-15T12:00", "2026-03-01", None),
        (Last(count=1, unit="months"), "2026-03-31T12:00", "2026-02-28", None),
        (Last(count=1, unit="months"), "2028-03-31T12:00", "2028-02-29", None),
        (Last(count=13, unit="months"), "2026-03-31T12:00", "2025-02-28", None),
        (Last(count=1, unit="years"), "2028-02-29T12:00", "2027-02-28", None),
        (DaysAgo(farthest=3, nearest=3), "2026-03-15T12:00", "2026-03-12", "2026-03-13"),
        (DaysAgo(farthest=3, nearest=1), "2026-03-15T12:00", "2026-03-12", "2026-03-15"),
        (DaysAgo(farthest=0, nearest=0), "2026-03-15T12:00", "2026-03-15", None),
        (Calendar(period="today"), "2026-03-15T00:00", "2026-03-15", None),
        (Calendar(period="this month"), "2026-03-31T12:00", "2026-03-01", None),
        (Calendar(period="previous month"), "2026-03-31T12:00", "2026-02-01", "2026-03-01"),
        (Calendar(period="previous month"), "2026-01-01T00:00", "2025-12-01", "2026-01-01"),
        (Dates(first=date(2026, 3, 1), last=date(2026, 3, 1)), "2026-03-15T12:00", "2026-03-01", "2026-03-02"),
        (Dates(first=date(2026, 3, 1)), "2026-03-15T12:00", "2026-03-01", None),
        (Dates(last=date(2026, 12, 31)), "2026-03-15T12:00", None, None),
        (Ever(), "2026-03-15T12:00", None, None),
    ],
)  # fmt: skip
def test_a_window_in_utc(window: Window, as_of: str, start: str | None, end: str | None) -> None:
    """Days begin at 00:00; the last 7 days on the 15th begin on the 8th; months end where they end."""
    expected = Span(start=utc(start) if start else None, end=utc(end) if end else None)
    assert span(window, utc(as_of), UTC_ZONE) == expected


@pytest.mark.parametrize(
    ("window", "as_of", "start"),
    [
        (Last(count=1), "2026-03-09T12:00", "2026-03-08T05:00"),
        (Last(count=1), "2026-03-10T12:00", "2026-03-09T04:00"),
        (Last(count=1), "2026-11-02T12:00", "2026-11-01T04:00"),
        (Calendar(period="today"), "2026-03-09T03:59:59", "2026-03-08T05:00"),
        (Calendar(period="today"), "2026-03-09T04:00:00", "2026-03-09T04:00"),
        (Calendar(period="this month"), "2026-04-01T03:00", "2026-03-01T05:00"),
    ],
)
def test_days_begin_in_the_accounts_zone(window: Window, as_of: str, start: str) -> None:
    """New York's days move from 05:00Z to 04:00Z on 8 March and back on 1 November."""
    assert span(window, utc(as_of), NEW_YORK).start == utc(start)


def test_hours_roll_over_a_clock_change() -> None:
    """24 hours are 24 hours on the day that has 23, also for an as_of given in local time."""
    noon = datetime(2026, 3, 8, 12, tzinfo=NEW_YORK)
    assert span(Last(count=24, unit="hours"), noon, NEW_YORK).start == utc("2026-03-07T16:00")
    assert span(Last(count=90, unit="minutes"), utc("2026-03-08T08:00"), NEW_YORK).start == utc(
        "2026-03-08T06:30"
    )


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00"),
        ("Africa/Cairo", date(2023, 4, 28), "2023-04-27T22:00"),
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00"),
        ("Asia/Kathmandu", date(2026, 1, 1), "2025-12-31T18:15"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: date, first: str) -> None:
    """Where midnight is skipped the day begins at the jump; where it comes twice, at the first."""
    assert span(Dates(first=day), utc("2026-12-01"), ZoneInfo(zone)).start == utc(first)


def test_the_zone_of_as_of_does_not_matter() -> None:
    """The same instant written with another offset gives the same span."""
    at = datetime(2026, 3, 15, 3, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=9)))
    assert span(Last(count=7), at, NEW_YORK) == span(Last(count=7), elsewhere, NEW_YORK)
