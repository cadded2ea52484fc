"""``workbench runs rejected`` and ``workbench runs redrive``: what the receiver refused, and sending it again."""

from typing import Annotated

import polars as pl
import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import progress, runs
from workbench.cli.output import Because, Config, Json, answer, out
from workbench.cli.sending import finish_sending
from workbench.export.ledger import Kind
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

RunId = Annotated[str, typer.Argument(help="The id of a run.")]
Answered = Annotated[str | None, typer.Option("--answer", help="Only those whose answer has this in it.")]
Numbers = Annotated[list[int] | None, typer.Option("--request", help="Only these requests.")]


def list_rejected(
    run: RunId, text: Answered = None, request: Numbers = None, config: Config = None, json: Json = False
) -> None:
    """List the rejected requests of a run: by what the receiver said, and each of them."""
    workspace = open_workspace(config)
    found = runs.rejected(workspace, run, answer=text, numbers=request or ())
    rows = [
        {
            "answer": item.answer or "",
            "request": item.number,
            "kind": str(item.kind),
            "users": item.users,
            "batches": item.batches,
            "attempts": item.attempts,
        }
        for item in found
    ]
    frame = pl.DataFrame(
        rows,
        schema={
            "answer": pl.String,
            "request": pl.Int64,
            "kind": pl.String,
            **dict.fromkeys(("users", "batches", "attempts"), pl.Int64),
        },
    )
    reasons = frame.group_by("answer", "kind", maintain_order=True).agg(
        pl.len().alias("requests"), pl.col("users").sum()
    )

    def show() -> None:
        if not found:
            out.print(f"{run} has no such rejected requests")
            return
        numbers = [Column(name, justify="right") for name in ("requests", "users")]
        table = Table("the receiver said", "about", *numbers, box=SIMPLE_HEAD)
        for said, kind, requests, users in reasons.iter_rows():
            table.add_row(escape(said), kind, f"{requests:,}", f"{users:,}")
        out.print(table)
        out.print(f"requests: {', '.join(map(str, frame['request'].to_list()))}", soft_wrap=True)
        leaving = " (or with --leaving)" if Kind.LEAVE in frame["kind"] else ""
        out.print(f"[dim]who: workbench runs users {run}{leaving}; again: workbench runs redrive {run}[/]")

    answer({"run": run, "reasons": reasons, "requests": frame}, as_json=json, show=show)


def redrive(
    run: RunId,
    text: Answered = None,
    request: Numbers = None,
    because: Because = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send rejected requests again, with the same bytes and ids, after the cause was put right."""
    workspace = open_workspace(config)
    found = runs.rejected(workspace, run, answer=text, numbers=request or ())
    runs.redrive(workspace, run, found, now=utc_now(), because=because)
    finish_sending(workspace, runs.resume(workspace, run, report=progress.bar(silent=json)), as_json=json)
