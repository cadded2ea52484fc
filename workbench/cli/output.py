"""What the command line prints: tables for people, JSON for programs, errors in one place."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench import progress
from workbench.campaigns.verdicts import steps
from workbench.segments.vectors import Watch

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The workbench.toml; by default the nearest one upwards."),
]

Because = Annotated[str | None, typer.Option("--because", help="Why; the audit trail keeps it.")]


def answer(value: Any, *, as_json: bool, show: Callable[[], None]) -> None:
    """Print a value as JSON, or let ``show`` print it for people."""
    if as_json:
        sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")
    else:
        show()


def raw(text: str) -> None:
    """Print a text as it is: to be saved, piped or pasted."""
    sys.stdout.write(text)


def plain(value: Any) -> Any:
    """Return JSON values: instants as ISO 8601 UTC, frames as rows, paths as text."""
    if isinstance(value, pl.DataFrame):
        return plain(value.to_dicts())
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Path):
        return str(value)
    return value


def waterfall(frame: pl.DataFrame, qualified: int, title: str) -> Table:
    """Return the table of verdicts: one row a reason, both arms, and a total that adds up."""
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("verdict", footer="qualified")
    table.add_column("reason")
    for arm in ("target", "control"):
        of_arm = frame.filter(pl.col("arm") == arm)["users"].sum()
        table.add_column(arm, justify="right", footer=f"{of_arm:,}")
    table.add_column("users", justify="right", footer=f"{qualified:,}")
    for step in steps(frame).iter_rows(named=True):
        style = {"send": "green", "holdout": "cyan"}.get(step["verdict"], "dim")
        cells = [f"{step[arm]:,}" if step[arm] else "" for arm in ("target", "control")]
        why = escape(step["reason"] or step["held_by"] or "")
        table.add_row(f"[{style}]{step['verdict']}[/]", why, *cells, f"{step['users']:,}")
    return table


def local(instant: datetime | None, zone: Any) -> str:
    """Return an instant in the account's zone."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") if instant else ""


def watching(silent: bool) -> Watch:
    """Return what draws a bar for a question that takes longer than a moment."""
    return Watch(progress.bar(silent=silent, after=progress.SOON))
