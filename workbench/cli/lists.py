"""Commands about custom lists: import, list."""

from typing import Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import progress
from workbench.cli.output import Config, Json, answer, local, out
from workbench.store.ingest import import_list
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

app = typer.Typer(help="Custom lists: users named by a file, for segments.", no_args_is_help=True)


@app.command("import")
def import_command(
    name: Annotated[
        str, typer.Argument(help="Of the list; an import under a known name is its next version.")
    ],
    file: Annotated[
        str,
        typer.Argument(help="CSV: Type,Identity (g user id, i email, phone, customer id), or one column."),
    ],
    identity: Annotated[
        Literal["user_id", "email", "phone", "customer_id"] | None,
        typer.Option(help="What the one column holds (default: its header)."),
    ] = None,
    sep: Annotated[str | None, typer.Option(help="Separator: a character, tab, …")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Match a file against the profiles and keep its users as a version of a list."""
    workspace = open_workspace(config)
    found = import_list(
        workspace.lake, workspace.settings, name, file,
        now=utc_now(), identity=identity, sep=sep, report=progress.bar(silent=json),
    )  # fmt: skip

    def show() -> None:
        says = "" if found.is_new else " (unchanged)"
        out.print(f'list "{escape(name)}", version {found.version}{says}: {found.users:,} users')
        out.print(
            f"  {found.read:,} rows = {found.matched:,} matched + {found.duplicates:,} duplicate + "
            f"{found.unmatched:,} unmatched + {found.malformed:,} malformed"
        )
        if found.rejects_path:
            out.print(f"  every row that brought nobody, with its line: {escape(str(found.rejects_path))}")

    answer(found, as_json=json, show=show)


@app.command("list")
def list_command(config: Config = None, json: Json = False) -> None:
    """List every list with its versions."""
    workspace = open_workspace(config)
    known = workspace.lake.at().catalogue.lists

    def show() -> None:
        table = Table(
            "list", Column("version", justify="right"), Column("users", justify="right"),
            Column("imported", no_wrap=True), box=SIMPLE_HEAD,
        )  # fmt: skip
        for name, versions in known.items():
            for item in versions:
                imported = local(item.recorded_at, workspace.zone)
                table.add_row(escape(name), str(item.version), f"{item.users:,}", imported)
        out.print(table)

    rows = [
        {"list": name, "version": item.version, "users": item.users, "recorded_at": item.recorded_at}
        for name, versions in known.items()
        for item in versions
    ]
    answer(rows, as_json=json, show=show)
