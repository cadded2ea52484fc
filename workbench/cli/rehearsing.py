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
from workbench.export.signals import HEARD
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
    with _ended_by_signals():
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
            _hear_nothing_more()
            shown.line.close()
            _end(shown, json=json, interrupted=True)
            said = interrupted(shown.found) if shown.found else "interrupted before the first send was begun"
            err.print(f"[yellow]{escape(said)}[/]", soft_wrap=True)
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
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: nothing is left behind."""
    before = {number: signal.signal(number, _break_off) for number in HEARD}
    try:
        yield
    finally:
        if not _is_deaf():
            for number, handler in before.items():
                signal.signal(number, handler)


def _break_off(number: int, frame: FrameType | None) -> Never:
    _hear_nothing_more()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _hear_nothing_more() -> None:
    """The command ends now: an impatient second Ctrl-C must not break off what takes the copy away."""
    for number in HEARD:
        signal.signal(number, signal.SIG_IGN)


def _is_deaf() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN
