"""The report of runs: what was decided and what became of it, from the ledger alone."""

from datetime import timedelta

from accounts import NOW, Account

from workbench import runs
from workbench.export.sandbox import Receiver, parse_answers
from workbench.stats import report


def test_a_run_is_one_row_that_adds_up(shop: Account, receiver: Receiver) -> None:
    """Of 1,000 qualified 500 are sent to; of five requests the first one is rejected."""
    receiver.play(parse_answers("400"))
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW), clock=lambda: NOW)
    (row,) = report.runs_frame(shop.workspace.ledger).to_dicts()
    counts = {name: value for name, value in row.items() if isinstance(value, int)}
    assert counts == {
        "version": 1, "qualified": 1000, "send": 500, "holdout": 100, "not_sent": 400,
        "accepted": 400, "rejected": 100, "unknown": 0, "pending": 0,
    }  # fmt: skip
    assert (row["run_id"], row["state"], row["created_by"]) == (
        "hello-20260701T120000Z",
        "completed",
        "tester",
    )
    assert row["occurrence"] == row["as_of"] == row["created_at"] == NOW


def test_many_runs_come_newest_first_with_their_own_totals(shop: Account, receiver: Receiver) -> None:
    """Two occurrences, the later one first; the overview shows the verdicts of that one."""
    workspace = shop.workspace
    for days in (0, 1):
        now = NOW + timedelta(days=days)
        runs.execute(
            workspace, runs.plan(workspace, "hello", occurrence=now, as_of=now, now=now), clock=lambda: NOW
        )
    found = report.overview(workspace.ledger, account="test", zone=workspace.zone, now=NOW)
    assert found.runs["run_id"].to_list() == ["hello-20260702T120000Z", "hello-20260701T120000Z"]
    assert found.runs["accepted"].to_list() == [500, 500]
    assert (found.accepted, found.held_out) == (1000, 200)
    assert found.waterfall["users"].to_list() == [400, 100, 500]


def test_an_empty_ledger_gives_empty_frames(account: Account) -> None:
    """No run: no row, the same columns, sums of 0."""
    found = report.overview(account.workspace.ledger, account="test", zone=account.workspace.zone, now=NOW)
    assert found.runs.schema == report.RUNS
    assert (found.runs.height, found.accepted, found.waterfall.height) == (0, 0, 0)
