"""Problems of windows, clocks and durations."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from workbench.errors import Problem
from workbench.segments.behaviours import Clock
from workbench.segments.windows import Dates, DaysAgo, Duration, Ever, Last, Next, Window

LONGEST: Mapping[str, int] = {
    "minutes": 52_560_000, "hours": 876_000, "days": 36_500, "weeks": 5_200, "months": 1_200, "years": 100,
}  # fmt: skip
LONGEST_DURATION = timedelta(days=3_660)


def event_problems(window: Window, path: str, today: date | None) -> Iterator[Problem]:
    """Give the problems of the window of events; ``today`` is the account's date of the question."""
    if isinstance(window, Next):
        yield Problem(path=path, message="events of the next days have not happened; use last")
        return
    yield from _problems(window, path)
    if today and isinstance(window, Dates) and window.first and window.first > today:
        message = f"from {window.first} on lies in the future: as of {today} nobody can be in it"
        yield Problem(path=path, message=message)


def dates_problems(window: Window, path: str) -> Iterator[Problem]:
    """Give the problems of the window in which a date of a property lies."""
    if isinstance(window, Ever):
        yield Problem(path=path, message='"within" ever is no limit; use "exists"')
    if isinstance(window, Last) and window.unit in {"minutes", "hours"}:
        yield Problem(path=path, message=f"a date has no {window.unit}; give days, weeks, months or years")
    yield from _problems(window, path)


def clock_problems(clock: Clock | None, path: str) -> Iterator[Problem]:
    """Give the problems of a time of day."""
    if clock is None:
        return
    if clock.end is not None and clock.end == clock.start:
        yield Problem(
            path=path, message=f"from {clock.start} to {clock.end} is no time or all day; leave one out"
        )
    if len(set(clock.weekdays)) < len(clock.weekdays):
        yield Problem(path=path, message="names a weekday twice")
    if clock == Clock(zone=clock.zone):
        yield Problem(path=path, message="is no limit; name hours or weekdays")


def duration_problems(duration: Duration, path: str) -> Iterator[Problem]:
    """Give the problem of an elapsed time."""
    most = LONGEST_DURATION // timedelta(**{duration.unit: 1})
    if not 1 <= duration.count <= most:
        message = f"{duration.count} {duration.unit}: give 1 second to {LONGEST_DURATION.days:,} days"
        yield Problem(path=path, message=message)


def _problems(window: Window, path: str) -> Iterator[Problem]:
    match window:
        case Last() | Next() if not 1 <= window.count <= LONGEST[window.unit]:
            limit = f"{LONGEST[window.unit]:,}"
            message = f"the {window.kind} {window.count} {window.unit}: give 1 to {limit}"
            yield Problem(path=path, message=message)
        case DaysAgo():
            farthest = window.nearest if window.farthest is None else window.farthest
            if max(farthest, window.nearest) > LONGEST["days"]:
                message = f"{max(farthest, window.nearest)} days ago: give at most {LONGEST['days']:,}"
                yield Problem(path=path, message=message)
            elif window.nearest < 0 or farthest < window.nearest:
                message = f"between {farthest} and {window.nearest} days ago: farthest first, none below 0"
                yield Problem(path=path, message=message)
        case Dates() if window.first and window.last and window.first > window.last:
            yield Problem(path=path, message=f"from {window.first} to {window.last}: the first is later")
        case Dates() if not window.first and not window.last:
            yield Problem(path=path, message="names no date")
        case Dates():
            for day in (window.first, window.last):
                if day and not 1900 <= day.year <= 2999:
                    yield Problem(path=path, message=f"{day} is not in the years 1900 to 2999")
