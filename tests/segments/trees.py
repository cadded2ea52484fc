"""Random valid trees: every kind of condition, every operator."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

EVENTS = ("View", "Buy", 'it\'s; -- a "name"\n/* x */')
NUMBERS = (-1, 0, 0.1, 0.2, 0.3, 1, 2, 2.5, 10)
TEXTS = ("a", "A", "ab", "b%", "é", "'; DROP TABLE events; --", "1")
PATTERNS = ("^a", "b$", r"\d", "[a-c]+", "é", "(?i)AB", r"\bab\b", r"^\W", ".", "a|1", r"[^\w%]")
VERSIONS = ("1", "1.0.0", "1.10", "1.9", "v2.0-beta", "none", "10.0.1", "0")
ITEMS = ("x", "y", "é", "z'")
ZONES = ("America/New_York", "Europe/Berlin")
USER_ZONES = (None, "Asia/Kolkata", "America/New_York", "Pacific/Auckland", "Mars/Olympus", "")
PLACES = ((52.52, 13.405), (48.8566, 2.3522), (0, 0), (0, 180), (-90, 0), (91, 0), (None, 5))
DAYS = tuple(
    date.fromisoformat(text)
    for text in (
        "2000-02-29", "1999-02-28", "2008-03-01", "1990-03-08", "2024-02-29", "2026-02-28", "2026-03-08",
        "2026-03-29", "2026-04-30", "2030-01-01", "1970-12-31",
    )
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# Midnights and clock changes of both zones, month ends, and a microsecond to each side.
EDGES = tuple(
    datetime.fromisoformat(text)
    for text in (
        "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z", "2026-03-09T04:00:00Z", "2026-03-07T23:00:00Z",
        "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T22:00:00Z", "2026-03-31T04:00:00Z",
        "2026-03-31T22:00:00Z", "2026-03-01T05:00:00Z", "2026-02-28T23:00:00Z", "2026-02-28T05:00:00Z",
    )
)  # fmt: skip

STEPS = (
    timedelta(0),
    timedelta(microseconds=1),
    timedelta(microseconds=-1),
    timedelta(hours=1),
    timedelta(days=-7),
)
instants = st.one_of(
    st.builds(lambda edge, step: edge + step, st.sampled_from(EDGES), st.sampled_from(STEPS)),
    st.integers(0, 60 * 24).map(lambda hours: datetime(2026, 2, 1, tzinfo=UTC) + timedelta(hours=hours)),
)
# A question is asked at an odd moment, or when everything has been recorded.
questions = st.one_of(instants, st.just(datetime(2026, 5, 6, 12, tzinfo=UTC)), st.just(EDGES[8]))
users = st.integers(0, 5).map(lambda n: f"{n:05d}")


def maybe(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of the values, or none at all."""
    return st.one_of(st.none(), st.sampled_from(values))


def seldom(some: st.SearchStrategy[Any], usual: Any) -> st.SearchStrategy[Any]:
    """One time in four one of ``some``, else what is usual."""
    return st.integers(0, 3).flatmap(lambda n: some if n == 3 else st.just(usual))


lists = st.one_of(st.none(), st.lists(st.sampled_from(ITEMS), max_size=3))


def several(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    """One to three of the values."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


def pairs(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    """Two of the values, the smaller first."""
    return st.tuples(st.sampled_from(values), st.sampled_from(values)).map(sorted)


def ordered(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    """Two of the values; their place in ``values`` is their order."""
    places = pairs(tuple(range(len(values))))
    return places.map(lambda found: [values[found[0]], values[found[1]]])


PRESENCE = st.sampled_from(("exists", "does not exist")).map(lambda op: (op, []))
EQUALITY = st.sampled_from(("=", "!=", "in", "not in"))
SIGNS = st.sampled_from((">", ">=", "<", "<="))
NAMED = ("0", "1", "1.9", "1.10", "v2.0-beta", "10.0.1")


def predicates(**names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any operator on a property that it applies to; the names by type."""
    words = st.sampled_from(("contains", "does not contain", "starts with", "ends with"))
    of_lists = st.sampled_from(("contains any", "contains all", "contains none"))
    dates = st.one_of(
        st.one_of(windows(rolling=False), ahead).map(lambda w: ("within", [], w)),
        st.sampled_from((0, 1, 7, 200, 364)).map(lambda n: ("anniversary", [n])),
    )
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "number": st.one_of(
            st.tuples(EQUALITY, several(NUMBERS)),
            st.tuples(SIGNS, several(NUMBERS).map(lambda v: v[:1])),
            st.tuples(st.just("between"), pairs(NUMBERS)),
        ),
        "text": st.one_of(
            st.tuples(st.one_of(EQUALITY, words), several(TEXTS)),
            st.tuples(st.just("matches"), several(PATTERNS)),
        ),
        "flag": st.tuples(st.sampled_from(("=", "!=")), several((True, False)).map(lambda v: v[:1])),
        "date": dates,
        "instant": dates,
        "list": st.tuples(of_lists, several((*ITEMS, "absent"))),
        "version": st.one_of(
            st.tuples(EQUALITY, several(NAMED)),
            st.tuples(SIGNS, several(NAMED).map(lambda v: v[:1])),
            st.tuples(st.just("between"), ordered(NAMED)),
        ),
    }
    return st.one_of(
        *(
            st.one_of(PRESENCE, kinds[kind]).map(lambda item, name=name: _predicate(name, *item))
            for kind, name in names.items()
        )
    )


def _predicate(name: str, operator: str, values: list[Any], window: Any = None) -> dict[str, Any]:
    found = {"property": name, "operator": operator, "values": values}
    return found if window is None else {**found, "window": window}


def count_of(unit: str, kind: str = "last") -> st.SearchStrategy[dict[str, Any]]:
    """The last, or the next, few of a unit."""
    most = {"minutes": 90, "hours": 50, "days": 40, "weeks": 5, "months": 2, "years": 1}[unit]
    return st.integers(1, most).map(lambda count: {"kind": kind, "count": count, "unit": unit})


days = st.integers(0, 70).map(
    lambda n: (datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=n)).date().isoformat()
)
WHOLE = ("days", "weeks", "months", "years")
ahead = st.sampled_from(WHOLE).flatmap(lambda unit: count_of(unit, "next"))


def windows(*, rolling: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Any window of the past; ``rolling`` adds ever, minutes and hours, which a date does not take."""
    whole = st.one_of(
        st.sampled_from(WHOLE).flatmap(count_of),
        pairs(tuple(range(40))).map(lambda p: {"kind": "days ago", "farthest": p[1], "nearest": p[0]}),
        st.integers(0, 40).map(lambda n: {"kind": "days ago", "nearest": n}),
        st.sampled_from(("today", "this month", "previous month")).map(
            lambda p: {"kind": "calendar", "period": p}
        ),
        days.map(lambda day: {"kind": "dates", "last": day}),
        st.tuples(days, days).map(sorted).map(lambda p: {"kind": "dates", "first": p[0], "last": p[1]}),
        days.map(lambda day: {"kind": "dates", "first": day}),
    )
    if not rolling:
        return whole
    some = st.one_of(whole, st.sampled_from(("minutes", "hours")).flatmap(count_of))
    return st.one_of(some, st.just({"kind": "ever"}))


hours = st.sampled_from(("00:00", "04:00", "07:30", "09:00", "22:00", "23:59:59"))
some_clocks = st.one_of(
    st.fixed_dictionaries(
        {"start": hours, "end": hours, "zone": st.sampled_from(("account", "user"))},
        optional={"weekdays": st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=3, unique=True)},
    ).filter(lambda clock: clock["start"] != clock["end"]),
    st.fixed_dictionaries({
        "weekdays": st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=4, unique=True),
        "zone": st.sampled_from(("account", "user")),
    }),
)  # fmt: skip
clocks = seldom(some_clocks, None)

# Most conditions have no filter, no clock and all the past: else most answers would be nobody.
some_filters = st.lists(
    predicates(number="n", text="t", flag="b", date="d", instant="i", list="l", version="v"), max_size=2
)
filters = seldom(some_filters, [])
properties = st.sampled_from((("n", NUMBERS), ("t", TEXTS), ("b", (True, False)), ("v", ("1", "1.0.0"))))
names = st.lists(st.sampled_from((*EVENTS, "Any Event")), min_size=1, max_size=2, unique=True)


@st.composite
def selections(draw: st.DrawFn, *, named: bool = True) -> dict[str, Any]:
    """Which events; ``named`` gives events that have every property."""
    events = draw(names)
    if not named and draw(st.booleans()):
        events = [*events, "Control Group"]
    found: dict[str, Any] = {"events": events, "where": draw(filters)}
    clock = draw(clocks)
    return found if clock is None else {**found, "clock": clock}


@st.composite
def measures(draw: st.DrawFn, *, functions: tuple[str, ...]) -> dict[str, Any]:
    """A function of the events, compared with numbers."""
    function = draw(st.sampled_from(functions))
    operator = draw(st.sampled_from(("=", "!=", ">", ">=", "<", "<=", "between")))
    amounts = (0, 1, 2, 3) if function in {"count", "distinct"} else NUMBERS
    values = draw(pairs(amounts)) if operator == "between" else [draw(st.sampled_from(amounts))]
    measure: dict[str, Any] = {"function": function, "operator": operator, "values": values}
    if function == "distinct":
        measure["property"] = draw(st.sampled_from(("n", "t", "b", "d", "v")))
    elif function != "count":
        measure["property"] = "n"
    return measure


ALL = ("count", "count", "sum", "average", "minimum", "maximum", "distinct")
ONLY_ZERO = {("=", 0), ("<=", 0), ("<", 0), ("<", 1), ("between", 0, 0)}


def only_zero(measure: dict[str, Any]) -> bool:
    """Whether a count holds for users without events only."""
    return measure["function"] == "count" and (measure["operator"], *measure["values"]) in ONLY_ZERO


@st.composite
def dids(draw: st.DrawFn) -> dict[str, Any]:
    """A did-condition that ``check`` lets pass."""
    measure = draw(measures(functions=ALL))
    zero = draw(st.booleans()) if measure["function"] in {"count", "sum", "distinct"} else False
    return {
        "kind": "did",
        **draw(selections(named=False)),
        "match": draw(st.sampled_from(("any", "all"))),
        "measure": measure,
        "window": draw(windows()),
        "include_zero": zero or only_zero(measure),
    }


@st.composite
def milestones(draw: st.DrawFn) -> dict[str, Any]:
    """The first, or the latest, time."""
    which = draw(st.sampled_from(("first", "last")))
    return {"kind": "milestone", "which": which, **draw(selections(named=False)), "window": draw(windows())}


@st.composite
def by_today(draw: st.DrawFn) -> dict[str, Any]:
    """A behaviour whose rows depend on the day: a filter that counts from it, or the zone that a user had."""
    found = draw(evenly(dids(), milestones(), sequences()))
    chosen: dict[str, Any] = {"events": [draw(st.sampled_from(EVENTS))], "where": [], "clock": None}
    if draw(st.booleans()):
        days = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=6, unique=True))
        chosen["clock"] = {"start": draw(hours), "weekdays": days, "zone": "user"}
    else:
        counting = predicates(date="d", instant="i").filter(
            lambda item: item["operator"] in {"within", "anniversary"}
        )
        chosen["where"] = [draw(counting)]
    return {**found, "first": chosen} if found["kind"] == "sequence" else {**found, **chosen}


@st.composite
def interests(draw: st.DrawFn) -> dict[str, Any]:
    """A value that prevails."""
    name, values = draw(properties)
    return {
        "kind": "interest", **draw(selections()), "property": name, "values": draw(several(values)),
        "percent": draw(st.sampled_from((None, None, 10, 33.3, 50, 100))), "window": draw(windows()),
    }  # fmt: skip


@st.composite
def regulars(draw: st.DrawFn) -> dict[str, Any]:
    """In m of n periods."""
    periods = draw(st.integers(1, 6))
    return {
        "kind": "regularly", **draw(selections()), "periods": periods,
        "at_least": draw(st.integers(1, periods)), "days": draw(st.sampled_from((1, 7, 10))),
        "times": draw(st.sampled_from((1, 1, 2))),
    }  # fmt: skip


@st.composite
def sequences(draw: st.DrawFn) -> dict[str, Any]:
    """One, and then another in time, or not."""
    within = {"count": draw(st.integers(1, 40)), "unit": draw(st.sampled_from(("seconds", "hours", "days")))}
    return {
        "kind": "sequence", "first": draw(selections()), "then": draw(selections()), "within": within,
        "followed": draw(st.booleans()), "window": draw(windows()),
    }  # fmt: skip


@st.composite
def constants(draw: st.DrawFn) -> dict[str, Any]:
    """One value that fits two or three events."""
    name = draw(st.sampled_from(("n", "t", "b", "v")))
    parts: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        measure = draw(measures(functions=ALL).filter(lambda item: not only_zero(item)))
        done = True if number == 0 else draw(st.booleans())
        parts.append({
            **draw(selections()), "property": name, "did": done, "measure": measure, "window": draw(windows()),
        })  # fmt: skip
    return {"kind": "constant property", "parts": parts, "alias": draw(st.uuids()).hex}


def evenly(*kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Each kind as often as the others; ``one_of`` would flatten them and favour those with many forms."""
    return st.sampled_from(range(len(kinds))).flatmap(lambda number: kinds[number])


behaviours = evenly(dids(), dids(), milestones(), interests(), regulars(), sequences(), constants())


@st.composite
def ages(draw: st.DrawFn) -> dict[str, Any]:
    """An age compared."""
    operator = draw(st.sampled_from((">", ">=", "<", "<=", "=", "!=", "between")))
    years = (0, 1, 17, 18, 26, 36, 56)
    values = draw(pairs(years)) if operator == "between" else [draw(st.sampled_from(years))]
    return {"kind": "age", "operator": operator, "values": values}


traits = evenly(
    predicates(
        number="points", text="city", flag="vip", date="birth_date", instant="signed", list="tags", version="client"
    ).map(lambda p: {"kind": "user", "predicate": p}),
    st.tuples(
        st.sampled_from(("=", "in", "not in", "starts with")), several(("00001", "00002", "000", "all"))
    ).map(lambda p: {"kind": "user", "predicate": {"property": "user_id", "operator": p[0], "values": p[1]}}),
    ages(),
    st.tuples(st.sampled_from(PLACES[:5]), st.sampled_from((1, 1000, 900_000, 9_000_000.5, 20_000_000))).map(
        lambda p: {"kind": "near", "latitude": p[0][0], "longitude": p[0][1], "metres": p[1]}
    ),
    pairs((0, 1, 250, 499, 500, 750, 999)).map(lambda p: {"kind": "bucket", "first": p[0], "last": p[1]}),
    st.lists(
        predicates(text="os", version="app_version", instant="last_seen"), min_size=1, max_size=2
    ).map(lambda where: {"kind": "device", "where": where}),
    st.sampled_from(({}, {"version": 1})).map(lambda version: {"kind": "list", "list": "vips", **version}),
)  # fmt: skip


def trees(depth: int = 3, *, names: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """A tree of every kind of condition, nested up to ``depth``."""
    leaves = evenly(behaviours, behaviours, behaviours, traits)
    if names:
        inside = st.sampled_from(names).map(lambda name: {"kind": "segment", "segment": name})
        leaves = evenly(leaves, leaves, leaves, leaves, inside)
    if depth == 0:
        return leaves
    inner = trees(depth - 1, names=names)
    groups = st.tuples(st.sampled_from(("all", "any")), st.lists(inner, min_size=1, max_size=3))
    return evenly(
        leaves,
        groups.map(lambda p: {"kind": p[0], "conditions": p[1]}),
        inner.map(lambda part: {"kind": "not", "condition": part}),
    )
