"""DuckDB, Polars and plain Python agree, whatever the tree and the data."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from accounts import SETTINGS, Account, make_account
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from segments.naive import World, members, newest, same_values
from segments.trees import behaviours, by_today, constants, evenly, questions, traits, trees
from segments.worlds import EDGES, worlds

from workbench.errors import IngestError
from workbench.segments import codec, qualify, vectors
from workbench.segments.check import check
from workbench.segments.frames import compile_frame
from workbench.segments.model import Segment
from workbench.segments.scope import Scope
from workbench.segments.sql import Query, compile_sql
from workbench.store import engine, tallies
from workbench.store.frames import Frames, frames
from workbench.store.ingest import import_list
from workbench.store.reader import Reader

TYPES = {
    "events": {
        "n": "number", "t": "text", "b": "boolean", "d": "date", "i": "instant", "l": "list", "v": "version",
    },
    "profiles": {
        "points": "number", "city": "text", "vip": "boolean", "signed": "instant", "tags": "list",
        "client": "version",
    },
    "devices": {},
}  # fmt: skip
ANY = evenly(behaviours, behaviours, traits, trees(names=("inner", "outer")))
QUIET = {
    "deadline": None,
    "phases": [Phase.explicit, Phase.generate, Phase.shrink],
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


def load(home: Path, world: World) -> Account:
    """Ingest a world: every row carries its own recorded_at; lists are imported one after the other."""
    account = make_account(home, SETTINGS.replace("America/New_York", world.zone.key))
    for kind, rows in (("profiles", world.profiles), ("events", world.events), ("devices", world.devices)):
        texts = [{k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()} for row in rows]
        account.ingest(kind, texts, recorded="recorded_at", types=TYPES[kind])
    workspace = account.workspace
    for row in sorted(world.lists, key=lambda row: row["at"]):
        path = home / "list.csv"
        path.write_text("user_id\n" + "".join(f"{user}\n" for user in sorted(row["users"])))
        with suppress(IngestError):
            import_list(workspace.lake, workspace.settings, row["name"], str(path), now=row["at"])
    for name, tree in world.segments.items():
        account.save_segment(name, tree)
    return account


class Engines:
    """One world, ready to be asked by each engine."""

    def __init__(self, home: Path, world: World) -> None:
        """Ingest the world."""
        workspace = load(home, world).workspace
        version = workspace.lake.at()
        self.world = world
        self.scope: Scope = workspace.scope(version)
        self.connection = version.connect()
        self.frames: Frames = frames(version)
        self.reader = Reader(version)
        self.vectors = vectors.Vectors()
        self.users = dict(engine.rows(self.connection, "SELECT user_code, user_id FROM users"))

    def query(self, tree: dict[str, Any], as_of: datetime) -> tuple[Segment, Query]:
        """Check and compile a tree; a window after as_of is nobody here, not an error."""
        segment = codec.from_json({"name": "asked", "condition": tree})
        check(segment, self.scope)
        return segment, compile_sql(segment, as_of, self.scope)

    def compare(self, tree: dict[str, Any], as_of: datetime) -> None:
        """Ask everybody; the size of the whole is the number of its users."""
        segment, query = self.query(tree, as_of)
        by_sql = sorted(self.users[code] for code in qualify.qualified(query, self.connection)["user_code"])
        lazy = compile_frame(segment, as_of, self.scope, self.frames)
        by_frame = sorted(self.users[code] for code in lazy.collect()["user_code"])
        expected = sorted(members(self.world, tree, as_of))
        told = json.dumps({"tree": tree, "as_of": as_of.isoformat()}, indent=1)
        assert by_sql == expected, f"DuckDB: {told}"
        assert by_frame == expected, f"Polars: {told}"
        counts = qualify.counts(query, self.connection)
        assert counts.qualified == len(expected)
        asked = vectors.ask(segment, as_of, self.scope, reader=self.reader, vectors=self.vectors)
        assert sorted(self.users[code] for code in asked.users["user_code"]) == expected, f"vectors: {told}"
        by_vector = [(item.depth, int((item.holds & asked.everyone).sum())) for item in asked.conditions]
        assert by_vector == [(item.depth, item.users) for item in counts.conditions], f"vectors: {told}"

    def compare_history(self, tree: dict[str, Any], as_of: datetime) -> None:
        """Ask for several instants at once; each answer is that of the SQL at that instant.

        What the questions before have left behind is known already.
        """
        segment, _ = self.query(tree, as_of)
        instants = [as_of - timedelta(days=days) for days in (40, 9, 8, 2, 1, 0)]
        answers = vectors.over_time(segment, instants, self.scope, reader=self.reader, vectors=self.vectors)
        for instant, answer in zip(instants, answers, strict=True):
            counts = qualify.counts(compile_sql(segment, instant, self.scope), self.connection)
            told = json.dumps(
                {"tree": tree, "as_of": instant.isoformat(), "last": as_of.isoformat()}, indent=1
            )
            held = [(item.depth, int((item.holds & answer.everyone).sum())) for item in answer.conditions]
            assert held == [(item.depth, item.users) for item in counts.conditions], told
            assert int(answer.qualified.sum()) == counts.qualified, told

    def compare_values(self, tree: dict[str, Any], as_of: datetime) -> None:
        """The values that the content gets: newest first, at most three."""
        _, query = self.query(tree, as_of)
        found = qualify.matched(query, self.connection, tree["alias"], 3)
        by_sql = {self.users[row["user_code"]]: row["values"] for row in found.iter_rows(named=True)}
        known = newest(self.world.profiles, ("user_id",), as_of)
        plain = {p["user_id"]: same_values(self.world, tree, p, as_of)[:3] for p in known}
        assert {u: v for u, v in by_sql.items() if u in plain} == {u: v for u, v in plain.items() if v}


def drawn(strategy: st.SearchStrategy[Any], count: int, start: int) -> list[Any]:
    """Draw some values; the first ones, which are always the simplest, are left out."""
    found: list[Any] = []

    @seed(start)
    @settings(**QUIET, max_examples=count + 2)
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found[2:]


def plainer(world: World, number: int) -> World:
    """Of every four worlds one has no late events, one also one version of each profile; those are asked otherwise."""
    if number % 4 >= 2:
        world = replace(world, events=[{**row, "recorded_at": row["ts"]} for row in world.events])
    if number % 4 == 3:
        first = {
            row["user_id"]: {**row, "recorded_at": EDGES[0] - timedelta(days=400)} for row in world.profiles
        }
        world = replace(world, profiles=list(first.values()))
    return world


def ask(
    folder: pytest.TempPathFactory,
    start: int,
    *,
    count: int,
    each: int,
    kind: st.SearchStrategy[dict[str, Any]] = ANY,
    compare: Callable[["Engines", dict[str, Any], datetime], None] = Engines.compare,
) -> int:
    """Ask ``each`` trees of each of ``count`` random worlds, and return how many were asked.

    Every other world keeps tallies of every event; see ``plainer``.
    """
    asked = 0
    for number, world in enumerate(drawn(worlds(), count, start)):
        with pytest.MonkeyPatch.context() as patch:
            if number % 2 == 0:
                patch.setattr(tallies, "FEWEST", 1)
                patch.setattr(tallies, "SHARE", 0)
            engines = Engines(folder.mktemp("world"), plainer(world, number + start))
        asked += ask_world(partial(compare, engines), start * 1000 + number, each, kind)
        engines.connection.close()
    return asked


def ask_world(
    compare: Callable[[dict[str, Any], datetime], None],
    start: int,
    each: int,
    kind: st.SearchStrategy[dict[str, Any]],
) -> int:
    """Ask one world; one tree is one example, so that one that fails shrinks."""
    asked = 0

    @seed(start)
    @settings(**QUIET, max_examples=each)
    @given(tree=kind, as_of=questions)
    def one(tree: dict[str, Any], as_of: datetime) -> None:
        nonlocal asked
        asked += 1
        compare(tree, as_of)

    one()
    return asked


def test_history_is_what_each_day_would_have_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    """120 random trees at six instants, 30 for each of four random worlds."""
    asked = ask(tmp_path_factory, 50, count=4, each=30, compare=Engines.compare_history)
    assert asked >= 120


def test_history_counts_from_each_day(tmp_path_factory: pytest.TempPathFactory) -> None:
    """60 behaviours and sequences whose rows depend on the day, at six instants, in four random worlds."""
    asked = ask(tmp_path_factory, 51, count=4, each=15, kind=by_today(), compare=Engines.compare_history)
    assert asked >= 60


def test_three_engines_agree(tmp_path_factory: pytest.TempPathFactory) -> None:
    """300 random trees, 60 for each of five random worlds."""
    assert ask(tmp_path_factory, 0, count=5, each=60) >= 300


@pytest.mark.long
@pytest.mark.parametrize("start", range(1, 9))
def test_three_engines_agree_10000_times(tmp_path_factory: pytest.TempPathFactory, start: int) -> None:
    """10,000 random trees: eight times 10 worlds of 125 trees."""
    assert ask(tmp_path_factory, start, count=10, each=125) >= 1250


def test_the_values_of_a_constant_property(tmp_path_factory: pytest.TempPathFactory) -> None:
    """80 random constant properties: each user's values, newest first."""
    assert ask(tmp_path_factory, 9, count=4, each=20, kind=constants(), compare=Engines.compare_values) >= 80


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
