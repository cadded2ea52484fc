"""The path on PostgreSQL: the same promises as on SQLite, with a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from accounts import BUYERS, NOW, Account, make_account, people, purchases

from workbench import runs
from workbench.errors import BusyError, DestinationError, StoreError
from workbench.export.ledger import RunState
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.workspace import open_workspace

pytestmark = pytest.mark.postgres


@pytest.fixture
def team(tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The shop of the SQLite tests, its decisions in PostgreSQL."""
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", postgres_database)
    account = make_account(tmp_path / "home")
    account.ingest("profiles", people(1000))
    account.ingest("events", purchases(1000))
    account.save_segment("buyers", BUYERS)
    account.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500})
    yield account
    account.workspace.database.close()


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
        dashboard.ledger.set_state("x", RunState.COMPLETED, now=NOW)
    dashboard.database.close()
