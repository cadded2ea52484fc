"""``workbench runs verify`` and ``workbench runs leaks``: whether a run is what the ledger says of it."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import progress, proof
from workbench.cli.output import Config, Json, answer, local, out
from workbench.errors import StoreError
from workbench.proof.leaks import ANOTHER_CAMPAIGN
from workbench.workspace import open_workspace

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}

RunId = Annotated[str, typer.Argument(help="The id of a run.")]


def verify(run: RunId, config: Config = None, json: Json = False) -> None:
    """Build a run's requests again from its snapshot and versions, and compare every record of it."""
    workspace = open_workspace(config)
    found = proof.verify(workspace, run, report=progress.bar(silent=json))

    def show() -> None:
        table = Table("", Column("check", no_wrap=True), "found", box=None, show_header=False, padding=(0, 1))
        for check in found.checks:
            table.add_row(MARKS[check.holds], check.name, escape(check.sentence))
        out.print(table)

    answer({"run": run, "holds": found.holds, "checks": found.checks}, as_json=json, show=show)
    if found.holds is False:
        wrong = ", ".join(check.name for check in found.checks if check.holds is False)
        raise StoreError(f"{run} is not what was recorded: {wrong}")


def leaks(
    run: RunId,
    days: Annotated[
        int | None,
        typer.Option(help="How long after its send (default: the time of the campaign's goal, else 30)."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Look for messages that reached the held-out users of a run, by their own or a shared identity."""
    workspace = open_workspace(config)
    found = proof.leaks(workspace, run, days=days)

    def show() -> None:
        if found.rows.height:
            columns = [Column(name, no_wrap=True) for name in ("run", "reached by")]
            table = Table("way", *columns, Column("held-out users", justify="right"), box=SIMPLE_HEAD)
            for way, reached_by, other, users in found.counts.iter_rows():
                style = "dim" if way == ANOTHER_CAMPAIGN else "red"
                table.add_row(way, escape(other), reached_by, f"{users:,}", style=style)
            out.print(table)
        out.print(
            f"{found.users:,} of {found.held_out:,} held-out users had a message that they must not have had; "
            f"{found.runs:,} runs "
            f"looked at, up to {local(found.until, workspace.zone)}",
            soft_wrap=True,
        )

    body = {
        "run": run, "held_out": found.held_out, "leaked": found.users, "until": found.until, "runs": found.runs,
        "counts": found.counts, "rows": found.rows,
    }  # fmt: skip
    answer(body, as_json=json, show=show)
    if found.users:
        raise StoreError(f"{found.users:,} held-out users of {run} had a message that they must not have had")
