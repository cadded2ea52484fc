"""``workbench rehearse``: a send before it happens, with faults and kills, to a receiver on this machine."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Never

import typer
from rich.markup import escape

from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, err
from workbench.cli.rehearsed import Shown, interrupted
from workbench.cli.sending import AsOf, Campaign, Occurrence
from workbench.errors import CancelledError, UndeliveredError
from workbench.rehearsal import FAULTS, Rehearsal
from workbench.rehearsal import rehearse as rehearse_
from workbench.rehearsal.points import NAMES, SOME
from workbench.rehearsal.results import facts
from workbench.workspace import open_workspace

INTERRUPTED = CancelledError.exit_code


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
    shown = Shown(silent=json)
    with _ended_by_sigterm():
        try:
            rehearse_(
                workspace,
                campaign,
                occurrence=parse_instant(occurrence, "--occurrence"),
                as_of=parse_instant(as_of, "--as-of"),
                faults=fault or (),
                kills=kills[0] if len(kills) == 1 else kills,
                database=database,
                keep=keep,
                report=shown.report,
                told=shown.told,
            )
        except (KeyboardInterrupt, SystemExit) as signalled:
            # The command ends now; a second Ctrl-C does not change how.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            shown.line.close()
            if shown.found is None:
                raise
            _end(shown, json=json, interrupted=True)
            err.print(f"[yellow]{escape(interrupted(shown.found))}[/]", soft_wrap=True)
            sys.exit(INTERRUPTED if isinstance(signalled, KeyboardInterrupt) else signalled.code)
        finally:
            shown.line.close()
    _end(shown, json=json, interrupted=False)
    found = shown.found
    if found is not None and not found.holds:
        failed = ", ".join(row.name for row in found.rows if row.holds is False)
        raise UndeliveredError(f"the rehearsal of {found.plan.run_id} did not go through: {failed}")


def _end(shown: Shown, *, json: bool, interrupted: bool) -> None:
    if shown.found is not None:
        body = {**_json(shown.found), "interrupted": interrupted}
        answer(body, as_json=json, show=lambda: shown.sum(interrupted=interrupted))


def _json(found: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal for programs; no person is in it."""
    planned = found.plan
    return {
        "run_id": planned.run_id, "environment": planned.environment, "qualified": planned.qualified,
        "to_send": planned.to_send, "leaves": planned.leaving.told.height if planned.leaving else None,
        "requests": found.requests, "database": found.database, "holds": found.holds,
        "seconds": round(found.seconds, 3), "folder": found.folder, "total": found.total,
        "rows": [facts(row) for row in found.rows],
    }  # fmt: skip


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: nothing is left behind."""
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, frame: FrameType | None) -> Never:
    sys.exit(128 + number)
