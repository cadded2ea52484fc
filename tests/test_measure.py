"""Power and balance of a saved campaign, from the data to the answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from accounts import NOW, Account, make_account, people

from workbench import measure, runs
from workbench.errors import InputError, NotFoundError

GOAL = {"event": "Purchase", "within_minutes": 10080, "revenue": "price"}
WINDOW = datetime(2026, 6, 24, 12, tzinfo=UTC)


def event(user: int, name: str, ts: datetime, **properties: Any) -> dict[str, Any]:
    """An event of the user of a number."""
    return {"user_id": f"{user:05d}", "event": name, "ts": ts.isoformat(), **properties}


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """1,200 visitors, 200 of them only since the window began; 100 of the first 1,000 bought within it for 20."""
    account = make_account(tmp_path_factory.mktemp("measure") / "home")
    early, late = WINDOW - timedelta(days=9), WINDOW + timedelta(days=2)
    rows = [event(n, "Visit", early if n < 1000 else late) for n in range(1200)]
    rows += [event(n, "Purchase", late, price=20) for n in range(100)]
    rows += [event(n, "Purchase", early, price=500) for n in range(100, 200)]
    rows += [event(n, "Purchase", late, price=500) for n in range(1000, 1100)]
    account.ingest("profiles", people(1200), recorded="history")
    account.ingest("events", rows, recorded="history")
    account.save_segment("visitors", {"kind": "did", "events": ["Visit"]})
    account.save_campaign("hello", "visitors", goal=GOAL, control={"share": 0.1})
    return account


def test_the_baseline_follows_those_who_were_in_the_segment_when_the_window_began(visited: Account) -> None:
    """Who came since, and what was bought before, is not counted: 100 of 1,000, and 20 for each."""
    found = measure.power(visited.workspace, "hello", as_of=NOW)
    base = found.baseline
    assert (base.start, base.end, base.rate) == (WINDOW, NOW, 0.1)
    assert base.total is not None
    assert (base.total.users, base.total.converted, base.total.revenue) == (1000, 100, 2000)
    assert found.goal == 'did "Purchase" within 7 days of the send, revenue from price'


def test_the_chosen_arms_are_those_of_the_plan(visited: Account) -> None:
    """The users whom a run at the instant would send to and hold out."""
    found = measure.power(visited.workspace, "hello", as_of=NOW)
    users = dict(
        runs.plan(visited.workspace, "hello", as_of=NOW, now=NOW)
        .waterfall.select("verdict", "users").iter_rows()
    )  # fmt: skip
    assert (found.chosen.target, found.chosen.control) == (users["send"], users["holdout"])
    assert (found.able, found.chosen.fewer) == (1200, users["holdout"])
    assert found.chosen.found.absolute == pytest.approx(0.1, abs=0.02)
    assert found.chosen.revenue == pytest.approx(20 * (found.chosen.conversions or 0))


def test_a_cap_counts_all_who_can_be_sent_to(visited: Account) -> None:
    """500 places of 1,200: holding out costs nothing."""
    visited.save_campaign("capped", "visitors", goal=GOAL, control={"share": 0.1}, cap={"per_run": 500})
    found = measure.power(visited.workspace, "capped", as_of=NOW)
    assert (found.able, found.cap, found.chosen.target, found.chosen.fewer) == (1200, 500, 500, 0)
    assert [item.fewer for item in found.options] == [0, 0, 0, 0, 0]


def test_no_baseline_is_said_in_words(visited: Account) -> None:
    """Events that begin after the window did, and a lake that ends before it began."""
    early = measure.power(visited.workspace, "hello", as_of=WINDOW - timedelta(days=3))
    assert early.baseline.why == "the events begin on 2026-06-15 12:00 UTC, after the window did"
    assert early.chosen.found.why == "no baseline"
    assert early.summary.endswith(f"cannot be said: {early.baseline.why}")
    stale = measure.power(visited.workspace, "hello", as_of=NOW + timedelta(days=30))
    assert stale.baseline.why == "the newest event is of 2026-06-26 12:00 UTC, before the window began"
    assert (stale.lift, stale.chosen.conversions) == (None, None)


def test_a_segment_of_fixed_dates_may_not_be_there_a_window_ago(visited: Account) -> None:
    """A window that starts on the 25th cannot be asked as of the 24th."""
    since = {"kind": "did", "events": ["Visit"], "window": {"kind": "dates", "first": "2026-06-25"}}
    visited.save_segment("since", since)
    visited.save_campaign("since", "since", goal=GOAL, control={"share": 0.1})
    found = measure.power(visited.workspace, "since", as_of=NOW)
    assert (found.baseline.why or "").startswith("the segment cannot be asked then (")
    assert found.able == 200


def test_what_cannot_be_asked_is_refused(visited: Account) -> None:
    """No goal, no such campaign, no lift, a future instant."""
    visited.save_campaign("plain", "visitors")
    with pytest.raises(InputError, match='campaign "plain" has no goal'):
        measure.power(visited.workspace, "plain", as_of=NOW)
    with pytest.raises(NotFoundError, match='Did you mean "hello"'):
        measure.power(visited.workspace, "helo", as_of=NOW)
    for lift in (0, -0.1, float("nan"), float("inf"), 101):
        with pytest.raises(InputError, match="outside 0 to 100"):
            measure.power(visited.workspace, "hello", as_of=NOW, lift=lift)


def test_balance_compares_all_who_qualify(visited: Account) -> None:
    """Target and control are the assigned arms, add up to the qualified, and hold no address."""
    found = measure.balance(visited.workspace, "hello", as_of=NOW)
    assert (found.target + found.control, found.why) == (1200, None)
    assert 80 < found.control < 160
    assert found.rows.select("attribute", "level", "target", "control", "smd").rows() == [
        ("country", "US", 1.0, 1.0, 0.0), ("email", "missing", 0.0, 0.0, 0.0),
        ("unsubscribed", "true", 0.0, 0.0, 0.0),
    ]  # fmt: skip
    assert "birth_date" in found.empty
    assert "@" not in repr(found)


def test_without_two_arms_there_is_nothing_to_compare(visited: Account) -> None:
    """No control group, and a segment of nobody, are said in words."""
    visited.save_campaign("open", "visitors")
    assert (
        measure.balance(visited.workspace, "open", as_of=NOW).summary
        == "nothing to compare: no control users"
    )
    early = measure.balance(visited.workspace, "hello", as_of=WINDOW - timedelta(days=30))
    assert (early.why, early.rows.height, early.target) == ("nobody is in the segment", 0, 0)
