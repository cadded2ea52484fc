"""After 29 days nobody learns an open outcome any more: a person says what it was, once, and the trail keeps it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import NOW, Account
from command_line import Run as Command

from workbench import proof, runs
from workbench.errors import BusyError, DestinationError, InputError, NotFoundError
from workbench.export.ledger import RequestState, Run, RunState
from workbench.export.sandbox import Receiver, parse_answers, report

AT = datetime.now(UTC)
LATER = AT + timedelta(days=30)
ACCEPTED, REJECTED = RequestState.ACCEPTED, RequestState.REJECTED
WHY = "the provider's log has it"


@pytest.fixture
def doubtful(shop: Account, receiver: Receiver) -> Run:
    """500 users in five requests: one accepted, one of unknown outcome, three never sent."""
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=AT))
    return shop.workspace.ledger.newest()[0]


def states(shop: Account, run: Run) -> list[tuple[str, str | None]]:
    """Where each request stands, and what was answered."""
    return [(str(request.state), request.answer) for request in shop.workspace.ledger.requests(run.run_id)]


@pytest.mark.parametrize("word", [ACCEPTED, REJECTED])
def test_a_person_settles_what_is_open(
    shop: Account, doubtful: Run, tmp_path: Path, word: RequestState
) -> None:
    """The word is for what may have arrived; what was never taken is rejected; the run is complete, nothing is sent."""
    workspace = shop.workspace
    settled = runs.settle(workspace, doubtful.run_id, word, because=WHY, now=LATER)
    assert (settled.doubtful, settled.unsent) == (100, 300)
    said = f"settled by tester: {WHY}"
    assert states(shop, doubtful)[1:] == [(word, said), *[("rejected", f"not sent; {said}")] * 3]
    run = workspace.ledger.get(doubtful.run_id)
    assert (run.state, run.note, run.finished_at) == (RunState.COMPLETED, said, LATER)
    (entry,) = workspace.trail.entries(what=["run settled"])
    assert {name: entry.details[name] for name in ("as", "because", "state", "requests")} == {
        "as": word, "because": WHY, "state": "completed", "requests": {"unknown": 1, "reserved": 3},
    }  # fmt: skip
    assert entry.details["users"]["rejected"] == (300 if word is ACCEPTED else 400)
    assert proof.verify(workspace, run.run_id).holds is True
    assert report(tmp_path / "sandbox").accepted == 100
    assert runs.resume(workspace, run.run_id).sent_now == 0
    with pytest.raises(InputError, match="is completed; there is nothing to settle"):
        runs.settle(workspace, run.run_id, word, because=WHY, now=LATER)


def test_a_word_is_for_what_cannot_be_sent(shop: Account, doubtful: Run) -> None:
    """A young run is resumed; a word, a reason and the hold are needed; nothing is changed by a refusal."""
    workspace, before = shop.workspace, states(shop, doubtful)
    with pytest.raises(
        InputError, match=f"frozen 29 days ago.*it can be sent: workbench resume {doubtful.run_id}"
    ):
        runs.settle(workspace, doubtful.run_id, ACCEPTED, because=WHY, now=AT + timedelta(days=29))
    with pytest.raises(InputError, match='"unknown" is no word'):
        runs.settle(workspace, doubtful.run_id, RequestState.UNKNOWN, because=WHY, now=LATER)
    with pytest.raises(InputError, match="a reason has 1 to 500"):
        runs.settle(workspace, doubtful.run_id, ACCEPTED, because=" ", now=LATER)
    with pytest.raises(NotFoundError):
        runs.settle(workspace, "hello-1", ACCEPTED, because=WHY, now=LATER)
    with workspace.ledger.hold(doubtful.run_id), pytest.raises(BusyError):
        runs.settle(workspace, doubtful.run_id, ACCEPTED, because=WHY, now=LATER)
    assert states(shop, doubtful) == before
    assert workspace.trail.entries(what=["run settled"]) == ()
    with pytest.raises(InputError, match=f"and end this run with: workbench runs settle {doubtful.run_id}"):
        runs.resume(workspace, doubtful.run_id, clock=lambda: LATER)


def test_a_stopped_run_stays_stopped(shop: Account, doubtful: Run) -> None:
    """Only what may have arrived has the word; who was not sent to stays `campaign stopped`."""
    workspace = shop.workspace
    runs.stop(workspace, doubtful.run_id)
    with pytest.raises(InputError, match=r"over 29 days old$"):
        runs.settle(workspace, doubtful.run_id, ACCEPTED, because=WHY, now=AT)
    runs.settle(workspace, doubtful.run_id, ACCEPTED, because=WHY, now=LATER)
    assert [state for state, _ in states(shop, doubtful)] == ["accepted"] * 2 + ["reserved"] * 3
    run = workspace.ledger.get(doubtful.run_id)
    assert (run.state, run.note) == (RunState.STOPPED, "stopped by tester")
    assert proof.verify(workspace, run.run_id).holds is True
    with pytest.raises(InputError, match="has no request whose outcome is open"):
        runs.settle(workspace, run.run_id, REJECTED, because=WHY, now=LATER)


def test_the_command(run: Command, shop: Account, doubtful: Run) -> None:
    """Both options are needed; the run as JSON, and in words."""
    config = ("-c", shop.config)
    assert run("runs", "settle", doubtful.run_id, "--as", "accepted", *config).code == 2
    assert run("runs", "settle", doubtful.run_id, "--as", "lost", "--because", WHY, *config).code == 2
    assert run("runs", "settle", doubtful.run_id, "--as", "accepted", "--because", WHY, *config).code == 3
    with shop.workspace.database.transaction() as sql:
        sql.exec_driver_sql("UPDATE runs SET created_at = '2026-01-01T00:00:00.000000Z'")
    found = run("runs", "settle", doubtful.run_id, "--as", "accepted", "--because", WHY, "--json", *config)
    body = json.loads(found.out)
    assert (found.code, body["state"], body["settled"], body["never_sent"]) == (0, "completed", 100, 300)
    assert body["users"] == {"reserved": 0, "sent": 0, "accepted": 200, "rejected": 300, "unknown": 0}
