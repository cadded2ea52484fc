"""Yesterday's question, asked today, has yesterday's answer."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from accounts import NOW, Account

from workbench.segments import codec, qualify
from workbench.segments.frames import compile_frame
from workbench.store import engine
from workbench.store.frames import frames
from workbench.store.ingest import import_list

YESTERDAY, TODAY = NOW - timedelta(days=1), NOW
QUESTIONS: dict[str, dict[str, Any]] = {
    "an event that arrived late": {"kind": "did", "events": ["Buy"]},
    "a profile that changed": {"kind": "user", "predicate": {"property": "plan", "operator": "=", "values": ["pro"]}},
    "a consent that was withdrawn": {"kind": "user", "predicate": {"property": "unsubscribed", "operator": "=", "values": [False]}},
    "a device that was updated": {"kind": "device", "where": [{"property": "app_version", "operator": ">=", "values": ["2.10"]}]},
    "a list that was imported again": {"kind": "list", "list": "vips"},
    "a user who was not there": {"kind": "user", "predicate": {"property": "user_id", "operator": "exists"}},
    "the first time": {"kind": "milestone", "which": "first", "events": ["Buy"], "window": {"kind": "last", "count": 2}},
    "not followed yet": {"kind": "sequence", "first": {"events": ["View"]}, "then": {"events": ["Buy"]}, "followed": False,
                         "within": {"count": 6, "unit": "hours"}},
}  # fmt: skip


def record(account: Account, at: datetime, plan: str, version: str, members: str, *, gone: bool) -> None:
    """Bring one day's rows, recorded on that day."""
    account.ingest("profiles", [
        {"user_id": "01", "plan": plan, "unsubscribed": gone}, {"user_id": "02", "plan": "free", "unsubscribed": False},
    ], recorded="now", now=at)  # fmt: skip
    account.ingest(
        "devices", [{"user_id": "01", "device_id": "d", "app_version": version}], recorded="now", now=at
    )
    (account.home / "vips.csv").write_text(f"user_id\n{members}\n", encoding="utf-8")
    workspace = account.workspace
    import_list(workspace.lake, workspace.settings, "vips", str(account.home / "vips.csv"), now=at)


def answers(account: Account, as_of: datetime) -> dict[str, list[str]]:
    """Ask every question of both engines, which agree."""
    workspace = account.workspace
    version = workspace.lake.at()
    scope, connection = workspace.scope(version), version.connect()
    users = dict(engine.rows(connection, "SELECT user_code, user_id FROM users"))
    found = {}
    for name, tree in QUESTIONS.items():
        segment = codec.from_json({"name": "s", "condition": tree})
        query = qualify.compiled(segment, as_of, scope)
        by_sql = sorted(users[code] for code in qualify.qualified(query, connection)["user_code"])
        lazy = compile_frame(segment, as_of, scope, frames(version)).collect()
        assert sorted(users[code] for code in lazy["user_code"]) == by_sql
        found[name] = by_sql
    connection.close()
    return found


@pytest.fixture
def yesterday(account: Account) -> Account:
    """What was known yesterday at noon."""
    record(account, YESTERDAY - timedelta(hours=2), "pro", "2.9.0", "01", gone=False)
    view = {"user_id": "01", "event": "View", "ts": (YESTERDAY - timedelta(hours=3)).isoformat()}
    old = {"user_id": "02", "event": "Buy", "ts": (YESTERDAY - timedelta(days=9)).isoformat()}
    account.ingest("events", [view, old], recorded="now", now=YESTERDAY - timedelta(hours=1))
    return account


def test_what_was_recorded_since_changes_no_old_answer(yesterday: Account) -> None:
    """Every kind of row changes overnight; asked as of yesterday all answers stay, as of now all have moved."""
    before = answers(yesterday, YESTERDAY)
    assert before == {
        "an event that arrived late": ["02"], "a profile that changed": ["01"],
        "a consent that was withdrawn": ["01", "02"], "a device that was updated": [],
        "a list that was imported again": ["01"], "a user who was not there": ["01", "02"],
        "the first time": [], "not followed yet": [],
    }  # fmt: skip
    late = {"user_id": "01", "event": "Buy", "ts": (YESTERDAY - timedelta(hours=12)).isoformat()}
    yesterday.ingest("events", [late], recorded="now", now=TODAY - timedelta(hours=1))
    record(yesterday, TODAY - timedelta(hours=1), "free", "2.10.0", "02", gone=True)
    yesterday.ingest("profiles", [{"user_id": "03"}], recorded="now", now=TODAY - timedelta(hours=1))
    assert answers(yesterday, YESTERDAY) == before
    assert answers(yesterday, TODAY) == {
        "an event that arrived late": ["01", "02"], "a profile that changed": [],
        "a consent that was withdrawn": ["02"], "a device that was updated": ["01"],
        "a list that was imported again": ["02"], "a user who was not there": ["01", "02", "03"],
        "the first time": ["01"], "not followed yet": ["01"],
    }  # fmt: skip


def test_history_in_bulk_is_labelled(account: Account) -> None:
    """Rows that carry no time of arrival count as recorded at their own time, and the lake says so."""
    account.ingest("profiles", [{"user_id": "01"}], recorded="now", now=YESTERDAY)
    assert not account.workspace.lake.at().reconstructed
    account.ingest(
        "events", [{"user_id": "01", "event": "Buy", "ts": YESTERDAY.isoformat()}], recorded="history"
    )
    assert account.workspace.lake.at().reconstructed
