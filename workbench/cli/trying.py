"""Commands for trying a campaign: test sends, and the profiles that they go to."""

import sys
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import progress, trial
from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, local, out
from workbench.cli.sending import AsOf, Campaign, finish, run_json, show_receipt
from workbench.errors import InputError
from workbench.runs import Plan
from workbench.store.lake import utc_now
from workbench.trial import Trial
from workbench.workspace import Workspace, open_workspace

testers = typer.Typer(help="Test profiles of the account: whom a test send goes to.", no_args_is_help=True)

User = Annotated[str, typer.Argument(help="The user's id.")]


def send_test(
    campaign: Campaign,
    user: Annotated[
        list[str] | None, typer.Option(help="Id of a user with a profile (default: all test profiles).")
    ] = None,
    identity: Annotated[
        list[str] | None, typer.Option(help="A mapped identity of a profile, such as email=me@example.com.")
    ] = None,
    as_of: AsOf = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a send to production.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send a campaign to test profiles, marked as a test, outside caps and reports; to nobody it holds out."""
    workspace = open_workspace(config)
    planned = trial.plan(
        workspace, campaign, users=user or (), identities=[_identity(text) for text in identity or ()],
        as_of=parse_instant(as_of, "--as-of"),
    )  # fmt: skip
    _confirm(planned, yes=yes)
    found = trial.execute(workspace, planned, report=progress.bar(silent=json))
    body = {
        **run_json(found.receipt.run, found.receipt.users, sent_now=found.receipt.sent_now),
        "test_users": found.users,
    }
    answer(body, as_json=json, show=lambda: _show(workspace, found))
    finish(found.receipt)


@testers.command("list")
def list_command(config: Config = None, json: Json = False) -> None:
    """List the test profiles."""
    workspace = open_workspace(config)
    found = workspace.testers.flagged()

    def show() -> None:
        if not found:
            out.print("no test profiles yet; workbench testers add USER_ID")
            return
        table = Table(Column("user", no_wrap=True), "since", "by", box=SIMPLE_HEAD)
        for tester in found:
            since = local(tester.flagged_at, workspace.zone)
            table.add_row(escape(tester.user_id), since, escape(tester.flagged_by))
        out.print(table)

    answer(found, as_json=json, show=show)


@testers.command("add")
def add_command(user: User, config: Config = None, json: Json = False) -> None:
    """Make a profile one that test sends go to; at most 50."""
    workspace = open_workspace(config)
    workspace.testers.add(user, now=utc_now())
    _answer_number(workspace, as_json=json)


@testers.command("remove")
def remove_command(user: User, config: Config = None, json: Json = False) -> None:
    """Send no more tests to a profile."""
    workspace = open_workspace(config)
    workspace.testers.remove(user)
    _answer_number(workspace, as_json=json)


def _answer_number(workspace: Workspace, *, as_json: bool) -> None:
    number = len(workspace.testers.flagged())
    said = f"{number} test {'profile' if number == 1 else 'profiles'}"
    answer({"testers": number}, as_json=as_json, show=lambda: out.print(said))


def _identity(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value.strip():
        raise InputError("--identity is NAME=VALUE, such as email=me@example.com")
    return name, value


def _confirm(planned: Plan, *, yes: bool) -> None:
    """Production is asked for: at the terminal, or by ``--yes`` where there is none."""
    if yes or planned.environment != "production":
        return
    if not sys.stdin.isatty():
        raise InputError("a test send to production is asked for with --yes")
    name = planned.campaign.campaign.name
    typer.confirm(
        f'send a test of "{name}" to {planned.to_send:,} users in production?', abort=True, err=True
    )


def _show(workspace: Workspace, found: Trial) -> None:
    table = Table(Column("user", no_wrap=True), "verdict", "why", "outcome", box=SIMPLE_HEAD)
    for row in found.users.iter_rows(named=True):
        table.add_row(*(escape(text) for text in _cells(row)))
    out.print(table)
    show_receipt(workspace, found.receipt)


def _cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["user_id"], row["verdict"], row["reason"] or row["held_by"] or "", row["outcome"] or ""
