"""``workbench rehearse``: a send before it happens, with faults and kills, to a receiver on this machine."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Never

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import progress
from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, err, out
from workbench.cli.sending import AsOf, Campaign, Occurrence
from workbench.errors import UndeliveredError
from workbench.rehearsal import FAULTS, Rehearsal
from workbench.rehearsal import rehearse as rehearse_
from workbench.rehearsal.points import NAMES
from workbench.rehearsal.rehearsing import SOME
from workbench.rehearsal.results import facts
from workbench.runs import Report
from workbench.workspace import open_workspace

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
NUMBERS = ("arrived", "missing", "doubled", "held out", "rejected", "resumed")


def rehearse(
    campaign: Campaign,
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"What the receiver does (default: all of {', '.join(f.name for f in FAULTS)})."),
    ] = None,
    kill: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the sending process dies: some, all, none, or a point and which time (after commit 2) of "
            f"{', '.join(NAMES)}."
        ),
    ] = None,
    occurrence: Occurrence = None,
    as_of: AsOf = None,
    database: Annotated[
        str | None, typer.Option(help="URL of an empty PostgreSQL database for the ledger (default: SQLite).")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="A new folder for everything (default: nothing is left).")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send a campaign's plan to a local receiver that fails in many ways; nobody is sent to."""
    workspace = open_workspace(config)
    kills = kill or [SOME]
    with _ended_by_sigterm():
        found = rehearse_(
            workspace,
            campaign,
            occurrence=parse_instant(occurrence, "--occurrence"),
            as_of=parse_instant(as_of, "--as-of"),
            faults=fault or (),
            kills=kills[0] if len(kills) == 1 else kills,
            database=database,
            keep=keep,
            report=_report(silent=json),
        )
    body = {
        "run_id": found.plan.run_id, "environment": found.plan.environment, "qualified": found.plan.qualified,
        "to_send": found.plan.to_send, "requests": found.requests, "database": found.database,
        "holds": found.holds, "seconds": round(found.seconds, 3), "folder": found.folder,
        "rows": [facts(row) for row in found.rows],
    }  # fmt: skip
    answer(body, as_json=json, show=lambda: _show(found))
    if not found.holds:
        failed = ", ".join(row.name for row in found.rows if row.holds is False)
        raise UndeliveredError(f"the rehearsal of {found.plan.run_id} did not go through: {failed}")


def _report(*, silent: bool) -> Report:
    """Draw a bar; once the first send is done, say how long all will take."""
    bar, began = progress.bar(silent=silent), time.monotonic()

    def report(label: str, done: int, total: int) -> None:
        bar(label, done, total)
        if done == 1 and not silent:
            took = max(time.monotonic() - began, 1)
            err.print(f"[dim]{_many(total, 'send')} of the whole plan, {took:.0f} s for the first one[/]")

    return report


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _show(found: Rehearsal) -> None:
    numbers = [Column(name, justify="right") for name in NUMBERS]
    table = Table(
        "",
        Column("fault", no_wrap=True),
        *numbers,
        "verdict",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
    for row in found.rows:
        came = row.arrived
        counts = (came.users, came.missing, came.doubled, came.held_out, row.rejected, row.resumed)
        table.add_row(MARKS[row.holds], row.name, *(f"{count:,}" for count in counts), escape(row.verdict))
    out.print(table)
    planned = found.plan
    out.print(
        f"{planned.run_id}: {planned.to_send:,} of {planned.qualified:,} users in {found.requests:,} requests, "
        f"{_many(len(found.rows), 'time')}, ledger on {found.database}, {found.seconds:.0f} s",
        soft_wrap=True,
    )
    out.print(
        "[dim]pacing off, time-outs short; nobody was sent to and nothing of the account was changed[/]"
    )
    if found.folder:
        out.print(f"[dim]kept in {escape(str(found.folder))}[/]", soft_wrap=True)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: nothing is left behind."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> Never:
    sys.exit(128 + number)
