"""Commands about the account's control groups: list, add, remove, flag, unflag."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench.campaigns.control import control_salt
from workbench.campaigns.group_overlap import GroupReport, report
from workbench.cli.output import Config, Json, answer, local, out
from workbench.errors import NotFoundError
from workbench.store import engine
from workbench.store.lake import utc_now
from workbench.workspace import Workspace, open_workspace

app = typer.Typer(
    help="Control groups of the account: system, custom, and who is never in one.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Of the group: lower-case letters, digits, hyphens.")]
User = Annotated[str, typer.Argument(help="The user's id.")]


@app.command("list")
def list_command(config: Config = None, json: Json = False) -> None:
    """List the groups with their size, and how many users any two share beside what chance gives."""
    workspace = open_workspace(config)
    found = _report(workspace)

    def show() -> None:
        numbers = (Column(name, justify="right", no_wrap=True) for name in ("share", "users"))
        table = Table(
            Column("group", no_wrap=True),
            "kind",
            *numbers,
            Column("since", no_wrap=True),
            "salt",
            box=SIMPLE_HEAD,
        )
        for size in found.sizes:
            group = size.group
            since = local(group.created_at, workspace.zone)
            table.add_row(
                group.name,
                group.kind,
                f"{group.share * 100:g} %",
                f"{size.users:,}",
                since,
                escape(group.salt),
            )
        out.print(table)
        out.print(f"of {found.users:,} users; {found.never} profiles are never in control")
        for pair in found.pairs:
            out.print(
                f"[dim]{pair.first} and {pair.second} share {pair.users:,}; chance gives {pair.expected:,.0f}[/]"
            )
        _warn(found)

    answer(
        {
            "users": found.users, "never_in_control": found.never, "warnings": found.warnings,
            "groups": [
                {
                    "name": size.group.name, "kind": size.group.kind, "share": size.group.share,
                    "users": size.users, "salt": size.group.salt, "created_at": size.group.created_at,
                    "created_by": size.group.created_by,
                }
                for size in found.sizes
            ],
            "overlaps": [
                {
                    "first": pair.first, "second": pair.second, "users": pair.users, "expected": pair.expected,
                    "standard_errors": pair.standard_errors, "beyond_chance": pair.beyond_chance,
                }
                for pair in found.pairs
            ],
        },
        as_json=json, show=show,
    )  # fmt: skip


@app.command("add")
def add_command(
    name: Name,
    share: Annotated[float, typer.Argument(help="Of all users: 0.02 to 0.05.")],
    custom: Annotated[
        bool, typer.Option("--custom", help="Held out by the campaigns that name it (default: by all).")
    ] = False,
    salt: Annotated[
        str | None, typer.Option(help="Of a group that was drawn elsewhere (default: one of its own).")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Add the system group, or a custom one; share and salt never change afterwards."""
    workspace = open_workspace(config)
    group = workspace.groups.add(name, share, custom=custom, salt=salt, now=utc_now())
    found = _report(workspace)
    users = next(size.users for size in found.sizes if size.group.name == name)

    def show() -> None:
        out.print(f'{group.kind} group "{group.name}": {users:,} of {found.users:,} users')
        _warn(found)

    shown = {
        "name": group.name, "kind": group.kind, "share": group.share, "salt": group.salt, "users": users,
        "warnings": found.warnings,
    }  # fmt: skip
    answer(shown, as_json=json, show=show)


@app.command("remove")
def remove_command(name: Name, config: Config = None, json: Json = False) -> None:
    """Remove a group; refused while a campaign or the report of a run needs it."""
    open_workspace(config).groups.remove(name, now=utc_now())
    answer({"removed": name}, as_json=json, show=lambda: out.print(f'group "{name}" is removed'))


@app.command("flag")
def flag_command(user: User, config: Config = None, json: Json = False) -> None:
    """Never hold a profile out, by no group; at most 20."""
    workspace = open_workspace(config)
    groups = workspace.groups
    connection = workspace.lake.at().connect()
    known = engine.rows(connection, "SELECT 1 FROM users WHERE user_id = $user", {"user": user})
    connection.close()
    if not known:
        raise NotFoundError(f'no user "{user}" in the lake: a mistyped id would be flagged for nothing')
    groups.flag(user, now=utc_now())
    _answer_never(len(groups.standing().never), as_json=json)


@app.command("unflag")
def unflag_command(user: User, config: Config = None, json: Json = False) -> None:
    """Let the groups decide about a profile again."""
    groups = open_workspace(config).groups
    groups.unflag(user)
    _answer_never(len(groups.standing().never), as_json=json)


def _answer_never(number: int, *, as_json: bool) -> None:
    answer(
        {"never_in_control": number}, as_json=as_json,
        show=lambda: out.print(f"{number} profiles are never in control"),
    )  # fmt: skip


def _warn(found: GroupReport) -> None:
    for warning in found.warnings:
        out.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)


def _report(workspace: Workspace) -> GroupReport:
    salt = workspace.settings.account.salt
    salts = {
        saved.campaign.id: control_salt(salt, saved.campaign.id) for saved in workspace.campaigns.newest()
    }
    connection = workspace.lake.at().connect()
    found = report(connection, workspace.groups.standing(), salts)
    connection.close()
    return found
