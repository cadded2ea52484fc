"""DuckDB's answer equals the plain one, whatever the tree and the data."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from accounts import SETTINGS, Account, make_account
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from segments.naive import World, members
from segments.trees import dids, instants, trees, worlds

from workbench.segments import codec, qualify
from workbench.store import engine

TYPES = {
    "events": {"n": "number", "t": "text", "b": "boolean"},
    "profiles": {"age": "number", "city": "text", "vip": "boolean"},
}
ANY = st.one_of(dids(), trees(names=("inner", "outer")))
CASES = st.lists(st.tuples(ANY, instants), min_size=25, max_size=25)
QUIET = {
    "deadline": None,
    "phases": [Phase.explicit, Phase.generate],
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


def load(home: Path, world: World) -> Account:
    """Ingest a world: profiles and events carry their own recorded_at."""
    account = make_account(home, SETTINGS.replace("America/New_York", world.zone.key))
    for kind, rows in (("profiles", world.profiles), ("events", world.events)):
        texts = [{k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} for row in rows]
        account.ingest(kind, texts, recorded="recorded_at", types=TYPES[kind])
    for name, tree in world.segments.items():
        account.save_segment(name, tree)
    return account


def compare(home: Path, world: World, cases: list[tuple[dict[str, Any], datetime]]) -> None:
    """Ask each tree of both and compare the users, and the size of the whole."""
    account = load(home, world)
    version = account.workspace.lake.at()
    connection = version.connect()
    users = dict(engine.rows(connection, "SELECT user_code, user_id FROM users"))
    for tree, as_of in cases:
        segment = codec.from_json({"name": "asked", "condition": tree})
        query = qualify.compiled(
            segment, as_of, version=version, zone=account.workspace.zone, resolver=account.workspace.segments
        )
        found = [users[code] for code in qualify.qualified(query, connection)["user_code"]]
        expected = sorted(members(world, tree, as_of))
        assert sorted(found) == expected, json.dumps({"tree": tree, "as_of": as_of.isoformat()}, indent=1)
        assert qualify.counts(query, connection).qualified == len(expected)
    connection.close()


@settings(max_examples=5, derandomize=True, **QUIET)
@given(world=worlds(), cases=CASES)
def test_duckdb_answers_like_plain_python(
    tmp_path_factory: pytest.TempPathFactory, world: World, cases: list[tuple[dict[str, Any], datetime]]
) -> None:
    """125 random trees, 25 for each of five random worlds."""
    compare(tmp_path_factory.mktemp("world"), world, cases)


@pytest.mark.long
@settings(max_examples=80, **QUIET)
@given(world=worlds(), cases=CASES)
def test_duckdb_answers_like_plain_python_2000_times(
    tmp_path_factory: pytest.TempPathFactory, world: World, cases: list[tuple[dict[str, Any], datetime]]
) -> None:
    """2,000 random trees, 25 for each of eighty random worlds."""
    compare(tmp_path_factory.mktemp("world"), world, cases)


def test_the_plain_evaluator_is_right() -> None:
    """The judge is judged by hand: bounds, absent properties, nobody without a profile."""
    at = datetime(2026, 3, 15, 12, tzinfo=UTC)
    rows = [
        (0, "View", 8, 10),
        (0, "View", 14, None),
        (1, "View", 7, 3),
        (2, "Buy", 15, 5),
        (9, "View", 14, 1),
    ]
    world = World(
        profiles=[{"user_id": str(n), "recorded_at": datetime(2026, 1, 1, tzinfo=UTC)} for n in range(4)],
        events=[
            {"user_id": str(u), "event": e, "ts": datetime(2026, 3, d, 12, tzinfo=UTC),
             "recorded_at": datetime(2026, 3, d, 12, tzinfo=UTC), "n": n}
            for u, e, d, n in rows
        ],
        segments={}, zone=ZoneInfo("UTC"),
    )  # fmt: skip

    def ask(**fields: Any) -> set[str]:
        return members(world, {"kind": "did", "events": ["View"], **fields}, at)

    assert ask(window={"kind": "last", "count": 7}) == {"0"}
    assert ask(window={"kind": "last", "count": 8}) == {"0", "1"}
    assert ask(measure={"operator": "<", "values": [2]}) == {"1"}
    assert ask(measure={"operator": "<", "values": [2]}, include_zero=True) == {"1", "2", "3"}
    assert ask(measure={"function": "average", "property": "n", "operator": "=", "values": [5]}) == {"0"}
    assert ask(where=[{"property": "n", "operator": "!=", "values": [3]}]) == {"0"}
