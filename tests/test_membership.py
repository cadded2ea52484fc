"""An audience that a campaign keeps: who enters, who leaves, and what the receiver has of it after each run."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import SETTINGS
from audiences import ATTRIBUTE, KEEPS, club, day, gold, inside, kept, planned, sent, stands, why
from command_line import Run as Command

from workbench import display, lookup, proof, runs, trial
from workbench.campaigns import control
from workbench.campaigns.membership import HELD_OUT, NO_IDENTITY, NOT_QUALIFIED, SHARED, TOO_LARGE
from workbench.errors import CampaignError
from workbench.export import leaving
from workbench.export.ledger import Kind, RequestState, RunState
from workbench.export.sandbox import Receiver, accepted, report
from workbench.runs import Plan, Receipt


def leaves(folder: Path) -> list[dict[str, Any]]:
    """The batches without an event, in their order."""
    return [batch for batch in accepted(folder) if not batch["events"]]


@pytest.mark.parametrize(
    ("how", "afterwards"),
    [
        ("set false", {"000": False, "001": True, "002": False, "003": True}),
        ("delete", {"001": True, "003": True}),
    ],
)
def test_four_occurrences(tmp_path: Path, receiver: Receiver, how: str, afterwards: dict[str, bool]) -> None:
    """Enter, leave, enter again, leave again: after each run the receiver has those who qualify."""
    account = club(tmp_path, [0, 1, 2], membership={"attribute": ATTRIBUTE, "leaving": how})
    folder = tmp_path / "sandbox"
    for number, qualify in enumerate([[0, 1, 2], [1, 2, 3], [0, 1, 3], [1, 3]]):
        gold(account, qualify, number)
        receipt = sent(account, number)
        assert receipt.run.state is RunState.COMPLETED
        assert inside(folder) == set(qualify)
        assert receipt.sent_now == len(qualify) == sum(receipt.users.values())
    assert kept(folder) == afterwards
    assert [stands(account, run.run_id, Kind.LEAVE) for run in account.workspace.ledger.newest()] == [
        {"accepted": 1}, {"accepted": 1}, {"accepted": 1}, {},
    ]  # fmt: skip
    assert report(folder).without_event == 3
    assert report(folder).warnings == ()
    assert all(proof.verify(account.workspace, run.run_id).holds for run in account.workspace.ledger.newest())


def test_what_a_leave_looks_like(tmp_path: Path, receiver: Receiver) -> None:
    """Identities and the attribute, no event, in a request of its own behind the messages."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    run = sent(account, 1).run
    assert leaves(tmp_path / "sandbox") == [
        {
            "environment": "development", "source_request_id": leaving.request_id(run.run_id, "000"),
            "user_identities": {"customer_id": "000", "email": "user0@example.com"},
            "user_attributes": {"in_winback": False}, "events": [],
        }
    ]  # fmt: skip
    requests = account.workspace.ledger.requests(run.run_id)
    assert [(item.number, item.kind, item.users, item.batches) for item in requests] == [
        (1, Kind.MESSAGE, 1, 1), (2, Kind.LEAVE, 1, 1),
    ]  # fmt: skip
    messages = list(accepted(tmp_path / "sandbox", run.run_id))
    assert [batch["user_attributes"] for batch in messages] == [{"in_winback": True}]


def test_a_leave_is_one_batch_whatever_the_devices(tmp_path: Path, receiver: Receiver) -> None:
    """Two tokens are two messages, each with the attribute, and one leave without a token."""
    account = club(tmp_path, [0, 1])
    devices = [{"user_id": "000", "device_id": d, "push_token": f"t{d}", "platform": "iOS"} for d in "12"]
    account.ingest("devices", devices, now=day(0))
    account.save_campaign("club", "gold", membership=KEEPS, content={"push_tokens": True})
    sent(account, 0)
    said = [(batch["user_attributes"], "device_info" in batch) for batch in accepted(tmp_path / "sandbox")]
    assert said == [({ATTRIBUTE: True}, True), ({ATTRIBUTE: True}, True), ({ATTRIBUTE: True}, False)]
    gold(account, [1], 1)
    run = sent(account, 1).run
    assert [sorted(batch) for batch in leaves(tmp_path / "sandbox")] == [
        ["environment", "events", "source_request_id", "user_attributes", "user_identities"]
    ]
    assert stands(account, run.run_id, Kind.LEAVE) == {"accepted": 1}


def test_keep_takes_nobody_out(tmp_path: Path, receiver: Receiver) -> None:
    """Until another version of the campaign does: it knows who has entered."""
    account = club(tmp_path, [0, 1], membership={"attribute": ATTRIBUTE, "leaving": "keep"})
    sent(account, 0)
    gold(account, [1], 1)
    sent(account, 1)
    assert inside(tmp_path / "sandbox") == {0, 1}
    account.save_campaign("club", "gold", membership=KEEPS)
    sent(account, 2)
    assert inside(tmp_path / "sandbox") == {1}


def test_a_campaign_without_an_audience_has_no_leaving(tmp_path: Path, receiver: Receiver) -> None:
    """Runs from before it kept one have set no attribute: nobody has entered by them."""
    account = club(tmp_path, [0, 1], membership=None)
    assert planned(account, 0).leaving is None
    assert planned(account, 0).seen is None
    run = sent(account, 0).run
    assert (run.membership, run.leaving_digest, run.leaving) == (None, None, 0)
    account.save_campaign("club", "gold", membership=KEEPS)
    gold(account, [], 1)
    assert why(planned(account, 1)) == {}


def test_whoever_is_merely_not_sent_to_stays(tmp_path: Path, receiver: Receiver) -> None:
    """The cap, a frequency cap, unsubscribed and unreachable users who still qualify."""
    account = club(tmp_path, range(6), frequency={"up_to": 1})
    sent(account, 0)
    assert inside(tmp_path / "sandbox") == set(range(6))
    account.save_campaign("club", "gold", membership=KEEPS, cap={"per_run": 1})
    gold(account, range(6), 1, unsubscribed={1: True})
    plan = planned(account, 1)
    assert plan.to_send == 1
    assert why(plan) == {}
    account.save_campaign("club", "gold", membership=KEEPS, frequency={"up_to": 1})
    plan = planned(account, 2)
    assert (plan.to_send, why(plan)) == (0, {})
    account.save_campaign("club", "gold", membership=KEEPS)
    gold(account, range(6), 3, email={3: "user4@example.com"})
    plan = planned(account, 3)
    assert plan.verdicts["reason"].to_list().count("duplicate identity") == 1
    assert why(plan) == {}


def test_whoever_is_held_out_since_leaves(tmp_path: Path, receiver: Receiver) -> None:
    """A system group drawn since takes its members out, and who has the address of one."""
    account = club(tmp_path, range(40), of=40)
    sent(account, 0)
    account.workspace.groups.add("system", 0.05, salt="s1", now=day(1))
    plan = planned(account, 1)
    out = set(plan.verdicts.filter(pl.col("arm") == "control")["user_code"])
    assert out
    assert why(plan) == dict.fromkeys(sorted(out), (HELD_OUT, None))
    run = sent(account, 1).run
    assert inside(tmp_path / "sandbox") == set(range(40)) - out
    assert proof.leaks(account.workspace, run.run_id).rows.is_empty()


def test_the_address_of_a_held_out_user_leaves(tmp_path: Path, receiver: Receiver) -> None:
    """Whoever shares an address with somebody held out leaves too, though the other never was in the audience."""
    held = {n for n in range(60) if control.key("s1", f"{n:03d}") < "0ccccccd"}
    never, partner = min(held), min(set(range(60)) - held)
    account = club(tmp_path, set(range(60)) - held, of=60)
    sent(account, 0)
    assert inside(tmp_path / "sandbox") == set(range(60)) - held
    account.workspace.groups.add("system", 0.05, salt="s1", now=day(1))
    gold(account, set(range(60)) - held, 1, of=60, email={never: f"USER{partner}@example.com"})
    plan = planned(account, 1)
    assert plan.qualified == 60 - len(held)
    assert why(plan) == {partner: (HELD_OUT, None)}


def test_whoever_cannot_be_told_is_counted(tmp_path: Path, receiver: Receiver) -> None:
    """Without an identity, or with the address of somebody who stays or enters: not taken out, and said."""
    text = SETTINGS.replace('customer_id = "user_id"\n', "")
    account = club(tmp_path, [0, 1, 2, 3, 4, 6], of=7, text=text)
    sent(account, 0)
    changed = {2: " ", 3: "USER1@Example.com", 4: "user5@example.com"}
    gold(account, [0, 1, 5], 1, of=7, email=changed, unsubscribed={1: True})
    plan = planned(account, 1)
    assert set(plan.verdicts.filter(pl.col("verdict") == "send")["user_code"]) == {0, 5}
    assert why(plan) == {
        2: (NOT_QUALIFIED, NO_IDENTITY), 3: (NOT_QUALIFIED, SHARED), 4: (NOT_QUALIFIED, SHARED),
        6: (NOT_QUALIFIED, None),
    }  # fmt: skip
    assert plan.leaving is not None
    assert plan.leaving.sentence == (
        "1 user leaves the audience (no longer qualifies 1); 3 cannot be told: address shared with the audience 2, "
        "no identity 1"
    )
    run = sent(account, 1).run
    assert run.leaving == 1
    assert stands(account, run.run_id, Kind.LEAVE) == {"accepted": 1}
    assert proof.verify(account.workspace, run.run_id).holds is True
    gold(account, [0, 1, 5], 2, of=7)
    assert why(planned(account, 2)) == dict.fromkeys([2, 3, 4], (NOT_QUALIFIED, None))


def test_a_leave_that_no_batch_holds_is_not_made(tmp_path: Path, receiver: Receiver) -> None:
    """An address of 110,000 bytes would be over mParticle's limit with its escapes: one user, not the run."""
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [0], 1, email={1: "x" * 110_000})
    assert why(planned(account, 1)) == {1: (NOT_QUALIFIED, TOO_LARGE), 2: (NOT_QUALIFIED, None)}
    assert sent(account, 1).run.state is RunState.COMPLETED
    assert inside(tmp_path / "sandbox") == {0, 1}


def test_a_blocked_run_takes_nobody_out(tmp_path: Path, receiver: Receiver) -> None:
    """A broken ingest must not empty an audience; the next run that passes does its work."""
    account = club(tmp_path, [0, 1, 2], safety_check={"fewer_than": 2}, alert_to=["json://127.0.0.1:9"])
    sent(account, 0)
    gold(account, [0], 1)
    plan = planned(account, 1)
    assert plan.blocked
    assert why(plan) == {}
    run = sent(account, 1).run
    assert (run.state, run.leaving) == (RunState.BLOCKED, 0)
    assert inside(tmp_path / "sandbox") == {0, 1, 2}
    assert proof.verify(account.workspace, run.run_id).holds is True
    gold(account, [0, 1], 2)
    sent(account, 2)
    assert inside(tmp_path / "sandbox") == {0, 1}


def test_nobody_to_send_to_and_some_who_leave(tmp_path: Path, receiver: Receiver, run: Command) -> None:
    """Such a run is sent; a leave is no message in counts, caps and explanations."""
    account = club(tmp_path, [0, 1], frequency={"up_to": 2}, control={"share": 0.5})
    before = sent(account, 0)
    gold(account, [], 1)
    receipt = sent(account, 1)
    who = {0, 1} - set(planned(account, 0).verdicts.filter(pl.col("arm") == "control")["user_code"])
    assert before.sent_now == len(who)
    assert (receipt.run.state, receipt.sent_now, receipt.run.to_send) == (RunState.COMPLETED, 0, 0)
    assert receipt.run.leaving == len(who)
    assert inside(tmp_path / "sandbox") == set()
    shown = json.loads(run("runs", "show", receipt.run.run_id, "--json", "--config", account.config).out)
    assert shown["users"] == dict.fromkeys(["reserved", "sent", "accepted", "rejected", "unknown"], 0)
    assert shown["leaving"]["states"]["accepted"] == len(who)
    assert proof.leaks(account.workspace, before.run.run_id).rows.is_empty()
    gold(account, [0, 1], 2)
    assert planned(account, 2).to_send == len(who)


def test_commands_tell_of_who_leaves(tmp_path: Path, receiver: Receiver, run: Command) -> None:
    """The plan, the dry run, the run, its list and the explanation of one user."""
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1], 1)
    at = ["--occurrence", day(1).isoformat(), "--as-of", day(1).isoformat(), "--config", account.config]
    leave = "2 users leave the audience (no longer qualifies 2)"
    assert leave in run("plan", "club", *at).out
    told = json.loads(run("plan", "club", *at, "--json").out)["leaving"]
    assert told["users"] == [{"reason": "no longer qualifies", "kept": None, "users": 2}]
    dry = run("send", "club", *at, "--dry-run", "--now", day(1).isoformat()).out
    assert "1 users, 3 batches in 2 requests" in dry
    assert f"{leave}: 2 of the batches, without an event" in dry
    done = run("send", "club", *at)
    assert f"{leave}: accepted 2" in done.out
    assert "sent now: 1" in done.out
    this = account.workspace.ledger.newest()[0].run_id
    listed = run("runs", "users", this, "--leaving", "--config", account.config)
    assert "2 users are no longer in the audience" in listed.out
    rows = json.loads(run("runs", "users", this, "--leaving", "--json", "--config", account.config).out)[
        "rows"
    ]
    assert rows[0] == {
        "user_id": "000", "reason": "no longer qualifies", "kept": None, "request": 2, "state": "accepted",
    }  # fmt: skip
    wrong = run("runs", "users", this, "--leaving", "--verdict", "send", "--config", account.config)
    assert "--leaving lists users without a verdict" in wrong.err
    said = lookup.explain_run(account.workspace, this, "002")
    assert said.summary == (
        "User 002 did not qualify, so the run has no row of the user. The user left the audience in "
        f"{this} (no longer qualifies): request 2, accepted."
    )
    assert said.agrees is True
    assert lookup.explain_run(account.workspace, this, "001").left is None


def test_a_cell_shows_who_leaves(tmp_path: Path, receiver: Receiver) -> None:
    """The plan and the receipt say it in a sentence, and whom another attribute leaves behind."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    plan = planned(account, 1)
    text, markup, _ = display.SHOWN[Plan]
    assert "; 1 user leaves the audience (no longer qualifies 1)" in text(plan)
    assert "1 user leaves the audience (no longer qualifies 1)." in markup(plan)
    _, markup, _ = display.SHOWN[Receipt]
    assert "1 user leaves the audience (no longer qualifies 1): accepted 1." in markup(sent(account, 1))
    account.save_campaign("club", "gold", membership={"attribute": "in_club"})
    _, markup, _ = display.SHOWN[Plan]
    assert "The campaign kept in_winback before: whoever is in that audience stays in it." in markup(
        planned(account, 2)
    )


def test_a_test_send_says_nothing_of_the_audience(tmp_path: Path, receiver: Receiver) -> None:
    """Neither true nor false: who tries a campaign is not in it."""
    account = club(tmp_path, [0, 1])
    tried = trial.plan(account.workspace, "club", users=["000"])
    assert tried.leaving is None
    trial.execute(account.workspace, tried)
    assert kept(tmp_path / "sandbox") == {}
    gold(account, [], 1)
    assert why(planned(account, 1)) == {}


def test_each_campaign_has_an_attribute_of_its_own(tmp_path: Path, receiver: Receiver) -> None:
    """Two would take out each other's users, also one that is gone; another one of the same campaign is told."""
    account = club(tmp_path, [0, 1])
    with pytest.raises(CampaignError, match='kept by campaign "club"'):
        account.save_campaign("other", "gold", membership={"attribute": "IN_winback"})
    sent(account, 0)
    account.workspace.campaigns.archive("club", now=day(1))
    account.save_campaign("other", "gold", membership=KEEPS)
    with pytest.raises(CampaignError, match='was set by runs of campaign "club"'):
        runs.plan(account.workspace, "other", occurrence=day(1), as_of=day(1), now=day(1))


def test_another_attribute_begins_another_audience(tmp_path: Path, receiver: Receiver) -> None:
    """Who is in the one of before stays in it, and the plan says so."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    account.save_campaign("club", "gold", membership={"attribute": "in_club"})
    gold(account, [1], 1)
    plan = planned(account, 1)
    assert plan.leaving is not None
    assert plan.leaving.others == (ATTRIBUTE,)
    assert why(plan) == {}


def test_counts_of_many(tmp_path: Path, receiver: Receiver) -> None:
    """350 leave in four requests of at most 100, and each is there once."""
    account = club(tmp_path, range(400), of=400)
    sent(account, 0)
    gold(account, range(350, 400), 1, of=400)
    run = sent(account, 1).run
    requests = account.workspace.ledger.requests(run.run_id)
    assert [(item.kind, item.users) for item in requests] == [
        (Kind.MESSAGE, 50), *[(Kind.LEAVE, 100)] * 3, (Kind.LEAVE, 50),
    ]  # fmt: skip
    assert max(Counter(batch["source_request_id"] for batch in accepted(tmp_path / "sandbox")).values()) == 1
    assert inside(tmp_path / "sandbox") == set(range(350, 400))
    assert all(item.state is RequestState.ACCEPTED for item in requests)
