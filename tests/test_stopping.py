"""A person stops a run: nothing more is taken up, what is in flight is recorded, and it stays stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from accounts import NOW, Account
from export.recorder import ACCEPTED, Recorder, Reply
from export.sendable import RUN_ID, reserve, send

from workbench import runs
from workbench.errors import BusyError, DestinationError, InputError
from workbench.export.ledger import RequestState, RunState
from workbench.export.sandbox import Receiver, parse_answers, report


def test_another_process_stops_a_run(account: Account) -> None:
    """`runs stop` while eight requests are in flight: all that arrived is accepted, nothing comes afterwards."""
    run = reserve(account, 3000)
    started: list[subprocess.Popen[str]] = []
    after_stopping: list[int] = []

    def answer(number: int) -> Reply:
        if number == 5:
            line = [
                sys.executable,
                "-m",
                "workbench",
                "runs",
                "stop",
                RUN_ID,
                "--json",
                "-c",
                str(account.config),
            ]
            started.append(subprocess.Popen(line, stdout=subprocess.PIPE, text=True))
        if started and number % 8 == 0 and account.workspace.ledger.get(RUN_ID).state is RunState.STOPPING:
            after_stopping.append(number)
        return ACCEPTED

    with Recorder(answer=answer, seconds=0.1) as recorder:
        sent = send(account, run, recorder.url)
        arrived = len(recorder.arrivals)
        told = json.loads(started[0].communicate(timeout=60)[0])
        assert started[0].returncode == 0
        assert len(recorder.arrivals) == arrived
    assert sent == arrived < 3000
    assert len(after_stopping) <= 2
    assert (told["state"], told["note"]) == ("stopped", "stopped by tester")
    assert told["users"] == {
        "reserved": 3000 - arrived, "sent": 0, "accepted": arrived, "rejected": 0, "unknown": 0,
    }  # fmt: skip
    assert told["not_sent"] == {"campaign stopped": 3000 - arrived}
    with pytest.raises(InputError, match=r"was stopped by tester; a stopped run is not resumed"):
        runs.resume(account.workspace, RUN_ID)


def test_a_run_that_nobody_sends_is_stopped_at_once(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """Interrupted, then stopped: neither resume nor send goes on with it, and the doubtful stay in doubt."""
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    run = runs.stop(shop.workspace, shop.workspace.ledger.newest()[0].run_id)
    assert run.state is RunState.STOPPED
    assert run.finished_at is not None
    with pytest.raises(InputError, match="a stopped run is not resumed"):
        runs.resume(shop.workspace, run.run_id)
    again = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello"))
    assert (again.sent_now, again.not_begun) == (0, 300)
    assert again.not_sent == {"campaign stopped": 300, "outcome unknown": 100}
    assert (again.users[RequestState.ACCEPTED], again.users[RequestState.UNKNOWN]) == (100, 100)
    assert runs.stop(shop.workspace, run.run_id) == run
    assert report(tmp_path / "sandbox").accepted == 100


def test_a_complete_run_is_not_stopped(shop: Account, receiver: Receiver) -> None:
    """There is nothing to stop, and its state stays."""
    receipt = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    with pytest.raises(InputError, match="is completed; there is nothing to stop"):
        runs.stop(shop.workspace, receipt.run.run_id)
    assert shop.workspace.ledger.get(receipt.run.run_id).state is RunState.COMPLETED


def test_a_stop_that_is_not_answered_says_so(account: Account) -> None:
    """The process that holds the run does not react: the run is to stop all the same, and never sends again."""
    run = reserve(account, 10)
    with account.workspace.ledger.hold(RUN_ID), pytest.raises(BusyError, match="takes up nothing more"):
        runs.stop(account.workspace, RUN_ID, timeout=0)
    with Recorder() as recorder:
        assert send(account, run, recorder.url) == 0
    assert recorder.arrivals == []
    assert account.workspace.ledger.get(RUN_ID).state is RunState.STOPPED
