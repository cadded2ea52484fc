"""The safety check: nobody is sent to, the run is recorded, and its occurrence stays blocked."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import NOW, Account, people, purchases

from workbench import runs
from workbench.campaigns.model import SafetyCheck
from workbench.campaigns.safety import blocks
from workbench.errors import CampaignError
from workbench.export.ledger import RunState
from workbench.export.sandbox import Receiver, report
from workbench.widgets.preview import Preview, Question

TELL = {"alert_to": ["json://127.0.0.1:9/"]}


def guarded(account: Account, campaign: str = "safe", **check: Any) -> None:
    """Save a campaign with a safety check and a control group of a tenth."""
    account.save_campaign(campaign, "buyers", control={"share": 0.1}, safety_check=check, **TELL)


@pytest.mark.parametrize(
    ("check", "qualified", "previous", "blocked"),
    [
        ({"more_than": 500}, 500, None, False),
        ({"more_than": 500}, 501, None, True),
        ({"fewer_than": 500}, 500, None, False),
        ({"fewer_than": 500}, 499, None, True),
        ({"fewer_than": 1}, 0, None, True),
        ({"more_than": 0}, 1, None, True),
        ({"more_than": 9, "fewer_than": 5}, 7, None, False),
        ({"change": 0.5}, 10_000, None, False),
        ({"change": 0.5}, 150, 100, False),
        ({"change": 0.5}, 151, 100, True),
        ({"change": 0.5}, 50, 100, False),
        ({"change": 0.5}, 49, 100, True),
        ({"change": 0.57}, 157, 100, False),
        ({"change": 0.5}, 1, 0, True),
        ({"change": 0.5}, 0, 0, False),
        ({"more_than": 5, "change": 0.5}, 6, 6, True),
    ],
)
def test_the_thresholds_themselves_are_allowed(
    check: dict[str, Any], qualified: int, previous: int | None, blocked: bool
) -> None:
    """Strictly more, strictly fewer, further away; a first run has nothing to compare with."""
    assert (blocks(SafetyCheck(**check), qualified, previous) is not None) == blocked


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({}, "safety_check: has no threshold"),
        ({"more_than": -1}, "safety_check > more_than: -1 is below 0"),
        ({"fewer_than": 0}, "safety_check > fewer_than: 0 is below 1"),
        ({"more_than": 5, "fewer_than": 6}, "safety_check: blocks every run"),
        ({"change": float("nan")}, "safety_check > change: nan is not a finite number"),
        ({"change": float("inf")}, "safety_check > change: inf is not a finite number"),
        ({"change": 0}, "safety_check > change: 0 is not a share above 0"),
        ({"change": -0.5}, "safety_check > change: -0.5 is not a share above 0"),
        ({"more_than": float("nan")}, "safety_check > more_than"),
    ],
)
def test_a_check_that_cannot_work_is_refused(shop: Account, check: dict[str, Any], message: str) -> None:
    """No threshold, one that always or never blocks, no number."""
    with pytest.raises(CampaignError) as caught:
        guarded(shop, **check)
    assert message in str(caught.value)


def test_a_check_without_an_address_is_refused(shop: Account) -> None:
    """A run that stops and tells nobody would be found out by chance."""
    with pytest.raises(CampaignError, match="alert_to: is empty, and a safety check without an address"):
        shop.save_campaign("safe", "buyers", safety_check={"more_than": 500})


def test_a_blocked_run_sends_nobody_and_is_recorded(shop: Account) -> None:
    """1,000 qualify, 999 are allowed: one verdict for all of both arms, no key needed, no request frozen."""
    guarded(shop, more_than=999)
    plan = runs.plan(shop.workspace, "safe", as_of=NOW)
    assert (plan.to_send, plan.blocked) == (0, "1,000 users qualify, more than 999")
    receipt = runs.execute(shop.workspace, plan)
    assert (receipt.sent_now, receipt.run.state) == (0, RunState.BLOCKED)
    assert receipt.run.state == "blocked by safety check"
    assert (receipt.run.qualified, receipt.run.note) == (1000, "1,000 users qualify, more than 999")
    assert receipt.waterfall.select("verdict", "reason", "arm", "held_by").rows() == [
        ("not sent", "safety check", "target", None), ("not sent", "safety check", "control", "campaign"),
    ]  # fmt: skip
    assert receipt.waterfall["users"].sum() == 1000
    audience = pl.read_parquet(shop.workspace.settings.directory / receipt.run.audience_path)
    assert audience["reason"].unique().to_list() == ["safety check"]
    assert shop.workspace.ledger.requests(receipt.run.run_id) == []


def test_a_blocked_occurrence_stays_blocked(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Neither a resume nor a send of the same occurrence sends, also after the threshold was lifted."""
    guarded(shop, more_than=999)
    run = runs.execute(shop.workspace, runs.plan(shop.workspace, "safe", as_of=NOW)).run
    guarded(shop, more_than=5000)
    again = runs.plan(shop.workspace, "safe", as_of=NOW)
    assert again.blocked is None
    for receipt in (runs.execute(shop.workspace, again), runs.resume(shop.workspace, run.run_id)):
        assert (receipt.run, receipt.sent_now, receipt.was_complete) == (run, 0, False)
    assert report(tmp_path / "sandbox").requests == 0


def test_the_next_occurrence_is_asked_again(shop: Account, receiver: Receiver) -> None:
    """A series stays active; a blocked run is not what the next one is compared with."""
    guarded(shop, change=0.5)
    folder = []
    for day, users in ((2, 1000), (3, 1600), (4, 1600), (5, 1400)):
        if users == 1600 and day == 3:
            shop.ingest("profiles", people(1600)[1000:])
            shop.ingest("events", purchases(1600)[1000:])
        if users == 1400:
            gone = [{"user_id": f"{n:05d}", "country": "NO"} for n in range(200)]
            shop.ingest("profiles", gone, now=NOW, recorded="now")
            condition = {
                "kind": "all",
                "conditions": [
                    {"kind": "did", "events": ["Purchase"], "window": {"kind": "last", "count": 7}},
                    {"kind": "user", "predicate": {"property": "country", "operator": "=", "values": ["US"]}},
                ],
            }
            shop.save_segment("buyers", condition)
            guarded(shop, change=0.5)
        occurrence = datetime(2026, 7, day, tzinfo=UTC)
        plan = runs.plan(shop.workspace, "safe", occurrence=occurrence, as_of=NOW)
        assert plan.qualified == users
        folder.append(runs.execute(shop.workspace, plan).run.state)
    assert folder == [RunState.COMPLETED, RunState.BLOCKED, RunState.BLOCKED, RunState.COMPLETED]


def test_the_panel_says_that_the_check_blocks(shop: Account) -> None:
    """Its numbers are those of a plan: nobody is sent to, and it says why."""
    guarded(shop, more_than=999)
    found = Preview(shop.workspace, clock=lambda: NOW)(Question(campaign="safe", as_of=NOW))
    assert (found.qualified, found.sent, found.blocked) == (1000, 0, "1,000 users qualify, more than 999")
