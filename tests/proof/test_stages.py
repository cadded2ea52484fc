"""However far a run has come, its row and its requests are those of the trail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from accounts import NOW, Account
from proof.tampering import Tampered

from workbench import proof, runs
from workbench.errors import DestinationError
from workbench.export.ledger import RequestState, Run, RunState
from workbench.export.marks import Mark, Marks
from workbench.export.sandbox import Receiver, parse_answers
from workbench.runs.reserving import reserve

AT = datetime.now(UTC)
ENDED = "as ended"


def reserved(shop: Account, receiver: Receiver) -> Run:
    """A run that nobody has begun to send."""
    planned = runs.plan(shop.workspace, "hello", as_of=NOW, now=AT)
    return reserve(shop.workspace, planned, "k" * 64, lambda label, done, total: None)


def started(shop: Account, receiver: Receiver) -> Run:
    """A run whose process was killed after its first request."""
    run = reserved(shop, receiver)
    with shop.workspace.ledger.hold(run.run_id) as held:
        marks = Marks(held, run.run_id)
        marks.start()
        marks.tick([], room=1, now=AT)
    return run


def interrupted(shop: Account, receiver: Receiver) -> Run:
    """A run with a request that was accepted and one in doubt."""
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=AT))
    return shop.workspace.ledger.newest()[0]


def stopped(shop: Account, receiver: Receiver) -> Run:
    """The same, stopped by a person."""
    return runs.stop(shop.workspace, interrupted(shop, receiver).run_id, because="wrong text")


def stopping(shop: Account, receiver: Receiver) -> Run:
    """A run that is to stop while its process has not said yet that it has."""
    run = started(shop, receiver)
    shop.workspace.ledger.ask_to_stop(run.run_id, "stopped by tester")
    return run


def given_back(shop: Account, receiver: Receiver) -> Run:
    """A run with a request that was rejected and is to be sent again."""
    receiver.play(parse_answers("ok, 400"))
    run = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=AT)).run
    return runs.redrive(shop.workspace, run.run_id, runs.rejected(shop.workspace, run.run_id), now=AT)


def settled(shop: Account, receiver: Receiver) -> Run:
    """A run that was too old to be sent, with a person's word."""
    run = interrupted(shop, receiver)
    late = AT + timedelta(days=40)
    runs.settle(shop.workspace, run.run_id, RequestState.ACCEPTED, because="seen there", now=late)
    return run


def blocked(shop: Account, receiver: Receiver) -> Run:
    """A run that sent nobody."""
    shop.save_campaign("hello", "buyers", safety_check={"more_than": 10}, alert_to=["json://127.0.0.1:9"])
    return runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=AT)).run


OPEN = (reserved, started, stopping)


@pytest.mark.parametrize(
    "stage", [reserved, started, stopping, interrupted, stopped, given_back, settled, blocked]
)
def test_each_stage_is_that_of_the_trail(
    shop: Account, receiver: Receiver, stage: Callable[[Account, Receiver], Run]
) -> None:
    """Every other state, another end, another note; and what became of requests, once none is in flight."""
    run = stage(shop, receiver)
    tampered = Tampered(account=shop, run=run, before=run)
    assert tampered.wrong() == set()
    changes = [("runs", "state", state.value) for state in RunState]
    changes += [("runs", "finished_at", "2026-01-01T00:00:00.000000Z"), ("runs", "note", "all is well")]
    if stage not in OPEN and stage is not blocked:
        changes += [("requests", "state", state.value) for state in RequestState]
        changes += [("requests", "attempts", 7), ("requests", "answer", "202 OK")]
        changes += [("requests", "answered_at", "2026-01-01T00:00:00.000000Z")]
    for table, column, value in changes:
        of = "run_id = :run" + (" AND number = 5" if table == "requests" else "")
        if tampered.value(f"SELECT {column} FROM {table} WHERE {of}") != value:
            with tampered.put(table, column, f"'{value}'", of):
                assert tampered.wrong() == {ENDED}, (table, column, value)


def test_an_acceptance_after_an_interruption_has_its_entry(shop: Account, receiver: Receiver) -> None:
    """A process that has lost its hold records what arrived, when another one has interrupted the run already."""
    run, workspace = reserved(shop, receiver), shop.workspace
    with workspace.ledger.hold(run.run_id) as held:
        marks = Marks(held, run.run_id)
        marks.start()
        marks.tick([], room=1, now=AT)
        marks.conclude(RunState.INTERRUPTED, now=AT)
        marks.rescue([Mark(number=1, state=RequestState.ACCEPTED, answer="202")], AT)
    assert proof.verify(workspace, run.run_id).holds is True
    runs.resume(workspace, run.run_id)
    assert proof.verify(workspace, run.run_id).holds is True
