"""The path on PostgreSQL: the same promises as on SQLite, with a real server."""

import hashlib
from pathlib import Path

import pytest
from accounts import NOW, Account

from workbench import runs
from workbench.errors import BusyError, DestinationError, InputError, StoreError
from workbench.export.ledger import RunState
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.workspace import open_workspace

pytestmark = pytest.mark.postgres


def test_a_run_arrives_once(team: Account, receiver: Receiver, tmp_path: Path) -> None:
    """500 arrive, and again nobody."""
    first = runs.execute(team.workspace, runs.plan(team.workspace, "hello", as_of=NOW))
    again = runs.execute(team.workspace, runs.plan(team.workspace, "hello", as_of=NOW))
    assert (first.sent_now, again.sent_now, report(tmp_path / "sandbox").accepted) == (500, 0, 500)
    assert not (team.home / ".workbench" / "ledger.db").exists()


def test_an_interrupted_run_is_resumed(team: Account, receiver: Receiver, tmp_path: Path) -> None:
    """A request that was taken twice over is sent again with the same bytes: 500 arrive."""
    receiver.play(parse_answers("500-after*2"))
    with pytest.raises(DestinationError):
        runs.execute(team.workspace, runs.plan(team.workspace, "hello", as_of=NOW))
    run = team.workspace.ledger.newest()[0]
    assert run.state is RunState.INTERRUPTED
    assert runs.resume(team.workspace, run.run_id).run.state is RunState.COMPLETED
    found = report(tmp_path / "sandbox")
    assert (found.accepted, found.duplicates) == (500, 200)


def test_a_run_is_held_by_one_process(team: Account, receiver: Receiver) -> None:
    """The advisory lock keeps a second connection out, and ends with the first."""
    other = open_workspace(team.config)
    with team.workspace.ledger.hold("hello-1"), pytest.raises(BusyError), other.ledger.hold("hello-1"):
        pass
    with other.ledger.hold("hello-1"):
        pass
    other.database.close()


def test_a_read_only_workspace_writes_nothing(team: Account) -> None:
    """What a dashboard opens reads runs and refuses every write."""
    dashboard = open_workspace(team.config, read_only=True)
    assert dashboard.ledger.newest() == []
    with pytest.raises(StoreError, match="read-only"):
        dashboard.ledger.ask_to_stop("x", "stopped")
    dashboard.database.close()


def test_control_groups_hold_out_and_stay(team: Account, receiver: Receiver) -> None:
    """Groups, flags and the refusal to remove what a run needs, with the same users as on SQLite."""
    groups = team.workspace.groups
    groups.add("system", 0.05, now=NOW)
    groups.add("vip", 0.03, custom=True, now=NOW)
    groups.flag("00001", now=NOW)
    groups.flag("00001", now=NOW)
    standing = groups.standing()
    assert [(group.name, group.share, group.created_at) for group in standing.groups] == [
        ("system", 0.05, NOW), ("vip", 0.03, NOW),
    ]  # fmt: skip
    assert standing.never == ("00001",)
    with pytest.raises(InputError, match="names are never used twice"):
        groups.add("vip", 0.03, custom=True, now=NOW)
    receipt = runs.execute(team.workspace, runs.plan(team.workspace, "hello", as_of=NOW))
    held_out = receipt.waterfall.filter(receipt.waterfall["held_by"] == "system")["users"].sum()
    drawn = [hashlib.md5(f"test-salt/group/system:{n:05d}".encode()).hexdigest()[:8] for n in range(1000)]
    assert held_out == sum(key < "0ccccccd" for n, key in enumerate(drawn) if n != 1)
    groups.remove("vip", now=NOW)
    team.save_campaign("hello", "buyers", control={"system": False, "without_system": "test"})
    with pytest.raises(InputError, match=f'held users out of run "{receipt.run.run_id}"'):
        groups.remove("system", now=NOW)
    groups.unflag("00001")
    assert groups.standing().never == ()


def test_a_blocked_run_is_recorded_with_its_alert(team: Account) -> None:
    """The long name of the state fits; the alert that nobody takes is recorded once, however often it is tried."""
    team.save_campaign("safe", "buyers", safety_check={"more_than": 999}, alert_to=["json://127.0.0.1:9/"])
    for _ in range(2):
        receipt = runs.execute(team.workspace, runs.plan(team.workspace, "safe", as_of=NOW))
        assert (receipt.sent_now, receipt.run.state) == (0, "blocked by safety check")
    (alert,) = team.workspace.ledger.alerts(receipt.run.run_id)
    assert (alert.about, alert.number, alert.outcome) == ("blocked by safety check", 1, "not sent")
    assert team.workspace.ledger.previous("safe", receipt.run.occurrence) is None
