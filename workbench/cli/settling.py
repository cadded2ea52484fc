"""``workbench runs settle``: a person's word for outcomes that nobody will learn any more."""

from typing import Annotated, Literal

import typer

from workbench import runs
from workbench.cli.output import Config, Json, answer, out
from workbench.cli.sending import run_json, show_receipt
from workbench.export.ledger import RequestState
from workbench.runs import Receipt
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace


def settle(
    run: Annotated[str, typer.Argument(help="The id of a run that is too old to be sent.")],
    outcome: Annotated[
        Literal["accepted", "rejected"],
        typer.Option("--as", help="What became of the requests that may have arrived."),
    ],
    because: Annotated[str, typer.Option(help="Why; the requests and the audit trail keep it.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """End a run of over 29 days whose outcomes are open, by a person's word; nothing is sent."""
    workspace = open_workspace(config)
    settled = runs.settle(workspace, run, RequestState(outcome), because=because, now=utc_now())
    found, users = workspace.ledger.get(run), workspace.ledger.totals(run)
    receipt = Receipt(run=found, sent_now=0, was_complete=True, users=users)

    def show() -> None:
        show_receipt(workspace, receipt, now_sent=False)
        out.print(
            f"[bold]{settled.doubtful:,} users {outcome}[/] by your word; {settled.unsent:,} were never sent to"
        )

    body = {**run_json(found, users), "settled": settled.doubtful, "never_sent": settled.unsent}
    answer(body, as_json=json, show=show)
