"""SPEC section 1 in plain Python over lists of dicts: slow, obvious, and written without looking at the SQL."""

import calendar
import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
EVER: Row = {"kind": "ever"}
ONCE: Row = {"function": "count", "operator": ">=", "values": [1], "property": None}


@dataclass(frozen=True)
class World:
    """Everything that there is to know.

    Attributes:
        profiles: ``user_id``, ``recorded_at`` and attributes; one row a version.
        events: ``user_id, event, ts, recorded_at`` and properties.
        devices: ``user_id``, ``device_id``, ``recorded_at`` and properties; one row a version.
        lists: ``name, at, users``: what each import of a list named.
        segments: saved trees by name.
        zone: of the account.
        salt: of the account.
        versions: the names of properties and attributes that are versions.
    """

    profiles: Sequence[Row]
    events: Sequence[Row]
    segments: Mapping[str, Row]
    zone: ZoneInfo
    devices: Sequence[Row] = ()
    lists: Sequence[Row] = ()
    salt: str = "test-salt"
    versions: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Stay short in the report of a failure."""
        return f"World({len(self.profiles)} profiles, {len(self.events)} events, {self.zone})"


def members(world: World, tree: Row, as_of: datetime) -> set[str]:
    """The users with a profile who fit a tree (as JSON values) at ``as_of``."""
    profiles = newest(world.profiles, ("user_id",), as_of)
    return {profile["user_id"] for profile in profiles if fits(world, tree, profile, as_of)}


def newest(rows: Sequence[Row], key: Sequence[str], as_of: datetime) -> list[Row]:
    """Of each key the version that was recorded last, by ``as_of``."""
    found: dict[tuple[str, ...], Row] = {}
    for row in sorted((r for r in rows if r["recorded_at"] <= as_of), key=lambda r: r["recorded_at"]):
        found[tuple(row[name] for name in key)] = row
    return list(found.values())


def fits(world: World, tree: Row, profile: Row, as_of: datetime) -> bool:
    """Whether one user fits."""
    kind, user = tree["kind"], profile["user_id"]
    if kind == "all":
        return all(fits(world, part, profile, as_of) for part in tree["conditions"])
    if kind == "any":
        return any(fits(world, part, profile, as_of) for part in tree["conditions"])
    if kind == "not":
        return not fits(world, tree["condition"], profile, as_of)
    if kind == "segment":
        return fits(world, world.segments[tree["segment"]], profile, as_of)
    if kind == "user":
        return holds(world, profile, tree["predicate"], as_of)
    if kind == "age":
        return compares(age(profile.get("birth_date"), today(world, as_of)), tree["operator"], tree["values"])
    if kind == "near":
        return near(tree, profile)
    if kind == "bucket":
        digits = hashlib.md5(f"{world.salt}/bucket:{user}".encode()).hexdigest()[:8]
        return bool(tree["first"] <= int(digits, 16) * 1000 // 2**32 <= tree["last"])
    if kind == "device":
        devices = newest([d for d in world.devices if d["user_id"] == user], ("device_id",), as_of)
        return any(all(holds(world, row, item, as_of) for item in tree["where"]) for row in devices)
    if kind == "list":
        return user in listed(world, tree["list"], tree.get("version"), as_of)
    return behaves(world, tree, profile, as_of)


def behaves(world: World, tree: Row, profile: Row, as_of: datetime) -> bool:
    """Whether one user did what a condition over events says."""
    kind = tree["kind"]

    def rows(item: Row, window: Row = EVER) -> list[Row]:
        return selected(world, item, profile, as_of, window)

    if kind == "did":
        groups = [[name] for name in tree["events"]] if tree.get("match") == "all" else [tree["events"]]
        return all(did(rows({**tree, "events": names}, tree.get("window", EVER)), tree) for names in groups)
    if kind == "milestone":
        times = sorted(row["ts"] for row in rows(tree))
        ts = times[0 if tree["which"] == "first" else -1] if times else None
        return ts is not None and inside(ts, tree.get("window", EVER), as_of, world.zone)
    if kind == "interest":
        found = rows(tree, tree.get("window", EVER))
        counted = Counter(row.get(tree["property"]) for row in found)
        if tree.get("percent") is not None:
            share = sum(counted[value] for value in set(tree["values"]))
            return bool(found) and 100 * share >= Fraction(str(tree["percent"])) * len(found)
        del counted[None]
        most = max(counted.values(), default=0)
        top = {value for value, times in counted.items() if times == most}
        return bool(top) and top <= set(tree["values"])
    if kind == "regularly":
        end = today(world, as_of) + timedelta(days=1)
        periods: Counter[int] = Counter()
        for row in rows(tree):
            back = (end - row["ts"].astimezone(world.zone).date()).days - 1
            if back < tree["periods"] * tree.get("days", 7):
                periods[back // tree.get("days", 7)] += 1
        return sum(n >= tree.get("times", 1) for n in periods.values()) >= tree["at_least"]
    if kind == "sequence":
        within = timedelta(**{tree["within"].get("unit", "days"): tree["within"]["count"]})
        later = [row["ts"] for row in rows(tree["then"])]
        first = [row["ts"] for row in rows(tree["first"], tree.get("window", EVER))]
        if tree.get("followed", True):
            return any(a < b <= a + within for a in first for b in later)
        return any(a + within <= as_of and not any(a < b <= a + within for b in later) for a in first)
    assert kind == "constant property"
    return bool(same_values(world, tree, profile, as_of))


def same_values(world: World, tree: Row, profile: Row, as_of: datetime) -> list[Any]:
    """The values that fit every part of a constant property: newest first, then the smallest."""
    last: dict[Any, datetime] = {}
    fitting: list[set[Any]] = []
    refused: set[Any] = set()
    for part in tree["parts"]:
        groups: dict[Any, list[Row]] = {}
        for row in selected(world, part, profile, as_of, part.get("window", EVER)):
            if row.get(part["property"]) is not None:
                groups.setdefault(row[part["property"]], []).append(row)
        good = {value for value, rows in groups.items() if did(rows, part)}
        if part.get("did", True):
            fitting.append(good)
            for value in good:
                newest_ts = max(row["ts"] for row in groups[value])
                last[value] = max(last.get(value, newest_ts), newest_ts)
        else:
            refused |= good
    found = set.intersection(*fitting) - refused
    return sorted(sorted(found), key=lambda value: last[value], reverse=True)


def selected(world: World, item: Row, profile: Row, as_of: datetime, window: Row) -> list[Row]:
    """A user's events of the named kinds that had been received, in the window, at the hour, past the filters."""
    names = item["events"]
    return [
        row
        for row in world.events
        if row["user_id"] == profile["user_id"]
        and ("Any Event" in names or row["event"] in names)
        and row["ts"] <= as_of
        and row["recorded_at"] <= as_of
        and inside(row["ts"], window, as_of, world.zone)
        and at_the_time(row["ts"], item.get("clock"), profile, world.zone)
        and all(holds(world, row, filter_, as_of) for filter_ in item.get("where", ()))
    ]


def did(rows: Sequence[Row], tree: Row) -> bool:
    """Whether events, taken together, measure as wanted."""
    if not rows and not tree.get("include_zero", False):
        return False
    measure = {**ONCE, **tree.get("measure", {})}
    values = [row.get(measure["property"]) for row in rows]
    there = [value for value in values if value is not None]
    found = {
        "count": lambda: len(rows),
        "sum": lambda: sum(map(exact, there)),
        "average": lambda: sum(map(exact, there), Fraction()) / len(rows),
        "minimum": lambda: min(there, default=None),
        "maximum": lambda: max(there, default=None),
        "distinct": lambda: len(set(there)),
    }[measure["function"]]()
    if measure["function"] in {"sum", "average"}:
        return compares(found, measure["operator"], [exact(value) for value in measure["values"]])
    return compares(found, measure["operator"], measure["values"])


def exact(value: float) -> Fraction:
    """A number as it is written: a tenth, not the double nearest to it."""
    return Fraction(str(value))


def at_the_time(ts: datetime, clock: Row | None, profile: Row, zone: ZoneInfo) -> bool:
    """Whether an instant lies in the hours and on the days of a clock."""
    if clock is None:
        return True
    if clock.get("zone") == "user":
        with suppress(KeyError, ValueError, OSError):
            zone = ZoneInfo(profile.get("timezone") or "?")
    local = ts.astimezone(zone)
    start = time.fromisoformat(clock.get("start", "00:00"))
    end = time.fromisoformat(clock["end"]) if clock.get("end") else None
    hour = local.time()
    if end is None:
        good = hour >= start
    elif start < end:
        good = start <= hour < end
    else:
        good = hour >= start or hour < end
    return good and (not clock.get("weekdays") or local.strftime("%A").lower() in clock["weekdays"])


def holds(world: World, row: Row, item: Row, as_of: datetime) -> bool:
    """Whether a property of a row fits a predicate."""
    found, operator, values = row.get(item["property"]), item["operator"], item.get("values", ())
    if operator == "within":
        return found is not None and dated(as_date(found, world.zone), item["window"], today(world, as_of))
    if operator == "anniversary":
        day, now = as_date(found, world.zone) if found is not None else None, today(world, as_of)
        days = [now + timedelta(days=n) for n in range(values[0] + 1)]
        return day is not None and any(d.year > day.year and d == birthday(day, d.year) for d in days)
    if item["property"] in world.versions and operator not in {"exists", "does not exist"}:
        found = None if found is None else version(found)
        values = [version(value) for value in values]
    return compares(found, operator, values)


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
        "matches": lambda: any(re.search(value, found, re.ASCII) for value in values),
        "contains any": lambda: any(value in found for value in values),
        "contains all": lambda: all(value in found for value in values),
        "contains none": lambda: not any(value in found for value in values),
    }
    return bool(tests[operator]())


def version(text: str) -> tuple[int, ...] | None:
    """The leading numbers of a version, without the zeros at its end; None where it has none."""
    found = re.match(r"[ \t]*[vV]?(\d+(?:\.\d+)*)", text)
    if found is None:
        return None
    parts = [int(part) for part in found[1].split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def listed(world: World, name: str, wanted: int | None, as_of: datetime) -> set[str]:
    """The users of a list: each import that changes them is a version; only profiles known then count."""
    found: list[tuple[datetime, set[str]]] = []
    for row in sorted((r for r in world.lists if r["name"] == name), key=lambda r: r["at"]):
        known = {p["user_id"] for p in world.profiles if p["recorded_at"] <= row["at"]} & set(row["users"])
        if known and (not found or found[-1][1] != known):
            found.append((row["at"], known))
    there = [n for n, (at, _) in enumerate(found, 1) if at <= as_of and wanted in {None, n}]
    return found[there[-1] - 1][1] if there else set()


def age(born: date | None, now: date) -> int | None:
    """Full years."""
    if born is None or born > now:
        return None
    years = now.year - born.year
    return years if birthday(born, now.year) <= now else years - 1


def birthday(born: date, year: int) -> date:
    """The day in a year; the 28th where there is no 29 February."""
    if (born.month, born.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 2, 28)
    return born.replace(year=year)


def near(tree: Row, profile: Row) -> bool:
    """Whether a user's place lies within the radius; by the angle between two vectors."""
    latitude, longitude = profile.get("latitude"), profile.get("longitude")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return False

    def vector(north: float, east: float) -> tuple[float, float, float]:
        a, b = math.radians(north), math.radians(east)
        return math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)

    here, there = vector(latitude, longitude), vector(tree["latitude"], tree["longitude"])
    return bool(2 * 6_371_008.8 * math.asin(min(1, math.dist(here, there) / 2)) <= tree["metres"] + 0.0005)


def today(world: World, as_of: datetime) -> date:
    """The account's date."""
    return as_of.astimezone(world.zone).date()


def as_date(value: date | datetime, zone: ZoneInfo) -> date:
    """A date, or an instant's date in the account's zone."""
    return value.astimezone(zone).date() if isinstance(value, datetime) else value


def inside(ts: datetime, window: Row, as_of: datetime, zone: ZoneInfo) -> bool:
    """Whether an instant lies in a window: by its calendar date in the account's zone, or rolling."""
    if window["kind"] == "last" and window.get("unit") in {"minutes", "hours"}:
        seconds = window["count"] * {"minutes": 60, "hours": 3600}[window["unit"]]
        return ts.astimezone(UTC).timestamp() >= as_of.astimezone(UTC).timestamp() - seconds
    return dated(ts.astimezone(zone).date(), window, as_of.astimezone(zone).date())


def dated(day: date, window: Row, now: date) -> bool:
    """Whether a calendar date lies in a window of whole days."""
    kind = window["kind"]
    if kind == "ever":
        return True
    if kind == "days ago":
        farthest = window.get("farthest")
        late_enough = farthest is None or now - timedelta(days=farthest) <= day
        return late_enough and day <= now - timedelta(days=window["nearest"])
    if kind == "dates":
        first = date.fromisoformat(window.get("first", "0001-01-01"))
        last = date.fromisoformat(window.get("last", "9999-12-31"))
        return first <= day <= last
    if kind == "calendar":
        this, that = (now.year, now.month), (day.year, day.month)
        if window["period"] == "today":
            return day == now
        return that == (this if window["period"] == "this month" else months_from(now, -1).timetuple()[:2])
    count, unit = window["count"], window.get("unit", "days")
    sign = 1 if kind == "next" else -1
    if unit in {"months", "years"}:
        other = months_from(now, sign * count * {"months": 1, "years": 12}[unit])
    else:
        other = now + timedelta(days=sign * count * {"days": 1, "weeks": 7}[unit])
    return min(now, other) <= day <= max(now, other)


def months_from(day: date, months: int) -> date:
    """The same day of another month, or that month's last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
