"""A run whose leaves a newer run has decided anew: it sends none of them, and ends by itself."""

from pathlib import Path

import pytest
from audiences import KEEPS, club, day, gold, inside, planned, sent, stands, why
from command_line import Run as Command

from workbench import proof, runs
from workbench.errors import DestinationError
from workbench.export.ledger import Kind, RunState
from workbench.export.sandbox import Receiver, accepted, parse_answers


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions in the one database and in the other."""
    if request.param == "postgresql":
        monkeypatch.setenv("WORKBENCH_DATABASE_URL", request.getfixturevalue("postgres_database"))


def test_an_older_run_that_is_finished_later(tmp_path: Path, receiver: Receiver) -> None:
    """What counts is when the receiver took a message, not of which run it was."""
    folder = tmp_path / "sandbox"
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [0, 1, 2], 1)
    receiver.play(parse_answers("503*2"))
    with pytest.raises(DestinationError):
        sent(account, 1)
    interrupted = account.workspace.ledger.newest()[0]
    gold(account, [1], 2)
    sent(account, 2)
    assert inside(folder) == {1}
    runs.resume(account.workspace, interrupted.run_id, clock=lambda: day(3))
    assert inside(folder) == {0, 1, 2}
    assert set(why(planned(account, 4))) == {0, 2}
    sent(account, 4)
    assert inside(folder) == {1}


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("answers", ["ok, 403", "ok, 503*2", "403"])
def test_a_leave_that_a_newer_run_has_decided_anew_is_not_sent(
    tmp_path: Path, receiver: Receiver, answers: str
) -> None:
    """Who was to leave and qualifies again stays in, by whatever the older run has left; its messages are sent."""
    folder = tmp_path / "sandbox"
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1, 2, 3], 1)
    receiver.play(parse_answers(answers))
    with pytest.raises(DestinationError):
        sent(account, 1)
    older = account.workspace.ledger.newest()[0].run_id
    gold(account, [0, 1, 3], 2)
    newer = sent(account, 2).run
    assert inside(folder) == {0, 1, 3}
    done = runs.resume(account.workspace, older, clock=lambda: day(3))
    assert (done.run.state, done.left_now, done.run.finished_at) == (RunState.COMPLETED, 0, day(3))
    assert done.run.note == f"1 leave is not sent any more: {newer.run_id} has decided since who leaves"
    assert inside(folder) >= {0, 1, 3}
    assert stands(account, older, Kind.MESSAGE) == {"accepted": 3}
    assert stands(account, older, Kind.LEAVE) in ({"reserved": 1}, {"unknown": 1})
    assert proof.verify(account.workspace, older).holds is True
    entry = account.workspace.trail.entries(about=older)[-1]
    assert (entry.what, entry.details["overtaken_by"]) == ("run ended", newer.run_id)
    assert set(why(planned(account, 4))) == ({2} if answers == "403" else set())
    gold(account, [1, 3], 4)
    sent(account, 4)
    assert inside(folder) == {1, 3}
    account.workspace.database.close()


def test_an_overtaken_run_ends_by_itself(tmp_path: Path, receiver: Receiver, run: Command) -> None:
    """Success for the scheduler, whenever and under whichever key; in words which run has decided since."""
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1, 2], 1)
    receiver.play(parse_answers("ok, drop-after*2"))
    with pytest.raises(DestinationError):
        sent(account, 1)
    older = account.workspace.ledger.newest()[0].run_id
    gold(account, [1, 3], 2)
    newer = sent(account, 2).run.run_id
    with account.workspace.database.transaction() as sql:
        sql.exec_driver_sql("UPDATE requests SET state = 'sent' WHERE state = 'unknown'")
        sql.exec_driver_sql(f"UPDATE runs SET key_digest = 'another' WHERE run_id = '{older}'")
    before = len(list(accepted(tmp_path / "sandbox")))
    for _ in range(2):
        done = run("resume", older, "--config", account.config)
        assert (done.code, done.err) == (0, "")
        assert f"1 leave is not sent any more: {newer} has decided since who leaves" in done.out
    shown = run("runs", "show", older, "--config", account.config).out
    assert "1 user leaves the audience (no longer qualifies 1): unknown 1" in shown
    assert f"1 leave is not sent any more: {newer}" in shown
    assert len(list(accepted(tmp_path / "sandbox"))) == before
    said = run("explain", "--run", older, "--user", "000", "--config", account.config).out
    assert f"was to leave the audience in {older} (no longer qualifies): request 2, unknown; 1 leave " in said
    again = runs.dry_run(account.workspace, planned(account, 1))
    assert again.existing is not None
    assert again.existing.left == 0
    gold(account, [3], 3)
    assert set(why(planned(account, 3))) == {1}


def test_an_old_overtaken_run_ends_by_itself(tmp_path: Path, receiver: Receiver) -> None:
    """Nothing of it would be sent, so its age is no fault."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    receiver.play(parse_answers("ok, 403"))
    with pytest.raises(DestinationError):
        sent(account, 1)
    older = account.workspace.ledger.newest()[0].run_id
    gold(account, [1], 2)
    sent(account, 2)
    done = runs.resume(account.workspace, older, clock=lambda: day(40))
    assert done.run.state is RunState.COMPLETED
    assert inside(tmp_path / "sandbox") == {1}


def test_a_leave_given_back_after_a_newer_run_is_not_sent(tmp_path: Path, receiver: Receiver) -> None:
    """Redriving cannot take out who is in again either."""
    account = club(tmp_path, [0, 1])
    sent(account, 0)
    gold(account, [1], 1)
    receiver.play(parse_answers("ok, 400"))
    older = sent(account, 1).run.run_id
    gold(account, [0, 1], 2)
    sent(account, 2)
    runs.redrive(account.workspace, older, runs.rejected(account.workspace, older), now=day(2))
    runs.resume(account.workspace, older, clock=lambda: day(3))
    assert inside(tmp_path / "sandbox") == {0, 1}
    assert stands(account, older, Kind.LEAVE) == {"reserved": 1}
    assert account.workspace.ledger.get(older).state is RunState.COMPLETED
    assert proof.verify(account.workspace, older).holds is True


def test_a_newer_run_that_decides_nothing_takes_no_leave_away(tmp_path: Path, receiver: Receiver) -> None:
    """Blocked: what the older run has left is sent when it is resumed."""
    account = club(tmp_path, [0, 1, 2])
    sent(account, 0)
    gold(account, [1, 2], 1)
    receiver.play(parse_answers("ok, 403"))
    with pytest.raises(DestinationError):
        sent(account, 1)
    older = account.workspace.ledger.newest()[0].run_id
    account.save_campaign(
        "club", "gold", membership=KEEPS, safety_check={"more_than": 1}, alert_to=["json://127.0.0.1:9"]
    )
    assert sent(account, 2).run.state is RunState.BLOCKED
    done = runs.resume(account.workspace, older, clock=lambda: day(3))
    assert (done.run.state, done.left_now) == (RunState.COMPLETED, 1)
    assert inside(tmp_path / "sandbox") == {1, 2}
