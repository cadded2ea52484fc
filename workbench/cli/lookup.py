"""``workbench explain`` and ``workbench runs users``: one user of a run, or a list of them."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import lookup
from workbench.cli.output import Config, Json, answer, local, out
from workbench.errors import InputError, StoreError
from workbench.lookup import Answer, Explained
from workbench.workspace import Workspace, open_workspace

SHOWN = 50
MARKS = {
    Answer.PASSES: "[green]✓[/]",
    Answer.STOPS: "[red]✗[/]",
    Answer.HELD_OUT: "[cyan]■[/]",
    Answer.WAITS: "[yellow]…[/]",
    Answer.NOT_ASKED: "[dim]–[/]",
}


def explain(
    run: Annotated[str, typer.Option("--run", help="The id of a run.")],
    user: Annotated[str, typer.Option("--user", help="The user's id.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Say why a user was sent to in a run, held out or left out: every step, asked again."""
    workspace = open_workspace(config)
    found = lookup.explain_run(workspace, run, user)
    answer(explained_json(found), as_json=json, show=lambda: _show(found, workspace))


def list_users(
    run: Annotated[str, typer.Argument(help="The id of a run.")],
    verdict: Annotated[str | None, typer.Option(help="send, holdout or not sent (default: all).")] = None,
    reason: Annotated[
        str | None, typer.Option(help='In full, or what stands before its colon: "invalid profile".')
    ] = None,
    arm: Annotated[str | None, typer.Option(help="target or control (default: both).")] = None,
    leaving: Annotated[
        bool, typer.Option("--leaving", help="Those who left the audience that the campaign keeps, instead.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(help=f"How many (default: {SHOWN}; of a file: all).", min=1)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write them to a file, which only you can read, instead.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the users of a run by verdict, reason and arm, or who left the audience by it."""
    workspace = open_workspace(config)
    most = limit if limit is not None or csv is not None else SHOWN
    if leaving:
        if verdict or reason or arm:
            raise InputError(
                "--leaving lists users without a verdict: leave out --verdict, --reason and --arm"
            )
        _list_leaving(workspace, run, most, csv, json=json)
        return
    total = lookup.how_many(workspace, run, verdict=verdict, reason=reason, arm=arm)
    found = lookup.users(workspace, run, verdict=verdict, reason=reason, arm=arm, limit=most)
    if csv is not None:
        _write(csv, found)
    body = {"run": run, "users": total, "shown": found.height}
    body |= {"file": csv} if csv is not None else {"rows": found}
    answer(body, as_json=json, show=lambda: _show_users(found, total, csv, workspace))


def _list_leaving(workspace: Workspace, run: str, most: int | None, csv: Path | None, *, json: bool) -> None:
    found, total = lookup.leavers(workspace, run, limit=most), lookup.how_many_left(workspace.ledger.get(run))
    if csv is not None:
        _write(csv, found)

    def show() -> None:
        if csv is not None:
            out.print(f"{found.height:,} of {total:,} users are in {csv}", soft_wrap=True)
            return
        names = ("why", "not told", "request")
        table = Table(Column("user", no_wrap=True), *names, box=SIMPLE_HEAD, padding=(0, 1))
        for row in found.iter_rows(named=True):
            request = f"{row['request']} {row['state']}" if row["request"] is not None else ""
            table.add_row(escape(row["user_id"]), row["reason"], row["kept"] or "", request)
        if found.height:
            out.print(table)
        if workspace.ledger.get(run).membership is None:
            out.print("the campaign kept no audience when this run was made: nobody leaves")
            return
        rest = "" if found.height == total else f", {found.height:,} are shown; --limit or --csv gives more"
        out.print(f"{total:,} users are no longer in the audience{rest}")

    body = {"run": run, "users": total, "shown": found.height}
    body |= {"file": csv} if csv is not None else {"rows": found}
    answer(body, as_json=json, show=show)


def explained_json(found: Explained) -> dict[str, Any]:
    """Return an explanation as JSON values."""
    run = found.run
    return {
        "run": run.run_id, "user": found.user_id, "arm": found.arm, "held_by": found.held_by,
        "verdict": found.verdict, "reason": found.reason, "agrees": found.agrees,
        "differences": found.differences, "not_recomputed": found.not_recomputed,
        "draws": found.draws, "cap_key": found.cap_key, "source_request_id": found.source_request_id,
        "steps": found.steps, "left": found.left, "campaign": run.campaign_id, "campaign_version": run.campaign_version,
        "as_of": run.as_of, "consent_at": run.created_at, "lake_version": run.lake_version,
        "audience_digest": run.audience_digest,
    }  # fmt: skip


def _show(found: Explained, workspace: Workspace) -> None:
    run = found.run
    out.print(f"[bold]{escape(found.summary)}[/]", soft_wrap=True)
    wide = max(len(step.name) for step in found.reached)
    for step in found.reached:
        style = "dim" if step.answer is Answer.NOT_ASKED else "default"
        name = f"{step.name:<{wide}}"
        words = f"{step.answer:<11}"
        out.print(
            f"  {MARKS[step.answer]} [bold]{escape(name)}[/]  [{style}]{words}  {escape(step.sentence)}[/]",
            soft_wrap=True,
        )
        for line in step.lines:
            out.print(f"    {'':<{wide}}  {'':<11}  [dim]{escape(line)}[/]", soft_wrap=True)
        if step.differs:
            out.print(f"    {'':<{wide}}  [yellow]{escape(step.differs)}[/]", soft_wrap=True)
    if found.not_reached:
        out.print(f"  [dim]· not reached: {escape(', '.join(found.not_reached))}[/]", soft_wrap=True)
    style = "green" if found.agrees else "yellow"
    out.print(f"[{style}]{escape(found.proof)}[/]", soft_wrap=True)
    out.print(
        f"[dim]{run.run_id}, campaign version {run.campaign_version}, as of {local(run.as_of, workspace.zone)}, "
        f"lake version {run.lake_version}, audience sha256 {run.audience_digest[:16]}…, verified[/]",
        soft_wrap=True,
    )


def _show_users(found: pl.DataFrame, total: int, csv: Path | None, workspace: Workspace) -> None:
    if csv is not None:
        out.print(f"{found.height:,} of {total:,} users are in {csv}", soft_wrap=True)
        return
    table = Table(Column("user", no_wrap=True), "arm", "verdict", "reason", box=SIMPLE_HEAD, padding=(0, 1))
    table.add_column("send at", no_wrap=True)
    table.add_column("request", no_wrap=True)
    for row in found.iter_rows(named=True):
        request = f"{row['request']} {row['state']}" if row["request"] is not None else ""
        arm = f"{row['arm']} ({row['held_by']})" if row["held_by"] else row["arm"]
        when = local(row["send_at"], workspace.zone)
        cells = (row["user_id"], arm, row["verdict"], row["reason"] or "", when, request)
        table.add_row(*(escape(cell) for cell in cells))
    if found.height:
        out.print(table)
    rest = "" if found.height == total else f", {found.height:,} are shown; --limit or --csv gives more"
    out.print(f"{total:,} users{rest}")


def _write(path: Path, found: pl.DataFrame) -> None:
    """Write a file that nobody else can read, at once or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            found.write_csv(stream)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
