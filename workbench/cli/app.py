"""The command line put together; exit codes are those of ``errors``."""

import os
import sys
from collections.abc import Sequence

import typer
from rich.markup import escape

from workbench import __version__
from workbench.cli import (
    audit,
    control,
    data,
    demo,
    insight,
    lake,
    library,
    lists,
    lookup,
    measure,
    previewing,
    proof,
    rehearsing,
    rejected,
    sandbox,
    sending,
    serve,
    settling,
    stopping,
    trying,
)
from workbench.cli.output import err, out
from workbench.errors import InputError, WorkbenchError

app = typer.Typer(
    help="Build segments over your own events, see exact reach, send capped campaigns to mParticle once each.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=(
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong input, 4 store, 5 receiver does not answer "
        "(resume), 6 key refused (resume), 7 busy elsewhere, 8 some users rejected or unknown, or the run was stopped, 130 interrupted."
    ),
)

app.command("demo")(demo.demo)
app.command("init")(data.init)
app.command("check")(data.check)
app.command("ingest")(data.ingest_command)
app.add_typer(library.segments, name="segment")
library.segments.command("overlap")(insight.overlap)
library.segments.command("diff")(insight.diff)
library.segments.command("curve")(insight.curve)
library.segments.command("history")(insight.history)
app.add_typer(library.campaigns, name="campaign")
library.campaigns.command("power")(measure.power)
library.campaigns.command("balance")(measure.balance)
app.add_typer(control.app, name="control")
library.campaigns.command("preview")(previewing.show_preview)
library.campaigns.command("test")(trying.send_test)
app.add_typer(trying.testers, name="testers")
app.add_typer(lists.app, name="lists")
app.add_typer(lake.app, name="lake")
app.command("reach")(data.reach)
app.command("plan")(sending.plan)
app.command("rehearse")(rehearsing.rehearse)
app.command("send")(sending.send)
app.command("resume")(sending.resume)
app.add_typer(sending.history, name="runs")
sending.history.command("stop")(stopping.stop)
sending.history.command("verify")(proof.verify)
sending.history.command("leaks")(proof.leaks)
sending.history.command("rejected")(rejected.list_rejected)
sending.history.command("redrive")(rejected.redrive)
sending.history.command("settle")(settling.settle)
sending.history.command("users")(lookup.list_users)
app.command("explain")(lookup.explain)
app.command("audit")(audit.audit)
app.add_typer(sandbox.app, name="sandbox")
app.command("lab")(serve.lab)
app.command("dashboards")(serve.dashboards)


@app.command("version")
def version() -> None:
    """Print the version."""
    out.print(__version__)


def main() -> None:
    """Run a command; every error that a user can meet is one line (or one a problem) and an exit code."""
    try:
        _refuse_other_bytes(sys.argv[1:])
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except WorkbenchError as error:
        err.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True)
        for note in getattr(error, "__notes__", ()):
            err.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
        sys.exit(error.exit_code)


def _refuse_other_bytes(arguments: Sequence[str]) -> None:
    """Refuse what is not UTF-8: neither the lake nor the ledger could be asked for it."""
    for place, argument in enumerate(arguments, 1):
        if any("\ud800" <= char <= "\udfff" for char in argument):
            readable = argument.encode(errors="replace").decode()
            raise InputError(f'argument {place}, "{readable}", is not text in UTF-8')
