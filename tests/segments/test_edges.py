"""The edges that random trees rarely meet, by hand, on both engines."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from accounts import NOW, SETTINGS, Account, make_account

from workbench.errors import NotFoundError
from workbench.segments import qualify
from workbench.segments.build import Expression, bucket, did, in_segment, prop, same, user
from workbench.segments.frames import compile_frame
from workbench.store import engine, salted
from workbench.store.frames import frames


def ask(account: Account, expression: Expression, as_of: datetime = NOW) -> list[str]:
    """The ids of the users; the engines agree."""
    workspace = account.workspace
    version = workspace.lake.at()
    scope, connection = workspace.scope(version), version.connect()
    users = dict(engine.rows(connection, "SELECT user_code, user_id FROM users"))
    segment = expression.named("asked")
    query = qualify.compiled(segment, as_of, scope)
    found = sorted(users[code] for code in qualify.qualified(query, connection)["user_code"])
    connection.close()
    lazy = compile_frame(segment, as_of, scope, frames(version)).collect()
    assert sorted(users[code] for code in lazy["user_code"]) == found
    return found


def ingest(account: Account, *rows: dict[str, Any]) -> None:
    """Ingest events, and a profile for each of their users."""
    account.ingest("events", [{"ts": NOW.isoformat(), **row} for row in rows])
    account.ingest("profiles", [{"user_id": name} for name in sorted({row["user_id"] for row in rows})])


def test_not_then_is_decided_when_its_time_has_run_out(account: Account) -> None:
    """Two hours after the view, to the microsecond; before that nobody knows."""
    viewed = NOW - timedelta(hours=5)
    ingest(
        account, {"user_id": "1", "event": "View", "ts": viewed.isoformat()}, {"user_id": "2", "event": "Buy"}
    )
    condition = did("View").not_then(did("Buy"), hours=2)
    end = viewed + timedelta(hours=2)
    assert ask(account, condition, end - timedelta(microseconds=1)) == []
    assert ask(account, condition, end) == ["1"]


def test_then_is_strictly_later_and_its_last_moment_counts(account: Account) -> None:
    """At the same instant is not then; exactly two hours later is in time, a microsecond more is not."""
    start = NOW - timedelta(hours=5)
    for number, later in enumerate(
        (timedelta(0), timedelta(microseconds=1), timedelta(hours=2), timedelta(hours=2, microseconds=1))
    ):
        ingest(
            account,
            {"user_id": str(number), "event": "View", "ts": start.isoformat()},
            {"user_id": str(number), "event": "Buy", "ts": (start + later).isoformat()},
        )
    assert ask(account, did("View").then(did("Buy"), hours=2)) == ["1", "2"]
    assert ask(account, did("View").not_then(did("Buy"), hours=2)) == ["0", "3"]


def test_a_tie_is_not_predominant(account: Account) -> None:
    """One against one is nobody's; both named, it is; an event without the property is no value."""
    ingest(
        account, {"user_id": "1", "event": "View", "kind": "hat"}, {"user_id": "1", "event": "View", "kind": "shoe"},
        {"user_id": "2", "event": "View", "kind": "hat"}, {"user_id": "2", "event": "View"}, {"user_id": "2", "event": "View"},
    )  # fmt: skip
    assert ask(account, did("View").predominantly("kind", "hat")) == ["2"]
    assert ask(account, did("View").predominantly("kind", "hat", "shoe")) == ["1", "2"]
    assert ask(account, did("View").mostly("kind", "hat", percent=50)) == ["1"]
    assert ask(account, did("View").mostly("kind", "hat", percent=33.3)) == ["1", "2"]


def test_an_average_keeps_events_without_the_property(account: Account) -> None:
    """10 and nothing are 5; an exists filter drops the second."""
    ingest(account, {"user_id": "1", "event": "Buy", "price": 10}, {"user_id": "1", "event": "Buy"})
    assert ask(account, did("Buy").average("price").equals(5)) == ["1"]
    assert ask(account, did("Buy").where(prop("price").exists()).average("price").equals(10)) == ["1"]


def test_every_user_is_in_one_bucket(account: Account) -> None:
    """The thousand buckets part the users, as the documented hash says."""
    names = [f"u{n}" for n in range(300)]
    ingest(account, *({"user_id": name, "event": "Buy"} for name in names))
    wanted = {name: int(salted.key("test-salt/bucket", name), 16) * 1000 // 2**32 for name in names}
    for first, last in ((0, 0), (0, 249), (250, 499), (500, 999), (999, 999), (137, 137)):
        inside = sorted(name for name, number in wanted.items() if first <= number <= last)
        assert ask(account, bucket(first, last)) == inside


@pytest.mark.parametrize(("days", "users"), [(-1, []), (0, ["1"]), (1, ["1"])])
def test_a_profile_counts_from_its_own_time(account: Account, days: int, users: list[str]) -> None:
    """A version that is valid from tomorrow is not there today, though it is recorded."""
    row = {"user_id": "1", "plan": "pro", "since": NOW.isoformat()}
    account.ingest("profiles", [row], ts="since", recorded="now", now=NOW - timedelta(days=9))
    assert ask(account, user("plan") == "pro", NOW + timedelta(days=days)) == users


def test_a_share_is_exact(account: Account) -> None:
    """161 of 1,000 are 16.1 %, though 16.1 times 1,000 is a little more than 16,100."""
    ingest(
        account,
        *({"user_id": "1", "event": "View", "kind": "hat" if n < 161 else "shoe"} for n in range(1000)),
    )
    assert ask(account, did("View").mostly("kind", "hat", percent=16.1)) == ["1"]
    assert ask(account, did("View").mostly("kind", "hat", percent=16.1001)) == []


def test_a_sum_is_compared_as_it_is_written(account: Account) -> None:
    """Large sums, small ones, and tenths that add up."""
    ingest(
        account, *({"user_id": "1", "event": "Buy", "price": 1_234_567.1} for _ in range(1000)),
        *({"user_id": "2", "event": "Buy", "price": price} for price in (0.1, 0.2)),
        {"user_id": "3", "event": "Buy", "price": 0.0000004},
    )  # fmt: skip
    assert ask(account, did("Buy").sum("price").equals(1_234_567_100)) == ["1"]
    assert ask(account, did("Buy").sum("price") > 1_234_567_100) == []
    assert ask(account, did("Buy").sum("price") > 1_234_567_099.99) == ["1"]
    assert ask(account, did("Buy").sum("price") >= 1_234_567_100.01) == []
    assert ask(account, did("Buy").sum("price") >= 0.3) == ["1", "2"]
    assert ask(account, did("Buy").sum("price") != 0.3) == ["1", "3"]
    assert ask(account, did("Buy").sum("price") > 0) == ["1", "2", "3"]
    assert ask(account, did("Buy").sum("price").between(0.0000004, 0.3)) == ["2", "3"]


def test_the_content_gets_the_values_of_its_own_segment(account: Account) -> None:
    """A constant property inside another segment has the same name and other values."""
    ingest(
        account, {"user_id": "1", "event": "View", "sku": "viewed"}, {"user_id": "1", "event": "Buy", "sku": "bought"},
        {"user_id": "2", "event": "View", "sku": "viewed"},
    )  # fmt: skip
    workspace = account.workspace
    scope = workspace.scope(workspace.lake.at())
    workspace.segments.save(same(did("Buy").by("sku")).named("inner"), scope, now=NOW)
    expression = same(did("View").by("sku")) & in_segment("inner")
    assert ask(account, expression) == ["1"]
    connection = workspace.lake.at().connect()
    query = qualify.compiled(expression.named("asked"), NOW, scope)
    assert qualify.matched(query, connection, "sku")["values"].to_list() == [["viewed"]]
    connection.close()
    with pytest.raises(NotFoundError, match='no constant property "skus"'):
        qualify.matched(query, connection, "skus")


def test_hours_and_days_of_the_account_come_from_one_database(tmp_path: Path) -> None:
    """In every zone an event just after midnight is on that date, at that hour, on that weekday."""
    for number, zone in enumerate(
        ("America/Vancouver", "Africa/Casablanca", "Asia/Kathmandu", "Australia/Lord_Howe")
    ):
        account = make_account(tmp_path / str(number), SETTINGS.replace("America/New_York", zone))
        for day in ("2026-03-08", "2026-10-15", "2026-12-15"):
            midnight = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=ZoneInfo(zone))
            ts = midnight.astimezone(UTC).isoformat()
            ingest(account, {"user_id": day, "event": "Buy", "ts": ts})
            weekday = midnight.strftime("%A").lower()
            at = midnight + timedelta(days=1)
            condition = did("Buy").on(day).at_hours("00:00", "00:01").on_weekdays(weekday)  # type: ignore[arg-type]
            assert ask(account, condition, at) == [day], (zone, day)


def test_the_pinned_time_zones_decide() -> None:
    """Python's zones are those of the tzdata package, and DuckDB's agree with them in the common zones, now and next year."""
    assert zoneinfo.TZPATH == ()
    connection = engine.connect()
    for zone in (
        "America/New_York",
        "America/Vancouver",
        "Europe/Berlin",
        "Asia/Kolkata",
        "Australia/Sydney",
        "Africa/Casablanca",
    ):
        for month in range(1, 25):
            at = datetime(2026 + month // 13, (month - 1) % 12 + 1, 15, 12, tzinfo=UTC)
            ((there,),) = engine.rows(connection, "SELECT timezone($zone, $at)", {"zone": zone, "at": at})
            assert there == at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), (zone, at)
    connection.close()
