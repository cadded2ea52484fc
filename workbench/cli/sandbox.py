"""Commands of the embedded receiver: serve, report, reset."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from workbench.cli.output import Config, Json, answer, out
from workbench.errors import InputError, WorkbenchError
from workbench.export import sandbox as receiver
from workbench.settings import Settings

app = typer.Typer(help="A local receiver that answers as mParticle does.", no_args_is_help=True)

SANDBOX_KEY = "sandbox"


def folder(settings: Settings) -> Path:
    """Where the receiver keeps what it accepted."""
    return settings.directory / "sandbox"


def credentials(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the key and the secret that the receiver asks for: the exported ones, else ``sandbox``."""
    return (
        environment.get("WORKBENCH_MPARTICLE_KEY") or SANDBOX_KEY,
        environment.get("WORKBENCH_MPARTICLE_SECRET") or SANDBOX_KEY,
    )


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="On this machine only.", min=0, max=65535)] = 8787,
    answers: Annotated[
        str, typer.Option(help='Answers to play first, e.g. "503*2, 429 retry-after=2".')
    ] = "",
    rate_limit: Annotated[
        int | None, typer.Option(help="Batches a second above which it answers 429.")
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Written with the URL once it answers.")] = None,
    config: Config = None,
) -> None:
    """Receive on this machine until Ctrl-C."""
    settings = Settings.load(config)
    try:
        script = receiver.parse_answers(answers) if answers else ()
    except ValueError as error:
        raise InputError(f"--answers: {error}") from error
    key, secret = credentials(os.environ)
    server = receiver.Receiver(
        folder(settings), key=key, secret=secret, port=port, answers=script, rate_limit=rate_limit
    )

    def ready(url: str) -> None:
        out.print(
            f"receiving at [bold]{url}[/]; a page with counts: {url.removesuffix('/v2')}/; stop with Ctrl-C"
        )
        if key == SANDBOX_KEY:
            out.print("its key: export WORKBENCH_MPARTICLE_KEY=sandbox WORKBENCH_MPARTICLE_SECRET=sandbox")
        if ready_file:
            ready_file.write_text(url, encoding="utf-8")

    try:
        server.serve_forever(ready)
    except OSError as error:
        raise WorkbenchError(
            f"port {port} cannot be used: {error.strerror or error}; choose another --port"
        ) from error


@app.command()
def report(config: Config = None, json: Json = False) -> None:
    """Show what arrived, and what was dropped without a word."""
    try:
        found = receiver.report(folder(Settings.load(config)))
    except FileNotFoundError as error:
        raise InputError("the sandbox has received nothing yet; start it: workbench sandbox serve") from error

    def show() -> None:
        without = f" ({found.without_event:,} without an event)" if found.without_event else ""
        out.print(
            f"[bold]{found.accepted:,}[/] batches accepted{without}, {found.duplicates:,} duplicates, "
            f"{found.dropped_count:,} dropped, in {found.requests:,} requests"
        )
        table = Table("what", "which", "count")
        rows: list[tuple[str, str, Any]] = [("run", name, n) for name, n in found.accepted_per_run]
        rows += [("environment", name, n) for name, n in found.accepted_per_environment]
        rows += [("answer", name, n) for name, n in found.answers]
        rows += [("dropped", f"{rule}: {reason}", n) for rule, reason, n in found.dropped]
        rows += [("cut", name, n) for name, n in found.cut]
        rows += [("warning", name, n) for name, n in found.warnings]
        for what, which, count in rows:
            table.add_row(what, escape(str(which)), f"{count:,}")
        out.print(table)

    answer(found, as_json=json, show=show)


@app.command()
def reset(config: Config = None) -> None:
    """Forget everything that arrived."""
    receiver.reset(folder(Settings.load(config)))
    out.print("the sandbox is empty")
