"""Random small worlds: a few users with several versions, devices, lists and a handful of events."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from segments.naive import World
from segments.trees import (
    DAYS,
    EDGES,
    EVENTS,
    NUMBERS,
    PLACES,
    TEXTS,
    USER_ZONES,
    VERSIONS,
    ZONES,
    instants,
    lists,
    maybe,
    trees,
    users,
)


@st.composite
def profile(draw: st.DrawFn, user: str) -> dict[str, Any]:
    """One version of a profile."""
    latitude, longitude = draw(st.sampled_from(PLACES))
    return {
        "user_id": user, "recorded_at": draw(instants), "points": draw(maybe(NUMBERS)),
        "city": draw(maybe(TEXTS)), "vip": draw(st.sampled_from((None, True, False))),
        "birth_date": draw(maybe(DAYS)), "signed": draw(st.one_of(st.none(), instants)), "tags": draw(lists),
        "latitude": latitude, "longitude": longitude, "timezone": draw(st.sampled_from(USER_ZONES)),
        "client": draw(maybe(VERSIONS)),
    }  # fmt: skip


def unique(rows: list[dict[str, Any]], key: tuple[str, ...]) -> list[dict[str, Any]]:
    """Keep the last row of each key."""
    return list({tuple(row[name] for name in key): row for row in rows}.values())


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to 6 users (some without profile), up to 75 events; every name and property occurs at least once."""
    known = sorted(draw(st.sets(users, min_size=4)))
    profiles = [draw(profile(user)) for user in known]
    profiles += [draw(profile(user)) for user in draw(st.lists(st.sampled_from(known), max_size=3))]
    whole = {
        "user_id": "all", "recorded_at": EDGES[0] - timedelta(days=90), "points": 1, "city": "a", "vip": True,
        "birth_date": DAYS[0], "signed": EDGES[0], "tags": ["x"], "latitude": 52.52, "longitude": 13.405,
        "timezone": "Asia/Kolkata", "client": "1.9",
    }  # fmt: skip
    device = st.fixed_dictionaries({
        "user_id": st.sampled_from(known), "device_id": st.sampled_from(("d1", "d2")), "recorded_at": instants,
        "os": maybe(TEXTS), "app_version": maybe(VERSIONS), "last_seen": st.one_of(st.none(), instants),
    })  # fmt: skip
    devices = [
        *draw(st.lists(device, max_size=8)),
        {"user_id": "all", "device_id": "d1", "recorded_at": EDGES[0], "os": "a", "app_version": "1.10", "last_seen": EDGES[0]},
    ]  # fmt: skip
    row = st.fixed_dictionaries({
        "user_id": users, "event": st.sampled_from(EVENTS), "ts": instants, "late": st.sampled_from((0, 0, 0, 0, 0, 1, 30)),
        "n": maybe(NUMBERS[:6]), "t": maybe(TEXTS[:4]), "b": st.sampled_from((None, True, False)),
        "d": maybe(DAYS), "i": st.one_of(st.none(), instants), "l": lists, "v": maybe(VERSIONS),
    })  # fmt: skip
    events = draw(st.lists(row, min_size=30, max_size=70))
    events += draw(st.lists(st.sampled_from(events), max_size=5))
    events += [
        {
            "user_id": "ghost", "event": name, "ts": EDGES[0], "late": 0, "n": 1, "t": "a", "b": True,
            "d": DAYS[0], "i": EDGES[0], "l": ["x"], "v": "1.0.0",
        }
        for name in EVENTS
    ]  # fmt: skip
    received = [
        {
            **{k: v for k, v in event.items() if k != "late"},
            "recorded_at": event["ts"] + timedelta(days=event["late"]),
        }
        for event in events
    ]
    imports = st.fixed_dictionaries(
        {"name": st.just("vips"), "at": instants, "users": st.sets(users, max_size=5)}
    )
    kept = {"name": "vips", "at": EDGES[0] - timedelta(days=80), "users": {"all"}}
    saved = {"inner": draw(trees(depth=1)), "outer": {"kind": "not", "condition": draw(trees(depth=1))}}
    return World(
        profiles=unique([*profiles, whole], ("user_id", "recorded_at")), events=received, segments=saved,
        devices=unique(devices, ("user_id", "device_id", "recorded_at")),
        lists=[kept, *unique(draw(st.lists(imports, max_size=3)), ("at",))],
        zone=ZoneInfo(draw(st.sampled_from(ZONES))), versions=frozenset({"client", "app_version", "v"}),
    )  # fmt: skip
