"""SPEC section 1 in plain Python over lists of dicts: slow, obvious, and written without looking at the SQL."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """Everything that there is to know.

    Attributes:
        profiles: ``user_id``, ``recorded_at`` and attributes; one row a user.
        events: ``user_id, event, ts, recorded_at`` and properties.
        segments: saved trees by name.
        zone: of the account.
    """

    profiles: Sequence[Row]
    events: Sequence[Row]
    segments: Mapping[str, Row]
    zone: ZoneInfo


def members(world: World, tree: Row, as_of: datetime) -> set[str]:
    """The users with a profile who fit a tree (as JSON values) at ``as_of``."""
    return {
        profile["user_id"]
        for profile in world.profiles
        if profile["recorded_at"] <= as_of and fits(world, tree, profile, as_of)
    }


def fits(world: World, tree: Row, profile: Row, as_of: datetime) -> bool:
    """Whether one user fits."""
    kind = tree["kind"]
    if kind == "all":
        return all(fits(world, part, profile, as_of) for part in tree["conditions"])
    if kind == "any":
        return any(fits(world, part, profile, as_of) for part in tree["conditions"])
    if kind == "not":
        return not fits(world, tree["condition"], profile, as_of)
    if kind == "user":
        return holds(profile, tree["predicate"])
    if kind == "segment":
        return fits(world, world.segments[tree["segment"]], profile, as_of)
    assert kind == "did"
    groups = [[name] for name in tree["events"]] if tree.get("match") == "all" else [tree["events"]]
    return all(did(world, tree, names, profile["user_id"], as_of) for names in groups)


def did(world: World, tree: Row, names: Sequence[str], user: str, as_of: datetime) -> bool:
    """Whether a user's matching events of ``names``, taken together, measure as wanted."""
    rows = [
        row
        for row in world.events
        if row["user_id"] == user
        and ("Any Event" in names or row["event"] in names)
        and row["ts"] <= as_of
        and row["recorded_at"] <= as_of
        and inside(row["ts"], tree.get("window", {"kind": "ever"}), as_of, world.zone)
        and all(holds(row, item) for item in tree.get("where", ()))
    ]
    if not rows and not tree.get("include_zero", False):
        return False
    measure = {
        "function": "count",
        "operator": ">=",
        "values": [1],
        "property": None,
        **tree.get("measure", {}),
    }
    values = [row.get(measure["property"]) for row in rows]
    there = [value for value in values if value is not None]
    found = {
        "count": lambda: len(rows),
        "sum": lambda: round(sum(there), 6),
        "average": lambda: round(sum(there) / len(rows), 6),
        "minimum": lambda: min(there, default=None),
        "maximum": lambda: max(there, default=None),
        "distinct": lambda: len(set(there)),
    }[measure["function"]]()
    return compares(found, measure["operator"], measure["values"])


def holds(row: Row, item: Row) -> bool:
    """Whether a property of a row fits a predicate."""
    return compares(row.get(item["property"]), item["operator"], item.get("values", ()))


def compares(found: Any, operator: str, values: Sequence[Any]) -> bool:
    """Whether a value fits; one that is not there fits ``does not exist`` only."""
    if operator == "exists":
        return found is not None
    if operator == "does not exist":
        return found is None
    if found is None:
        return False
    tests = {
        "=": lambda: found in values,
        "in": lambda: found in values,
        "!=": lambda: found not in values,
        "not in": lambda: found not in values,
        ">": lambda: found > values[0],
        ">=": lambda: found >= values[0],
        "<": lambda: found < values[0],
        "<=": lambda: found <= values[0],
        "between": lambda: values[0] <= found <= values[1],
        "contains": lambda: any(value in found for value in values),
        "does not contain": lambda: not any(value in found for value in values),
        "starts with": lambda: any(found.startswith(value) for value in values),
        "ends with": lambda: any(found.endswith(value) for value in values),
    }
    return bool(tests[operator]())


def inside(ts: datetime, window: Row, as_of: datetime, zone: ZoneInfo) -> bool:
    """Whether an instant lies in a window: by its calendar date in the account's zone, or rolling."""
    day, today = ts.astimezone(zone).date(), as_of.astimezone(zone).date()
    kind = window["kind"]
    if kind == "ever":
        return True
    if kind == "days ago":
        return today - timedelta(days=window["farthest"]) <= day <= today - timedelta(days=window["nearest"])
    if kind == "dates":
        first = date.fromisoformat(window.get("first", "0001-01-01"))
        last = date.fromisoformat(window.get("last", "9999-12-31"))
        return first <= day <= last
    if kind == "calendar":
        this, that = (today.year, today.month), (day.year, day.month)
        if window["period"] == "today":
            return day == today
        return that == (this if window["period"] == "this month" else months_before(today, 1).timetuple()[:2])
    count, unit = window["count"], window.get("unit", "days")
    if unit in {"minutes", "hours"}:
        seconds = count * {"minutes": 60, "hours": 3600}[unit]
        return ts.astimezone(UTC).timestamp() >= as_of.astimezone(UTC).timestamp() - seconds
    if unit in {"months", "years"}:
        return day >= months_before(today, count * {"months": 1, "years": 12}[unit])
    return day >= today - timedelta(days=count * {"days": 1, "weeks": 7}[unit])


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last one."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
