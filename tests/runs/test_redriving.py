"""What was rejected is listed, and sent again with the same bytes when a person says so."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import NOW, Account
from command_line import Run as Command

from workbench import runs
from workbench.errors import BusyError, DestinationError, InputError
from workbench.export.ledger import RequestState, Run, RunState
from workbench.export.marks import Marks
from workbench.export.sandbox import Receiver, accepted, parse_answers

AT = datetime.now(UTC)


@pytest.fixture
def refused(shop: Account, receiver: Receiver) -> Run:
    """500 users in five requests, the second and fourth of which were answered 400."""
    receiver.play(parse_answers("ok, 400, ok, 400"))
    return runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=AT)).run


def test_rejected_requests_are_listed_by_answer_and_number(shop: Account, refused: Run) -> None:
    """All, by a part of the answer, by number; a number that was not rejected names those that were."""
    found = runs.rejected(shop.workspace, refused.run_id)
    assert [(request.number, request.users) for request in found] == [(2, 100), (4, 100)]
    assert all((request.answer or "").startswith("400") for request in found)
    assert len(runs.rejected(shop.workspace, refused.run_id, answer="400")) == 2
    assert runs.rejected(shop.workspace, refused.run_id, answer="nothing like it") == []
    assert [one.number for one in runs.rejected(shop.workspace, refused.run_id, numbers=[4])] == [4]
    with pytest.raises(InputError, match=r"request 3 of .* was not rejected; rejected are: 2, 4"):
        runs.rejected(shop.workspace, refused.run_id, numbers=[3])


def test_a_rejected_request_is_sent_again_once(shop: Account, refused: Run, tmp_path: Path) -> None:
    """One of the two: its 100 users arrive, the other 100 stay rejected; nobody else takes their place."""
    workspace, before = shop.workspace, len(list(accepted(tmp_path / "sandbox")))
    chosen = runs.rejected(workspace, refused.run_id, numbers=[2])
    again = runs.redrive(workspace, refused.run_id, chosen, now=AT)
    assert (again.state, again.note) == (RunState.INTERRUPTED, "rejected requests given back by tester: 1")
    receipt = runs.resume(workspace, refused.run_id)
    assert (before, receipt.sent_now, receipt.run.state) == (300, 100, RunState.COMPLETED)
    assert (receipt.users[RequestState.ACCEPTED], receipt.users[RequestState.REJECTED]) == (400, 100)
    arrived = [batch["source_request_id"] for batch in accepted(tmp_path / "sandbox")]
    assert len(arrived) == len(set(arrived)) == 400
    assert runs.resume(workspace, refused.run_id).sent_now == 0
    with pytest.raises(BusyError, match="given back by another process"):
        runs.redrive(workspace, refused.run_id, chosen, now=AT)


def test_what_is_too_old_or_stopped_is_not_sent_again(shop: Account, refused: Run) -> None:
    """After 29 days, without a request, or of a stopped run: an error, and nothing is changed."""
    workspace = shop.workspace
    chosen = runs.rejected(workspace, refused.run_id)
    with pytest.raises(InputError, match="frozen 30 days ago"):
        runs.redrive(workspace, refused.run_id, chosen, now=AT + timedelta(days=30))
    with pytest.raises(InputError, match="has no such rejected requests"):
        runs.redrive(workspace, refused.run_id, [], now=AT)
    with workspace.database.transaction() as sql:
        sql.exec_driver_sql("UPDATE runs SET state = 'stopped'")
    with pytest.raises(InputError, match="is stopped; only what has ended and was not stopped"):
        runs.redrive(workspace, refused.run_id, chosen, now=AT)
    assert workspace.ledger.totals(refused.run_id)[RequestState.REJECTED] == 200


def test_another_receiver_is_refused_first(
    shop: Account, refused: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run went to this machine: for another address nothing is given back."""
    monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", "https://s2s.mparticle.com/v2")
    chosen = runs.rejected(shop.workspace, refused.run_id)
    with pytest.raises(InputError, match=r"was for development at localhost, the settings say"):
        runs.redrive(shop.workspace, refused.run_id, chosen, now=AT)
    assert shop.workspace.ledger.totals(refused.run_id)[RequestState.REJECTED] == 200


def test_a_stop_that_was_faster_stays(shop: Account, receiver: Receiver) -> None:
    """A person stops the run while its rejected requests are being given back: it stops, and nothing goes out."""
    ledger = shop.workspace.ledger
    receiver.play(parse_answers("ok, 400, 503*2"))
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=AT)
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, plan)
    with ledger.hold(plan.run_id) as held:
        ledger.ask_to_stop(plan.run_id, "stopped by tester")
        with pytest.raises(BusyError, match="is stopping; nothing of it was given back"):
            Marks(held, plan.run_id).give_back([2], note="given back")
    assert ledger.get(plan.run_id).state is RunState.STOPPING
    assert ledger.totals(plan.run_id)[RequestState.REJECTED] == 100


def test_the_commands(run: Command, shop: Account, refused: Run) -> None:
    """The list by answer as text and JSON, and the second try with its exit code."""
    config = ("-c", shop.config)
    body = json.loads(run("runs", "rejected", refused.run_id, "--json", *config).out)
    assert [(row["requests"], row["users"]) for row in body["reasons"]] == [(2, 200)]
    assert [row["request"] for row in body["requests"]] == [2, 4]
    assert "requests: 2, 4" in run("runs", "rejected", refused.run_id, *config).out
    assert run("runs", "redrive", refused.run_id, "--request", "2", *config).code == 8
    said = run("runs", "redrive", refused.run_id, *config)
    assert (said.code, "sent now: 100" in said.out) == (0, True)
    assert "has no such rejected requests" in run("runs", "rejected", refused.run_id, *config).out
