"""The local time of the account, from one database of time zones for every engine.

DuckDB, Polars and Python carry databases of their own, which differ when a country changes its rules. Days
begin where Python's says; so do the hours of a clock, by its offsets, written into the query.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Seconds that local time is ahead of UTC until an instant (excluded); None: from then on."""

    until: datetime | None
    seconds: int


def offsets(zone: ZoneInfo, first: datetime, last: datetime) -> tuple[Offset, ...]:
    """Return the offsets of a zone over a span, oldest first; years are looked at as wholes.

    >>> winter, summer, _ = offsets(ZoneInfo("Europe/Berlin"), datetime(2026, 5, 1), datetime(2026, 6, 1))
    >>> winter.until.isoformat(), winter.seconds, summer.seconds
    ('2026-03-29T01:00:00+00:00', 3600, 7200)
    """
    return _offsets(zone.key, first.year, last.year)


@lru_cache(maxsize=100)
def _offsets(key: str, first_year: int, last_year: int) -> tuple[Offset, ...]:
    zone = ZoneInfo(key)
    at, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    found, seconds = [], _seconds(at, zone)
    while at < end:
        following = at + DAY
        changed = _seconds(following, zone)
        if changed != seconds:
            found.append(Offset(until=_change(at, following, zone), seconds=seconds))
            seconds = changed
        at = following
    return (*found, Offset(until=None, seconds=seconds))


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second of the new offset."""
    old = _seconds(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _seconds(middle, zone) == old:
            before = middle
        else:
            after = middle
    return after


def _seconds(instant: datetime, zone: ZoneInfo) -> int:
    found = instant.astimezone(zone).utcoffset()
    return 0 if found is None else found // timedelta(seconds=1)
