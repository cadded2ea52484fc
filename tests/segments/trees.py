"""Random small worlds and random valid trees over them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from segments.naive import World

EVENTS = ("View", "Buy", 'it\'s; -- a "name"\n/* x */')
NUMBERS = (-1, 0, 0.1, 0.2, 0.3, 1, 2, 2.5, 10)
TEXTS = ("", "a", "A", "ab", "b%", "é", "'; DROP TABLE events; --", "1")
ZONES = ("America/New_York", "Europe/Berlin")

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
users = st.integers(0, 5).map(lambda n: f"{n:05d}")


def maybe(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of the values, or none at all."""
    return st.one_of(st.none(), st.sampled_from(values))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to 6 users (some without profile), up to 45 events; every name and property occurs at least once."""
    profiles = [
        {
            "user_id": user, "recorded_at": draw(instants), "age": draw(maybe(NUMBERS)),
            "city": draw(maybe(TEXTS[1:])), "vip": draw(st.sampled_from((None, True, False))),
        }
        for user in sorted(draw(st.sets(users, min_size=4)))
    ]  # fmt: skip
    profiles.append({
        "user_id": "all", "recorded_at": EDGES[0] - timedelta(days=90), "age": 1, "city": "a", "vip": True,
    })  # fmt: skip
    row = st.fixed_dictionaries({
        "user_id": users, "event": st.sampled_from(EVENTS), "ts": instants, "late": st.sampled_from((0, 0, 0, 1, 30)),
        "n": maybe(NUMBERS), "t": maybe(TEXTS[1:]), "b": st.sampled_from((None, True, False)),
    })  # fmt: skip
    events = draw(st.lists(row, min_size=12, max_size=40))
    events += draw(st.lists(st.sampled_from(events), max_size=5))
    events += [
        {"user_id": "ghost", "event": name, "ts": EDGES[0], "late": 0, "n": 1, "t": "a", "b": True}
        for name in EVENTS
    ]
    received = [
        {
            **{k: v for k, v in event.items() if k != "late"},
            "recorded_at": event["ts"] + timedelta(days=event["late"]),
        }
        for event in events
    ]
    saved = {"inner": draw(trees(depth=1)), "outer": {"kind": "not", "condition": draw(trees(depth=1))}}
    return World(
        profiles=profiles, events=received, segments=saved, zone=ZoneInfo(draw(st.sampled_from(ZONES)))
    )


def several(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    """One to three of the values."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


def pairs(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    """Two of the values, the smaller first."""
    return st.tuples(st.sampled_from(values), st.sampled_from(values)).map(sorted)


def predicates(number: str, text: str, flag: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any operator on a property that it applies to."""
    presence = st.sampled_from(("exists", "does not exist")).map(lambda op: (op, []))
    equality = st.sampled_from(("=", "!=", "in", "not in"))
    of_number = st.one_of(
        presence,
        st.tuples(equality, several(NUMBERS)),
        st.tuples(st.sampled_from((">", ">=", "<", "<=")), several(NUMBERS).map(lambda v: v[:1])),
        st.tuples(st.just("between"), pairs(NUMBERS)),
    )
    words = st.sampled_from(("contains", "does not contain", "starts with", "ends with"))
    of_text = st.one_of(presence, st.tuples(st.one_of(equality, words), several(TEXTS)))
    of_flag = st.one_of(
        presence, st.tuples(st.sampled_from(("=", "!=")), several((True, False)).map(lambda v: v[:1]))
    )
    return st.one_of(
        *(
            kind.map(lambda item, name=name: {"property": name, "operator": item[0], "values": item[1]})
            for name, kind in ((number, of_number), (text, of_text), (flag, of_flag))
        )
    )


def count_of(unit: str) -> st.SearchStrategy[dict[str, Any]]:
    """The last few of a unit."""
    return st.integers(
        1, {"minutes": 90, "hours": 50, "days": 40, "weeks": 5, "months": 2, "years": 1}[unit]
    ).map(lambda count: {"kind": "last", "count": count, "unit": unit})


days = st.integers(0, 70).map(
    lambda n: (datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=n)).date().isoformat()
)
windows = st.one_of(
    st.just({"kind": "ever"}),
    st.sampled_from(("minutes", "hours", "days", "weeks", "months", "years")).flatmap(count_of),
    pairs(tuple(range(40))).map(lambda p: {"kind": "days ago", "farthest": p[1], "nearest": p[0]}),
    st.sampled_from(("today", "this month", "previous month")).map(
        lambda p: {"kind": "calendar", "period": p}
    ),
    days.map(lambda day: {"kind": "dates", "first": day}),
    days.map(lambda day: {"kind": "dates", "last": day}),
    st.tuples(days, days).map(sorted).map(lambda p: {"kind": "dates", "first": p[0], "last": p[1]}),
)


@st.composite
def dids(draw: st.DrawFn) -> dict[str, Any]:
    """A did-condition that ``check`` lets pass."""
    function = draw(st.sampled_from(("count", "count", "sum", "average", "minimum", "maximum", "distinct")))
    operator = draw(st.sampled_from(("=", "!=", ">", ">=", "<", "<=", "between")))
    amounts = (0, 1, 2, 3) if function in {"count", "distinct"} else NUMBERS
    values = draw(pairs(amounts)) if operator == "between" else [draw(st.sampled_from(amounts))]
    measure: dict[str, Any] = {"function": function, "operator": operator, "values": values}
    if function == "distinct":
        measure["property"] = draw(st.sampled_from(("n", "t", "b")))
    elif function != "count":
        measure["property"] = "n"
    zero = draw(st.booleans()) if function in {"count", "sum", "distinct"} else False
    if function == "count" and (operator, *values) in {
        ("=", 0),
        ("<=", 0),
        ("<", 0),
        ("<", 1),
        ("between", 0, 0),
    }:
        zero = True
    names = st.lists(
        st.sampled_from((*EVENTS, "Any Event", "Control Group")), min_size=1, max_size=3, unique=True
    )
    return {
        "kind": "did",
        "events": [*draw(names), "Any Event"] if function != "count" else draw(names),
        "match": draw(st.sampled_from(("any", "all"))),
        "where": draw(st.lists(predicates("n", "t", "b"), max_size=2)) if function != "count" else [],
        "measure": measure,
        "window": draw(windows),
        "include_zero": zero,
    }


def trees(depth: int = 3, *, names: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """A tree of every kind of condition, nested up to ``depth``."""
    leaves = [dids(), predicates("age", "city", "vip").map(lambda p: {"kind": "user", "predicate": p})]
    leaves.append(
        st.tuples(
            st.sampled_from(("=", "in", "not in", "starts with")), several(("00001", "00002", "000", "all"))
        ).map(
            lambda p: {"kind": "user", "predicate": {"property": "user_id", "operator": p[0], "values": p[1]}}
        )
    )
    if names:
        leaves.append(st.sampled_from(names).map(lambda name: {"kind": "segment", "segment": name}))
    if depth == 0:
        return st.one_of(*leaves)
    inner = trees(depth - 1, names=names)
    return st.one_of(
        *leaves,
        st.tuples(st.sampled_from(("all", "any")), st.lists(inner, min_size=1, max_size=3)).map(
            lambda p: {"kind": p[0], "conditions": p[1]}
        ),
        inner.map(lambda part: {"kind": "not", "condition": part}),
    )
