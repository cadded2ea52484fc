"""The compiled SQL: compared with files, bound by DuckDB, and deaf to what names and values say.

To renew the files: delete them, run this file (it fails once and writes them), read the difference.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from accounts import NOW, Account

from workbench.errors import InputError
from workbench.segments import codec, qualify
from workbench.segments.sql import Query
from workbench.store import engine
from workbench.store.ingest import import_list

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = 'x\'; DROP TABLE events; --\n*/ "$as_of" {0} \\'
DID = {"kind": "did", "events": ["Buy"]}
US = {"kind": "user", "predicate": {"property": "country", "operator": "=", "values": ["US"]}}

TREES: dict[str, dict[str, Any]] = {
    "did": DID,
    "did_any_counted": {
        **DID, "events": ["Buy", "View"], "window": {"kind": "last", "count": 7},
        "where": [{"property": "price", "operator": "between", "values": [1, 5]}],
        "measure": {"operator": "=", "values": [2]},
    },
    "did_all_of": {**DID, "events": ["Buy", "View"], "match": "all", "window": {"kind": "calendar", "period": "today"}},
    "did_fewer_with_zero": {**DID, "measure": {"operator": "<", "values": [3]}, "include_zero": True},
    "average": {**DID, "measure": {"function": "average", "property": "price", "operator": ">", "values": [2.5]}},
    "any_event": {**DID, "events": ["Any Event"], "window": {"kind": "days ago", "farthest": 9, "nearest": 3}},
    "all_but": {"kind": "all", "conditions": [US, {"kind": "not", "condition": DID}]},
    "nested": {
        "kind": "any",
        "conditions": [
            {"kind": "not", "condition": {"kind": "segment", "segment": "americans"}},
            {"kind": "all", "conditions": [{"kind": "not", "condition": DID}]},
            {"kind": "user", "predicate": {"property": "user_id", "operator": "starts with", "values": ["0", "1"]}},
        ],
    },
    "clock_of_the_user": {
        **DID, "clock": {"start": "22:00", "end": "06:00", "weekdays": ["friday"], "zone": "user"},
    },
    "clock_of_the_account": {**DID, "clock": {"start": "08:00", "weekdays": ["tuesday"]}},
    "milestone_first": {"kind": "milestone", "which": "first", "events": ["Buy"], "window": {"kind": "last", "count": 30}},
    "milestone_last": {"kind": "milestone", "which": "last", "events": ["Buy", "View"]},
    "interest_predominantly": {
        "kind": "interest", "events": ["Buy", "View"], "property": "price", "values": [2, 5],
        "window": {"kind": "last", "count": 30},
    },
    "interest_share": {"kind": "interest", "events": ["Buy"], "property": "price", "values": [2], "percent": 33.3},
    "regularly": {"kind": "regularly", "events": ["Buy"], "at_least": 1, "periods": 3, "days": 7, "times": 1},
    "sequence_followed": {
        "kind": "sequence", "first": {"events": ["View"]}, "then": {"events": ["Buy"]},
        "within": {"count": 2, "unit": "hours"}, "window": {"kind": "last", "count": 60},
    },
    "sequence_not_followed": {
        "kind": "sequence", "first": {"events": ["Buy"]}, "then": {"events": ["View"]}, "followed": False,
        "within": {"count": 1, "unit": "hours"},
    },
    "constant_property": {
        "kind": "constant property",
        "parts": [
            {"events": ["Buy"], "property": "price"},
            {"events": ["View"], "property": "price", "did": False, "measure": {"values": [2]}},
        ],
    },
    "operators_of_text": {
        **DID, "events": ["View"], "where": [{"property": "sku", "operator": "matches", "values": ["^a\\d", "z$"]}],
    },
    "dates_of_a_profile": {
        "kind": "any",
        "conditions": [
            {"kind": "user", "predicate": {"property": "birth_date", "operator": "anniversary", "values": [2]}},
            {"kind": "user", "predicate": {"property": "birth_date", "operator": "within",
                                           "window": {"kind": "dates", "last": "2001-01-01"}}},
            {"kind": "user", "predicate": {"property": "renewal", "operator": "within",
                                           "window": {"kind": "next", "count": 2, "unit": "weeks"}}},
            {"kind": "user", "predicate": {"property": "renewal", "operator": "anniversary", "values": [364]}},
        ],
    },
    "lists_and_versions": {
        "kind": "any",
        "conditions": [
            {"kind": "user", "predicate": {"property": "tags", "operator": "contains all", "values": ["a", "b"]}},
            {"kind": "user", "predicate": {"property": "tags", "operator": "contains none", "values": ["a"]}},
            {"kind": "device", "where": [
                {"property": "os", "operator": "=", "values": ["iOS"]},
                {"property": "app_version", "operator": ">", "values": ["2.9.3"]},
            ]},
        ],
    },
    "people": {
        "kind": "all",
        "conditions": [
            {"kind": "age", "operator": ">=", "values": [25]},
            {"kind": "near", "latitude": 52.52, "longitude": 13.405, "metres": 1000},
            {"kind": "bucket", "first": 0, "last": 998},
            {"kind": "list", "list": "vips"},
        ],
    },
    "hostile": {
        "kind": "all",
        "conditions": [
            {**DID, "events": [HOSTILE], "where": [{"property": HOSTILE, "operator": "contains", "values": [HOSTILE]}]},
            {"kind": "user", "predicate": {"property": HOSTILE, "operator": "!=", "values": [HOSTILE]}},
        ],
    },
}  # fmt: skip


@pytest.fixture
def small(account: Account) -> Account:
    """Four people and a few events, some with hostile names."""
    account.ingest(
        "profiles",
        [
            {
                "user_id": "01", "country": "US", HOSTILE: HOSTILE, "birth_date": "2000-07-03", "tags": ["a", "b"],
                "latitude": 52.5205, "longitude": 13.4051, "renewal": "2025-07-02T12:00:00Z",
            },
            {"user_id": "02", "country": "US", HOSTILE: "y", "renewal": "2026-07-14T22:00:00Z", "tags": ["c"]},
            {"user_id": "03", "country": "DE", "birth_date": "1990-01-01", "timezone": "Asia/Tokyo"},
            {"user_id": "10", "tags": ["a"]},
        ],
    )  # fmt: skip
    account.ingest(
        "devices",
        [
            {"user_id": "10", "device_id": "d1", "os": "iOS", "app_version": "2.10.0"},
            {"user_id": "03", "device_id": "d1", "os": "iOS", "app_version": "2.9.0"},
            {"user_id": "03", "device_id": "d2", "os": "Android", "app_version": "2.10"},
        ],
    )
    (account.home / "vips.csv").write_text("user_id\n01\n03\n", encoding="utf-8")
    workspace = account.workspace
    import_list(workspace.lake, workspace.settings, "vips", str(account.home / "vips.csv"), now=NOW)
    account.ingest(
        "events",
        [
            {"user_id": "01", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "price": 2},
            {"user_id": "01", "event": "View", "ts": "2026-06-30T12:00:00Z", "price": 3},
            {"user_id": "02", "event": HOSTILE, "ts": "2026-06-25T12:00:00Z", HOSTILE: f"a{HOSTILE}b"},
            {"user_id": "03", "event": "View", "ts": "2026-07-01T12:00:00Z"},
            {"user_id": "03", "event": "Buy", "ts": "2026-05-29T13:30:00Z", "price": 5},
            {"user_id": "03", "event": "View", "ts": "2026-05-29T12:45:00Z", "price": 5, "sku": "a1"},
            {"user_id": "10", "event": "View", "ts": "2026-05-29T12:45:00Z", "sku": "A1z", "price": 9},
            {"user_id": "99", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "price": 2},
        ],
    )
    account.save_segment("americans", US)
    return account


def compiled(account: Account, tree: dict[str, Any], as_of: datetime = NOW) -> Query:
    """Compile a tree given as JSON values."""
    workspace = account.workspace
    segment = codec.from_json({"name": "asked", "condition": tree})
    return qualify.compiled(segment, as_of, workspace.scope(workspace.lake.at()))


def ask(account: Account, tree: dict[str, Any], as_of: datetime = NOW) -> list[str]:
    """The ids of the users of a tree."""
    connection = account.workspace.lake.at().connect()
    users = dict(engine.rows(connection, "SELECT user_code, user_id FROM users"))
    found = qualify.qualified(compiled(account, tree, as_of), connection)["user_code"]
    connection.close()
    return sorted(users[code] for code in found)


@pytest.mark.parametrize("name", TREES)
def test_the_sql_is_the_golden_one(small: Account, name: str) -> None:
    """The text is the committed one, and DuckDB binds it with its parameters."""
    query = compiled(small, TREES[name])
    shown = {
        key: f"{len(value)} values" if isinstance(value, list) else repr(value)
        for key, value in query.parameters.items()
    }
    bound = "".join(f"-- ${key} = {value}\n" for key, value in shown.items())
    golden = GOLDEN / f"{name}.sql"
    if not golden.exists():
        golden.write_text(f"{query.sql}\n{bound}", encoding="utf-8")
        pytest.fail(f"{golden.name} was written: read it, and commit it")
    assert f"{query.sql}\n{bound}" == golden.read_text(encoding="utf-8")
    connection = small.workspace.lake.at().connect()
    assert engine.rows(connection, f"EXPLAIN {query.sql}", query.parameters)
    assert engine.rows(connection, f"EXPLAIN {query.counts_sql}", query.parameters)
    connection.close()


def test_every_golden_file_has_its_tree() -> None:
    """No file is left behind when a tree is renamed."""
    assert {path.stem for path in GOLDEN.glob("*.sql")} == set(TREES)


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("did", ["01", "03"]), ("did_any_counted", ["01"]), ("did_all_of", []),
        ("did_fewer_with_zero", ["01", "02", "03", "10"]), ("average", ["03"]), ("any_event", ["02"]),
        ("all_but", ["02"]), ("nested", ["01", "02", "03", "10"]), ("hostile", ["02"]),
        ("clock_of_the_user", ["03"]), ("clock_of_the_account", ["01"]), ("milestone_first", ["01"]),
        ("milestone_last", ["01", "03", "10"]), ("interest_predominantly", []), ("interest_share", ["01"]),
        ("regularly", ["01"]), ("sequence_followed", ["03"]), ("sequence_not_followed", ["01", "03"]),
        ("constant_property", ["01", "03"]), ("operators_of_text", ["03", "10"]), ("dates_of_a_profile", ["01", "02", "03"]),
        ("lists_and_versions", ["01", "02", "10"]), ("people", ["01"]),
    ],
)  # fmt: skip
def test_the_users_of_each_golden_tree(small: Account, name: str, users: list[str]) -> None:
    """Counted by hand over four people."""
    assert ask(small, TREES[name]) == users


def test_names_and_values_are_never_sql_text(small: Account) -> None:
    """Hostile text stands in the parameters; in the SQL only as a comment of one line without its signs."""
    query = compiled(small, TREES["hostile"])
    assert list(query.parameters.values()).count(HOSTILE) == 3
    code = [line for line in query.sql.splitlines() if not line.startswith("-- ")]
    assert not re.search(r"DROP|\{0\}", "\n".join(code))
    assert all(
        re.fullmatch(r"[\w .,:;<>=%'\"()&+/?-]*", line) for line in query.sql.splitlines() if "DROP" in line
    )


def test_a_comment_never_ends_early(small: Account) -> None:
    """Every kind of line break in an event's name stays inside its comment."""
    name = "a\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i\x00j"
    small.ingest("events", [{"user_id": "10", "event": name, "ts": "2026-06-30T12:00:00Z"}])
    query = compiled(small, {**DID, "events": [name]})
    (comment,) = (line for line in query.sql.splitlines() if line.startswith("--"))
    assert comment == '-- did "a?b?c?d?e?f?g?h?i?j"'
    assert ask(small, {**DID, "events": [name]}) == ["10"]


def test_counts_hold_every_condition(small: Account) -> None:
    """Each condition's size among people with a profile, children first, the whole last."""
    connection = small.workspace.lake.at().connect()
    found = qualify.counts(compiled(small, TREES["all_but"]), connection)
    connection.close()
    assert (found.everyone, found.qualified) == (4, 1)
    assert [(c.sentence, c.depth, c.users) for c in found.conditions] == [
        ('country is "US"', 1, 2), ('did "Buy"', 1, 2), ('country is "US" and did not do "Buy"', 0, 1),
    ]  # fmt: skip


def test_an_event_at_as_of_counts_and_a_later_one_does_not(small: Account) -> None:
    """``as_of`` itself is included; a microsecond before the event it is not there yet."""
    tree = {**DID, "events": ["View"], "where": [{"property": "price", "operator": "does not exist"}]}
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert ask(small, tree, at) == ["03"]
    assert ask(small, tree, at - timedelta(microseconds=1)) == []


def test_as_of_means_the_same_in_every_zone(small: Account) -> None:
    """The repeated hour of a clock change, given in local time, is the second one when it says so."""
    rows = [{"user_id": "10", "event": "Late", "ts": "2026-11-01T06:15:00Z"}]
    small.ingest("events", rows, now=datetime(2026, 11, 1, 6, 15, tzinfo=UTC), recorded="history")
    local = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    assert ask(small, {**DID, "events": ["Late"]}, local.replace(fold=1)) == ["10"]
    assert ask(small, {**DID, "events": ["Late"]}, local.replace(fold=0)) == []


def test_a_naive_as_of_is_refused(small: Account) -> None:
    """Without a zone the question is unclear; the clock of this machine does not decide."""
    with pytest.raises(InputError, match="no time zone"):
        compiled(small, DID, datetime(2026, 7, 1, 12))  # noqa: DTZ001


def test_a_declared_name_without_rows_matches_nobody(small: Account) -> None:
    """A system event is a valid name; nobody did it, everybody did not."""
    assert ask(small, {**DID, "events": ["App Uninstalled"]}) == []
    assert ask(small, {"kind": "not", "condition": {**DID, "events": ["App Uninstalled"]}}) == [
        "01",
        "02",
        "03",
        "10",
    ]


def test_events_after_the_pinned_version_are_not_seen(small: Account) -> None:
    """A query asks the version that it was given."""
    version = small.workspace.lake.at()
    small.ingest(
        "events", [{"user_id": "10", "event": "Buy", "ts": "2026-06-30T12:00:00Z"}], recorded="history"
    )
    connection = version.connect()
    query = compiled(small, DID)
    assert qualify.qualified(query, connection).height == 2
    connection.close()
    assert ask(small, DID) == ["01", "03", "10"]


MIXED = [
    {"user_id": "a", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "price": 10},
    {"user_id": "a", "event": "Buy", "ts": "2026-06-30T12:00:00Z"},
    {"user_id": "b", "event": "Buy", "ts": "2026-06-30T12:00:00Z"},
    {"user_id": "b", "event": "View", "ts": "2026-06-30T12:00:00Z", "price": 0.1},
    {"user_id": "b", "event": "View", "ts": "2026-06-30T12:00:00Z", "price": 0.2},
]


def measured(function: str, operator: str, *values: float, **fields: Any) -> dict[str, Any]:
    """A measure of the price of Buy, unless said otherwise."""
    measure = {"function": function, "operator": operator, "values": list(values)}
    return {**DID, "measure": measure if function == "count" else {**measure, "property": "price"}, **fields}


@pytest.mark.parametrize(
    ("tree", "users"),
    [
        (measured("average", "=", 5), ["a"]),
        (measured("average", "=", 10, where=[{"property": "price", "operator": "exists"}]), ["a"]),
        (measured("average", "=", 0), ["b"]),
        (measured("sum", "=", 0), ["b"]),
        (measured("sum", "<", 5), ["b"]),
        (measured("sum", "<", 5, include_zero=True), ["b", "c"]),
        (measured("sum", "=", 0.3, events=["View"]), ["b"]),
        (measured("minimum", "!=", 7), ["a"]),
        (measured("maximum", "<=", 10), ["a"]),
        (measured("distinct", "=", 0), ["b"]),
        (measured("distinct", "between", 0, 1, include_zero=True), ["a", "b", "c"]),
        (measured("count", "between", 0, 1, include_zero=True), ["b", "c"]),
        (measured("count", "between", 1, 2, include_zero=True), ["a", "b"]),
        (measured("count", "=", 0, include_zero=True), ["c"]),
        (measured("count", "!=", 2, include_zero=True), ["b", "c"]),
        (measured("count", "=", 3, events=["Buy", "View"]), ["b"]),
        (measured("count", ">=", 1, events=["Buy", "View"], match="all"), ["b"]),
        (measured("count", "=", 2, events=["Buy", "View"], match="all"), []),
        ({"kind": "not", "condition": {**DID, "events": ["Buy", "View"]}}, ["c"]),
        ({"kind": "not", "condition": {**DID, "events": ["Buy", "View"], "match": "all"}}, ["a", "c"]),
    ],
)  # fmt: skip
def test_measures_by_hand(account: Account, tree: dict[str, Any], users: list[str]) -> None:
    """An absent property is 0 in an average and nothing elsewhere; who did nothing is 0 only when asked."""
    account.ingest("profiles", [{"user_id": user} for user in "abc"])
    account.ingest("events", MIXED)
    assert ask(account, tree) == users


def test_what_is_received_later_is_not_known_yet(account: Account) -> None:
    """An event of 30 June that was received on 2 July is not in the answer of 1 July."""
    account.ingest("profiles", [{"user_id": "a"}])
    row = {"user_id": "a", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "at": "2026-07-02T12:00:00Z"}
    account.ingest("events", [row], recorded="at")
    assert ask(account, DID, NOW) == []
    assert ask(account, DID, NOW + timedelta(days=1)) == ["a"]
