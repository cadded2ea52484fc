"""The commands asked before a send, as text and as JSON."""

import json

import pytest
from accounts import Account, people
from command_line import Run

CONFIG = ("--as-of", "2026-07-01T12:00:00Z")


@pytest.fixture
def goal(account: Account) -> Account:
    """1,000 visitors of the 15th, 100 of whom bought for 20 on the 26th; 10 % control, a week's goal."""
    rows = [
        {"user_id": f"{n:05d}", "event": "Visit", "ts": "2026-06-15T12:00:00Z", "price": None}
        for n in range(1000)
    ]
    rows += [
        {"user_id": f"{n:05d}", "event": "Purchase", "ts": "2026-06-26T12:00:00Z", "price": 20} for n in range(100)
    ]  # fmt: skip
    account.ingest("profiles", people(1000), recorded="history")
    account.ingest("events", rows, recorded="history")
    account.save_segment("visitors", {"kind": "did", "events": ["Visit"]})
    wanted = {"event": "Purchase", "within_minutes": 10080, "revenue": "price"}
    account.save_campaign("hello", "visitors", goal=wanted, control={"share": 0.1})
    return account


def test_power_prints_baseline_lifts_and_cost(run: Run, goal: Account) -> None:
    """One row a share of control; where there is no lift, the words for it."""
    config = (*CONFIG, "-c", goal.config)
    found = json.loads(run("campaign", "power", "hello", "--json", "--lift", "0.5", *config).out)
    base = found["baseline"]
    assert (base["start"], base["users"], base["converted"], base["rate"], base["revenue"]) == (
        "2026-06-24T12:00:00Z", 1000, 100, 0.1, 2000.0,
    )  # fmt: skip
    assert [item["share"] for item in found["options"]] == [0.02, 0.05, 0.1, 0.2, 0.5]
    assert [item["chosen"] for item in found["options"]] == [False, False, True, False, False]
    assert found["options"][0]["why"] == (
        "too few control users: 20 give 2 expected conversions, and 5 are needed"
    )
    assert found["options"][4]["absolute"] == pytest.approx(0.0587, abs=0.001)
    assert (found["options"][4]["conversions"], found["options"][4]["revenue"]) == (25.0, 500.0)
    assert found["cost"]["lift_is"] == "50.0% of the baseline"
    text = run("campaign", "power", "hello", *config).out
    assert 'hello: did "Purchase" within 7 days of the send, revenue from price' in text
    assert "baseline 10.0 %: 100 of 1,000 users" in text
    assert "95 % interval 8.3 % to 12.0 %, Wilson" in text
    assert "10 % *" in text
    assert "  2 %: too few control users: 20 give 2 expected conversions, and 5 are needed" in text
    assert "would be found in 4 of 5 such campaigns" in text


def test_numbers_are_whole_in_a_narrow_terminal(
    run: Run, goal: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 columns hold the revenue of 50 %."""
    monkeypatch.setenv("COLUMNS", "80")
    text = run("campaign", "power", "hello", "--lift", "5", *CONFIG, "-c", goal.config).out
    assert "5,000.00" in text
    assert "…" not in text
    assert max(len(line) for line in text.splitlines() if "5,000.00" in line) <= 80


def test_balance_prints_the_arms_without_a_person(run: Run, goal: Account) -> None:
    """The country of everyone, and who has an address."""
    config = (*CONFIG, "-c", goal.config)
    found = json.loads(run("campaign", "balance", "hello", "--json", *config).out)
    assert found["target"] + found["control"] == 1000
    assert [(row["attribute"], row["level"], row["smd"]) for row in found["rows"]] == [
        ("country", "US", 0), ("email", "missing", 0), ("unsubscribed", "true", 0),
    ]  # fmt: skip
    text = run("campaign", "balance", "hello", *config).out
    assert "0 of 3 comparisons differ by more than 0.1 standard deviations" in text
    assert "100.0 %" in text
    assert "nobody has: birth_date" in text
    assert "@" not in text


def test_what_cannot_be_asked_is_said(run: Run, goal: Account) -> None:
    """No goal, a wrong lift, an unknown campaign: one line and exit code 3."""
    goal.save_campaign("plain", "visitors", control={"share": 0.1})
    config = (*CONFIG, "-c", goal.config)
    plain = run("campaign", "power", "plain", *config)
    assert (plain.code, 'campaign "plain" has no goal' in plain.err) == (3, True)
    lift = run("campaign", "power", "hello", "--lift", "-1", *config)
    assert (lift.code, "lift -1 is outside 0 to 100" in lift.err) == (3, True)
    unknown = run("campaign", "balance", "helo", *config)
    assert (unknown.code, 'Did you mean "hello"?' in unknown.err) == (3, True)


def test_a_plan_says_what_it_could_find_out(run: Run, goal: Account) -> None:
    """The options of a plan are those of its own verdicts; without a goal there are none."""
    config = ("--as-of", "2026-07-01T12:00:00Z", "-c", goal.config)
    planned = json.loads(run("plan", "hello", "--json", *config).out)
    asked = json.loads(run("campaign", "power", "hello", "--json", *config).out)
    assert planned["power"]["options"] == asked["options"]
    assert [item["share"] for item in planned["power"]["options"]] == [0.02, 0.05, 0.1, 0.2, 0.5]
    assert 'What it could find out: did "Purchase" within 7 days' in run("plan", "hello", *config).out
    goal.save_campaign("aimless", "visitors")
    assert json.loads(run("plan", "aimless", "--json", *config).out)["power"] is None
