"""A refused message counted for no frequency cap: it is sent again where the caps still have room."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import BUYERS, NOW, SETTINGS, Account, make_account, people, purchases

from workbench import runs
from workbench.errors import BusyError, InputError
from workbench.export.ledger import RunState, Seen
from workbench.export.marks import Marks
from workbench.export.sandbox import Receiver, parse_answers

TODAY = datetime.now(UTC).replace(microsecond=0)


def shop_with_caps(home: Path) -> Account:
    """An account of 300 buyers, one message a week to each, with the campaigns ``first`` and ``second``."""
    account = make_account(home / "home", SETTINGS + "\n[frequency]\nmessages = 1\ndays = 7\n")
    account.ingest("profiles", people(300))
    account.ingest("events", purchases(300))
    account.save_segment("buyers", BUYERS)
    account.save_campaign("first", "buyers")
    account.save_campaign("second", "buyers")
    return account


def planned(account: Account, campaign: str, at: datetime) -> runs.Plan:
    """Plan the occurrence of an instant, sent then."""
    return runs.plan(account.workspace, campaign, occurrence=at, as_of=NOW, now=at)


def sent(account: Account, campaign: str, at: datetime) -> int:
    """Send it, and return to how many."""
    return runs.execute(account.workspace, planned(account, campaign, at)).sent_now


def refused(account: Account, receiver: Receiver) -> str:
    """Send ``first`` in three requests of 100, two of which are refused; return the run."""
    receiver.play(parse_answers("ok, 400, 400"))
    return runs.execute(account.workspace, planned(account, "first", TODAY)).run.run_id


def test_a_refused_message_is_sent_again_within_the_caps_only(tmp_path: Path, receiver: Receiver) -> None:
    """Its users had another campaign's meanwhile: it stays refused, until a week has passed."""
    account = shop_with_caps(tmp_path)
    run_id, workspace = refused(account, receiver), account.workspace
    assert sent(account, "second", TODAY + timedelta(seconds=1)) == 200
    requests = runs.rejected(workspace, run_id)
    with pytest.raises(InputError, match=r"200 users .* had other messages meanwhile.*sent again: none"):
        runs.redrive(workspace, run_id, requests, now=TODAY + timedelta(days=7))
    with workspace.ledger.hold(run_id) as held, pytest.raises(BusyError, match="reserved meanwhile"):
        Marks(held, run_id).give_back([2], note="", seen=Seen(newest=1, one_campaign=False, given_back=0))
    assert workspace.ledger.get(run_id).state is RunState.COMPLETED
    runs.redrive(workspace, run_id, requests, now=TODAY + timedelta(days=7, seconds=1))
    assert runs.resume(workspace, run_id).sent_now == 200


def test_only_requests_with_room_are_sent_again(tmp_path: Path, receiver: Receiver) -> None:
    """One user of the second request had another message by the same address: the third can be sent, and is named."""
    account = shop_with_caps(tmp_path)
    twin = {**people(121)[120], "user_id": "twin", "email": "USER120@example.com"}
    account.ingest("profiles", [twin])
    account.ingest("events", [{"user_id": "twin", "event": "Visit", "ts": "2026-06-30T12:00:00Z"}])
    account.save_segment("twins", {**BUYERS, "events": ["Visit"]})
    account.save_campaign("second", "twins")
    run_id, workspace = refused(account, receiver), account.workspace
    assert sent(account, "second", TODAY + timedelta(seconds=1)) == 1
    now, requests = TODAY + timedelta(seconds=2), runs.rejected(workspace, run_id)
    with pytest.raises(InputError, match=r"^1 users .*sent again: 3$"):
        runs.redrive(workspace, run_id, requests, now=now)
    runs.redrive(workspace, run_id, runs.rejected(workspace, run_id, numbers=[3]), now=now)
    assert runs.resume(workspace, run_id).sent_now == 100


def test_what_is_given_back_counts_for_plans_made_before(tmp_path: Path, receiver: Receiver) -> None:
    """A plan has counted a refused message as none; it is sent again before the plan is: the plan is made again."""
    account = shop_with_caps(tmp_path)
    run_id, workspace = refused(account, receiver), account.workspace
    plan = planned(account, "second", TODAY + timedelta(seconds=1))
    runs.redrive(workspace, run_id, runs.rejected(workspace, run_id), now=TODAY + timedelta(seconds=1))
    runs.resume(workspace, run_id)
    assert (plan.to_send, runs.execute(workspace, plan).run.to_send) == (200, 0)
