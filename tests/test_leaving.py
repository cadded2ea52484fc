"""What became of those who enter and leave an audience: refused, doubtful, late, killed, raced, tampered with."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from accounts import Account
from audiences import KEEPS, club, day, gold, inside, planned, sent, stands, why
from command_line import Run as Command

from workbench import lookup, proof, runs
from workbench.campaigns.membership import NOT_QUALIFIED
from workbench.errors import CampaignError, CredentialsError, DestinationError, InputError, StoreError
from workbench.export.ledger import Kind, RunState
from workbench.export.sandbox import Receiver, accepted, parse_answers

ROOT = Path(__file__).parents[1]


def test_a_rejected_leave_is_sent_again_next_time(tmp_path: Path, receiver: Receiver) -> None:
    """Only a leave that was accepted is one."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    receiver.play(parse_answers("ok, 400"))
    run = sent(account, 1).run
    assert stands(account, run.run_id, Kind.MESSAGE) == {"accepted": 1}
    assert stands(account, run.run_id, Kind.LEAVE) == {"rejected": 1}
    assert inside(tmp_path / "sandbox") == {0, 1}
    assert why(planned(account, 2)) == {0: (NOT_QUALIFIED, None)}
    sent(account, 2)
    assert inside(tmp_path / "sandbox") == {1}
    assert why(planned(account, 3)) == {}


def test_a_rejected_message_is_no_entry(tmp_path: Path, receiver: Receiver) -> None:
    """Whoever never entered is not taken out."""
    account = club(tmp_path, [0, 1])
    receiver.play(parse_answers("400"))
    sent(account, 0)
    gold(account, [1], 1)
    assert why(planned(account, 1)) == {}


def test_a_command_fails_when_a_leave_was_refused(tmp_path: Path, receiver: Receiver, run: Command) -> None:
    """Its messages arrived; who was to leave is still in the audience, and the exit code says so."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    receiver.play(parse_answers("ok, 400"))
    at = ["--occurrence", day(1).isoformat(), "--as-of", day(1).isoformat(), "--config", account.config]
    done = run("send", "club", *at)
    assert done.code != 0
    assert "1 users who leave the audience were rejected or have an unknown outcome" in done.err
    assert "1 rejected (leaving): 400" in done.out
    this = account.workspace.ledger.newest()[0].run_id
    found = json.loads(run("runs", "rejected", this, "--json", "--config", account.config).out)
    assert [(item["kind"], item["request"], item["users"]) for item in found["requests"]] == [("leave", 2, 1)]


def test_a_leave_is_redriven(tmp_path: Path, receiver: Receiver) -> None:
    """As every rejected request: the same bytes, the same ids."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    receiver.play(parse_answers("ok, 400"))
    run = sent(account, 1).run
    found = runs.rejected(account.workspace, run.run_id)
    assert [(item.kind, item.users) for item in found] == [(Kind.LEAVE, 1)]
    runs.redrive(account.workspace, run.run_id, found, now=day(1))
    done = runs.resume(account.workspace, run.run_id, clock=lambda: day(1))
    assert (done.sent_now, done.run.state) == (0, RunState.COMPLETED)
    assert inside(tmp_path / "sandbox") == {1}


def test_an_entry_of_unknown_outcome_counts(tmp_path: Path, receiver: Receiver) -> None:
    """It may have been taken: its users leave, and leave again while it can still be sent."""
    folder = tmp_path / "sandbox"
    account = club(tmp_path, [0, 1])
    receiver.play(parse_answers("drop-after*2"))
    with pytest.raises(DestinationError):
        sent(account, 0)
    first = account.workspace.ledger.newest()[0].run_id
    assert stands(account, first, Kind.MESSAGE) == {"unknown": 2}
    assert inside(folder) == {0, 1}
    gold(account, [1], 1)
    sent(account, 1)
    assert inside(folder) == {1}
    assert why(planned(account, 2)) == {0: (NOT_QUALIFIED, None)}
    runs.stop(account.workspace, first, clock=lambda: day(0) + timedelta(hours=1))
    assert why(planned(account, 2)) == {}


def test_an_old_leave_is_not_sent(tmp_path: Path, receiver: Receiver) -> None:
    """The receiver has forgotten the ids by then; the next run does what is left."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        sent(account, 1)
    run = account.workspace.ledger.newest()[0]
    with pytest.raises(InputError, match="was frozen 30 days ago: its last 1 leaves are not sent any more"):
        runs.resume(account.workspace, run.run_id, clock=lambda: day(31))
    assert why(planned(account, 2)) == {0: (NOT_QUALIFIED, None)}


def process(account: Account, number: int, point: str = "none", ordinal: int = 0) -> "subprocess.Popen[str]":
    """Send the occurrence of a day in a process of its own, which dies at a point."""
    at, now = day(number).isoformat(), datetime.now(UTC).isoformat()
    command = [sys.executable, "-m", "workbench.rehearsal.child", str(account.config), "club", at, at, now]
    return subprocess.Popen(
        [*command, f"{point} {ordinal}" if ordinal else point], env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def once(folder: Path) -> bool:
    """Whether every batch arrived once."""
    ids = [batch["source_request_id"] for batch in accepted(folder)]
    return len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("point", "ordinal"), [("after request", 3), ("before request", 2), ("before answer", 4)]
)
def test_killed_while_users_leave(tmp_path: Path, receiver: Receiver, point: str, ordinal: int) -> None:
    """One request of messages and three of leaves: finished, each user leaves once, and the record is true."""
    account = club(tmp_path, range(300), of=300)
    sent(account, 0)
    gold(account, range(250, 300), 1, of=300)
    died = process(account, 1, point, ordinal)
    died.communicate(timeout=120)
    assert died.returncode == -9
    left = runs.execute(account.workspace, planned(account, 1))
    assert (left.run.state, left.run.leaving) == (RunState.COMPLETED, 250)
    assert stands(account, left.run.run_id, Kind.LEAVE) == {"accepted": 250}
    assert inside(tmp_path / "sandbox") == set(range(250, 300))
    assert once(tmp_path / "sandbox")
    assert proof.verify(account.workspace, left.run.run_id).holds is True


def test_two_processes_at_once(tmp_path: Path, receiver: Receiver) -> None:
    """The same occurrence twice and the next one: every batch arrives once, and one more run sets all right."""
    account = club(tmp_path, range(300), of=300)
    sent(account, 0)
    gold(account, range(100, 300), 1, of=300)
    gold(account, range(200, 300), 2, of=300)
    for each in [process(account, number) for number in (1, 1, 2)]:
        each.communicate(timeout=180)
    for run in account.workspace.ledger.newest():
        if run.state is not RunState.COMPLETED:
            runs.resume(account.workspace, run.run_id)
    assert {run.state for run in account.workspace.ledger.newest()} == {RunState.COMPLETED}
    assert {run.occurrence for run in account.workspace.ledger.newest()} == {day(0), day(1), day(2)}
    assert once(tmp_path / "sandbox")
    done = runs.execute(account.workspace, planned(account, 3))
    assert done.run.state is RunState.COMPLETED
    assert inside(tmp_path / "sandbox") == set(range(200, 300))


@pytest.mark.postgres
def test_on_postgresql(
    tmp_path: Path, receiver: Receiver, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enter, leave, refused and sent again, with the decisions in PostgreSQL."""
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", postgres_database)
    folder = tmp_path / "sandbox"
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1, 3], 1)
    receiver.play(parse_answers("ok, 400"))
    run = sent(account, 1).run
    assert stands(account, run.run_id, Kind.LEAVE) == {"rejected": 2}
    assert inside(folder) == {0, 1, 2, 3}
    gold(account, [0, 3], 2)
    done = sent(account, 2).run
    assert inside(folder) == {0, 3}
    assert done.membership == {
        "attribute": "in_winback", "leaving": "set false",
        "users": [{"reason": "no longer qualifies", "kept": None, "users": 2}],
    }  # fmt: skip
    assert all(
        proof.verify(account.workspace, each.run_id).holds for each in account.workspace.ledger.newest()
    )
    account.save_campaign("club", "gold", membership=None)
    account.save_campaign("other", "gold", membership=KEEPS)
    with pytest.raises(CampaignError, match='was set by runs of campaign "club"'):
        runs.plan(account.workspace, "other", occurrence=day(3), as_of=day(3), now=day(3))
    account.workspace.database.close()


def test_another_run_meanwhile_makes_the_plan_again(tmp_path: Path, receiver: Receiver) -> None:
    """Two plans of the same moment: the second one counts the first one's users."""
    account = club(tmp_path, [0, 1, 2])
    first = planned(account, 0)
    gold(account, [1], 1)
    second = planned(account, 1)
    assert why(second) == {}
    runs.execute(account.workspace, first, clock=lambda: day(0))
    done = runs.execute(account.workspace, second, clock=lambda: day(1))
    assert done.run.leaving == 2
    assert inside(tmp_path / "sandbox") == {1}


def test_a_dry_run_has_the_bytes_of_the_send(tmp_path: Path, receiver: Receiver) -> None:
    """Also when older runs were finished since and newer ones made: it counts what was known when the run was made."""
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1, 2, 3], 1)
    receiver.play(parse_answers("403"))
    with pytest.raises(CredentialsError):
        sent(account, 1)
    older = account.workspace.ledger.newest()[0].run_id
    gold(account, [1], 2)
    before = runs.dry_run(account.workspace, planned(account, 2))
    assert (before.users, before.batches, before.leaving, before.requests) == (1, 3, 2, 2)
    sent(account, 2)
    runs.resume(account.workspace, older, clock=lambda: day(3))
    assert stands(account, older, Kind.MESSAGE) == {"accepted": 3}
    gold(account, [5], 4)
    receiver.play(parse_answers("drop-after*2"))
    with pytest.raises(DestinationError):
        sent(account, 4)
    after = runs.dry_run(account.workspace, planned(account, 2))
    assert after.same is True
    assert after.sha256 == before.sha256


def test_what_is_tampered_with_is_found(tmp_path: Path, receiver: Receiver) -> None:
    """The list of who left is a record like the audience."""
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1], 1)
    run = sent(account, 1).run
    path = (account.workspace.settings.directory / run.audience_path).with_name("leaving.parquet")
    whole = path.read_bytes()

    def answers() -> dict[str, bool | None]:
        return {check.name: check.holds for check in proof.verify(account.workspace, run.run_id).checks}

    assert set(answers().values()) == {True}
    pl.read_parquet(path).head(1).write_parquet(path)
    assert (answers()["leaving"], answers()["built again"]) == (False, None)
    with pytest.raises(StoreError, match="is not what was frozen"):
        lookup.leavers(account.workspace, run.run_id)
    path.unlink()
    assert answers()["leaving"] is False
    with pytest.raises(StoreError, match=f"the leaving of {run.run_id} is gone"):
        planned(account, 2)
    path.write_bytes(whole)
    assert set(answers().values()) == {True}
    for change in (
        "UPDATE requests SET users = users - 1 WHERE kind = 'leave'",
        "UPDATE runs SET membership = replace(membership, '\"users\": 2', '\"users\": 3')",
    ):
        with account.workspace.database.transaction() as sql:
            sql.exec_driver_sql(change)
        assert answers()["leaving"] is False
        with account.workspace.database.transaction() as sql:
            sql.exec_driver_sql("UPDATE requests SET users = 2 WHERE kind = 'leave'")


def test_a_forged_leave_is_found(tmp_path: Path, receiver: Receiver) -> None:
    """A body that says something else, with its digest in the ledger: the trail knows another, and built again it comes out otherwise."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    run = sent(account, 1).run
    path = account.workspace.settings.directory / run.bodies_path
    forged = path.read_bytes().replace(b"false", b"true ")
    path.write_bytes(forged)
    digest = hashlib.sha256(forged.splitlines()[1]).hexdigest()
    with account.workspace.database.transaction() as sql:
        sql.exec_driver_sql(f"UPDATE requests SET digest = '{digest}' WHERE kind = 'leave'")
    found = {check.name: check for check in proof.verify(account.workspace, run.run_id).checks}
    assert [name for name, check in found.items() if not check.holds] == [
        "as reserved", "as ended", "built again",
    ]  # fmt: skip
    assert found["built again"].sentence.startswith("requests 2 come out with other bytes")
