"""What has to be so after any fire: at the receiver, in the ledger, in the lake and on the command line."""

import json
from pathlib import Path

import polars as pl
from accounts import Account
from command_line import Run

from workbench import proof
from workbench.campaigns import control
from workbench.cli.output import plain
from workbench.cli.sending import run_json
from workbench.export.ledger import RequestState, RunState
from workbench.export.sandbox import accepted

HELD_OUT = {n for n in range(1000) if control.key("test-salt/control/hello", f"{n:05d}") < "1999999a"}


def check(account: Account, folder: Path) -> str:
    """Look at all of ``hello``: 1,000 buyers, a cap of 500, a tenth held out. Return the run."""
    workspace = account.workspace
    (run,) = workspace.ledger.newest()
    arrived = [batch["source_request_id"] for batch in accepted(folder)]
    users = {int(batch["user_identities"]["customer_id"]) for batch in accepted(folder)}
    audience = pl.read_parquet(workspace.settings.directory / run.audience_path)
    sent = audience.filter(pl.col("verdict") == "send")
    assert len(arrived) == len(set(arrived)) == len(users) == 500
    assert set(arrived) == set(sent["source_request_id"])
    assert not users & HELD_OUT
    assert audience.height == 1000 == sum(row["users"] for row in run.verdicts)
    assert run.state is RunState.COMPLETED
    assert {state: users for state, users in workspace.ledger.totals(run.run_id).items() if users} == {
        RequestState.ACCEPTED: 500
    }
    assert proof.verify(workspace, run.run_id).holds is True
    events = workspace.lake.at().catalogue.events["Control Group"]
    assert events.rows == len(HELD_OUT)
    return run.run_id


def check_shown(run: Run, account: Account, run_id: str) -> None:
    """``runs show --json`` says the same; on a server what it prints, for a command leaves its connections open."""
    ledger = account.workspace.ledger
    if account.workspace.database.is_sqlite:
        shown = json.loads(run("runs", "show", run_id, "--json", "-c", account.config).out)
    else:
        shown = plain(run_json(ledger.get(run_id), ledger.totals(run_id)))
    assert (shown["state"], shown["note"], shown["qualified"], shown["to_send"]) == (
        "completed",
        None,
        1000,
        500,
    )
    assert shown["users"] == {"reserved": 0, "sent": 0, "accepted": 500, "rejected": 0, "unknown": 0}
    assert {(row["verdict"], row["reason"]): row["users"] for row in shown["waterfall"]} == {
        ("send", None): 500,
        ("holdout", None): len(HELD_OUT),
        ("not sent", "campaign limit for the run"): 500 - len(HELD_OUT),
    }
