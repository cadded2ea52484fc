"""Each way in which a message can reach a held-out user is found, and nothing else is called a leak."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import BUYERS, NOW, Account, make_account, people, purchases
from command_line import Run as Command

from workbench import proof, runs, trial
from workbench.campaigns import control
from workbench.errors import InputError
from workbench.export.ledger import Run
from workbench.export.sandbox import Receiver
from workbench.proof import Leaks

AT = datetime.now(UTC) - timedelta(hours=2)
LATER = AT + timedelta(hours=1)
HELD = {n for n in range(200) if control.key("test-salt/control/hello", f"{n:05d}") < "40000000"}


@pytest.fixture
def clinic(tmp_path: Path, receiver: Receiver) -> Account:
    """200 buyers, a quarter of whom ``hello`` holds out."""
    account = make_account(tmp_path / "home")
    account.ingest("profiles", people(200))
    account.ingest("events", purchases(200))
    account.save_segment("buyers", BUYERS)
    account.save_campaign("hello", "buyers", control={"share": 0.25})
    return account


def send(account: Account, campaign: str, at: datetime) -> Run:
    """Send the occurrence of an instant."""
    planned = runs.plan(account.workspace, campaign, occurrence=at, as_of=NOW, now=at)
    return runs.execute(account.workspace, planned, clock=lambda: at).run


def found(account: Account, run: Run, **options: Any) -> tuple[Leaks, list[tuple[str, str, int]]]:
    """What is found, and way, how, and users of each kind."""
    leaks = proof.leaks(account.workspace, run.run_id, **options)
    return leaks, list(leaks.counts.select("way", "reached_by", "users").iter_rows())


def test_a_run_by_itself_leaks_nothing(clinic: Account) -> None:
    """Its own messages went to others; the next occurrence holds out the same."""
    run = send(clinic, "hello", AT)
    send(clinic, "hello", LATER)
    leaks, kinds = found(clinic, run)
    assert (leaks.held_out, leaks.runs, leaks.users, kinds) == (len(HELD), 2, 0, [])


def test_a_smaller_share_later_is_a_leak(clinic: Account) -> None:
    """Whom a tenth no longer holds out gets the message of the next run."""
    run = send(clinic, "hello", AT)
    clinic.save_campaign("hello", "buyers", control={"share": 0.1})
    send(clinic, "hello", LATER)
    tenth = {n for n in HELD if control.key("test-salt/control/hello", f"{n:05d}") < "1999999a"}
    leaks, kinds = found(clinic, run)
    assert kinds == [("another run of the campaign", "same profile", len(HELD) - len(tenth))]
    assert {int(user) for user in leaks.rows["user_id"]} == HELD - tenth
    assert leaks.users == len(HELD) - len(tenth)


def test_another_campaign_is_told_and_no_leak_of_this_one(clinic: Account) -> None:
    """Its messages to the held out are counted beside, a test of it too."""
    run = send(clinic, "hello", AT)
    clinic.save_campaign("other", "buyers")
    send(clinic, "other", LATER)
    planned = trial.plan(clinic.workspace, "other", users=[f"{min(HELD):05d}"], as_of=NOW, now=LATER)
    trial.execute(clinic.workspace, planned)
    leaks, kinds = found(clinic, run)
    assert sorted(users for _, _, users in kinds) == [1, len(HELD)]
    assert {kind[:2] for kind in kinds} == {("another campaign", "same profile")}
    assert leaks.users == 0


def test_another_campaign_to_the_system_group_is_a_leak(clinic: Account) -> None:
    """The system group is for every campaign; one that leaves it out writes to its users."""
    clinic.workspace.groups.add("system", 0.05, now=AT - timedelta(days=1))
    run = send(clinic, "hello", AT)
    clinic.save_campaign("other", "buyers", control={"system": False, "without_system": "legal notice"})
    send(clinic, "other", LATER)
    system = {n for n in range(200) if control.key("test-salt/group/system", f"{n:05d}") < "0ccccccd"}
    leaks, _ = found(clinic, run)
    assert len(system) > 0
    assert {int(user) for user in leaks.leaked["user_id"]} == system


def test_a_second_profile_that_came_later_is_a_leak(clinic: Account) -> None:
    """The address of a held-out user gets a second profile, which another campaign sends to."""
    run = send(clinic, "hello", AT)
    first = min(HELD)
    clinic.ingest("profiles", [{"user_id": "second", "email": f"USER{first}@example.com"}])
    clinic.ingest("events", [{"user_id": "second", "event": "Visit", "ts": "2026-06-30T12:00:00Z"}])
    clinic.save_segment("visitors", {"kind": "did", "events": ["Visit"]})
    clinic.save_campaign("other", "visitors")
    send(clinic, "other", LATER)
    leaks, kinds = found(clinic, run)
    assert kinds == [("another campaign", "shared identity", 1)]
    (row,) = leaks.rows.filter(pl.col("reached_by") == "shared identity").to_dicts()
    assert (row["user_id"], row["recipient"]) == (f"{first:05d}", "second")


def test_a_test_send_to_somebody_held_out_is_a_leak(clinic: Account) -> None:
    """Flagged as never in control after the run, a held-out user gets a test."""
    run = send(clinic, "hello", AT)
    user = f"{min(HELD):05d}"
    clinic.workspace.groups.flag(user, now=LATER)
    planned = trial.plan(clinic.workspace, "hello", users=[user], as_of=NOW, now=LATER)
    trial.execute(clinic.workspace, planned)
    leaks, kinds = found(clinic, run)
    assert kinds == [("test send", "same profile", 1)]
    assert leaks.users == 1


def test_the_time_is_the_goal_s(clinic: Account) -> None:
    """A message after the goal's time is none of this run's business; with more days it is."""
    goal = {"event": "Purchase", "within_minutes": 30}
    clinic.save_campaign("hello", "buyers", control={"share": 0.25}, goal=goal)
    run = send(clinic, "hello", AT)
    clinic.save_campaign("hello", "buyers")
    send(clinic, "hello", LATER)
    assert found(clinic, run)[1] == []
    assert found(clinic, run, days=1)[0].users == len(HELD)
    with pytest.raises(InputError, match="days 0 is below 1"):
        found(clinic, run, days=0)


def test_the_command_fails_on_a_leak(run: Command, clinic: Account) -> None:
    """Exit code 0 without one, 4 with one; both say how many runs were looked at."""
    first = send(clinic, "hello", AT)
    config = ("-c", clinic.config)
    said = run("runs", "leaks", first.run_id, *config)
    assert (said.code, f"0 of {len(HELD)} held-out users" in said.out) == (0, True)
    clinic.save_campaign("hello", "buyers")
    send(clinic, "hello", LATER)
    said = run("runs", "leaks", first.run_id, "--json", *config)
    assert said.code == 4
    body = json.loads(said.out)
    assert (body["leaked"], body["held_out"], body["runs"]) == (len(HELD), len(HELD), 2)
