"""Commands about the lake's files: show, compact."""

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from workbench import progress
from workbench.cli.output import Config, Json, answer, out
from workbench.store import compact, layout
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

app = typer.Typer(help="The lake's files: how they lie, and merging small ones.", no_args_is_help=True)

MEGABYTE = 1_000_000


@app.command("show")
def show_command(config: Config = None, json: Json = False) -> None:
    """Show files, rows and bytes of each kind and month at the newest version."""
    workspace = open_workspace(config)
    found = layout.layout(workspace.lake)

    def show() -> None:
        table = Table(
            "kind", Column("month", no_wrap=True), *(Column(name, justify="right") for name in ("files", "small", "rows", "MB")),
            box=SIMPLE_HEAD,
        )  # fmt: skip
        for part in found.parts:
            table.add_row(
                _name(part), part.month, f"{len(part.files):,}", f"{part.small:,}", f"{part.rows:,}",
                f"{part.bytes / MEGABYTE:,.1f}",
            )  # fmt: skip
        out.print(table)
        out.print(f"lake version {found.version}; every version from {found.oldest} on can be read")
        small = sum(part.small for part in found.parts)
        if small:
            out.print(f"{small:,} small files could be merged: workbench lake compact")

    answer(
        {
            "version": found.version, "oldest": found.oldest,
            "small": sum(part.small for part in found.parts),
            "parts": [
                {
                    "kind": part.kind, "month": part.month or None, "own": part.own, "files": len(part.files),
                    "small": part.small, "rows": part.rows, "bytes": part.bytes,
                }
                for part in found.parts
            ],
        },
        as_json=json, show=show,
    )  # fmt: skip


@app.command("compact")
def compact_command(config: Config = None, json: Json = False) -> None:
    """Make one file of every kind, of events of every month, that has more than one."""
    workspace = open_workspace(config)
    found = compact.compact(
        workspace.lake, workspace.settings, now=utc_now(), report=progress.bar(silent=json)
    )

    def show() -> None:
        if not found.merged:
            out.print(f"nothing to merge (lake version {found.version})")
            return
        table = Table(
            "kind", Column("month", no_wrap=True), *(Column(name, justify="right") for name in ("rows", "files", "MB before", "MB after")),
            box=SIMPLE_HEAD,
        )  # fmt: skip
        for item in found.merged:
            table.add_row(
                _name(item), item.month, f"{item.rows:,}", f"{item.files_before:,} → 1",
                f"{item.bytes_before / MEGABYTE:,.1f}", f"{item.bytes_after / MEGABYTE:,.1f}",
            )  # fmt: skip
        out.print(table)
        days = workspace.settings.store.keep_removed_days
        out.print(
            f"lake version {found.version}; the files before it stay for {days} days, so that older versions can be read"
        )

    answer(found, as_json=json, show=show)


def _name(part: layout.Part | compact.Merged) -> str:
    return f"{part.kind} (own)" if part.own else part.kind
