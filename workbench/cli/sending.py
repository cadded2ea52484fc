"""Commands that send: plan, send, resume, runs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import measure, progress, runs
from workbench.campaigns import verdicts
from workbench.campaigns.membership import sentence
from workbench.cli import drying
from workbench.cli.data import parse_instant
from workbench.cli.measure import power_json, show_options
from workbench.cli.output import Config, Json, answer, local, out, waterfall
from workbench.errors import InputError, UndeliveredError
from workbench.export.ledger import Kind, Purpose, RequestState, Run, RunState
from workbench.runs import Plan, Receipt
from workbench.workspace import Workspace, open_workspace

Campaign = Annotated[str, typer.Argument(help="The id of a saved campaign.")]
Occurrence = Annotated[
    str | None, typer.Option(help="Which scheduled instant, ISO 8601 (default: the campaign's only one).")
]
AsOf = Annotated[str | None, typer.Option(help="Instant of the question, ISO 8601 (default: now).")]

TROUBLE = (RequestState.REJECTED, RequestState.UNKNOWN)

history = typer.Typer(help="Runs and what became of their users.", no_args_is_help=True)


def plan(
    campaign: Campaign,
    occurrence: Occurrence = None,
    as_of: AsOf = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what a send would do; nothing is written and nobody is sent to."""
    workspace = open_workspace(config)
    planned = _plan(workspace, campaign, occurrence, as_of, silent=json)
    power = measure.of_plan(workspace, planned)

    def show() -> None:
        out.print(
            f"[bold]{escape(planned.campaign.campaign.name)}[/]: {escape(planned.audience)}", soft_wrap=True
        )
        out.print(waterfall(planned.waterfall, planned.qualified, f"plan of {planned.run_id}"))
        out.print(
            f"[dim]as of {local(planned.as_of, workspace.zone)}; would send {planned.to_send:,} to "
            f"{planned.environment}; nothing was sent[/]"
        )
        show_leaving(planned)
        if planned.blocked:
            out.print(f"[yellow]blocked by the safety check: {escape(planned.blocked)}[/]", soft_wrap=True)
        if planned.already:
            out.print(f"[yellow]this occurrence has a run, {planned.already.state}: sending again sends 0[/]")
        if power is not None:
            out.print(f"\n[bold]What it could find out[/]: {escape(power.goal)}", soft_wrap=True)
            show_options(power)

    found = {**plan_json(planned), "power": None if power is None else power_json(power)}
    answer(found, as_json=json, show=show)


def send(
    campaign: Campaign,
    occurrence: Occurrence = None,
    as_of: AsOf = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a send to production.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write what would be sent to files; send and reserve nothing.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="With --dry-run: a new folder (default: one in the state folder)."),
    ] = None,
    now: Annotated[
        str | None, typer.Option(help="With --dry-run: as if it were sent at this past instant, ISO 8601.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Send a campaign's occurrence once; again, it sends what is left, which may be nobody."""
    workspace = open_workspace(config)
    if dry_run:
        drying.dry(workspace, campaign, occurrence, as_of, now, folder, json=json)
        return
    if now is not None or folder is not None:
        raise InputError("--now and --out belong to --dry-run: a send is made now, from files of its own")
    planned = _plan(workspace, campaign, occurrence, as_of, silent=json)
    asks = planned.environment == "production" and not (planned.already or planned.blocked or yes)
    if asks and sys.stdin.isatty():
        leave = planned.leaving.told.height if planned.leaving else 0
        also = f", and take {leave:,} out of its audience," if leave else ""
        question = (
            f'send "{planned.campaign.campaign.name}" to {planned.to_send:,} users{also} in production?'
        )
        typer.confirm(question, abort=True, err=True)
    receipt = runs.execute(workspace, planned, report=progress.bar(silent=json))
    finish_sending(workspace, receipt, as_json=json)


def resume(
    run: Annotated[str, typer.Argument(help="The id of an interrupted run.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Send exactly what an interrupted run has not sent yet: the same bytes, the same ids."""
    workspace = open_workspace(config)
    receipt = runs.resume(workspace, run, report=progress.bar(silent=json))
    finish_sending(workspace, receipt, as_json=json)


@history.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    tests: Annotated[bool, typer.Option("--tests", help="Test sends among them.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the newest runs."""
    workspace = open_workspace(config)
    newest = workspace.ledger.newest(limit, tests=tests)
    totals = workspace.ledger.totals_of([run.run_id for run in newest])
    found = [(run, totals[run.run_id]) for run in newest]

    def show() -> None:
        numbers = [Column(name, justify="right", no_wrap=True) for name in ("qualified", "accepted")]
        table = Table(Column("run", no_wrap=True), "state", *numbers, box=SIMPLE_HEAD, padding=(0, 1))
        for run, users in found:
            trouble = [f"{users[state]:,} {state}" for state in TROUBLE if users[state]]
            accepted = f"{users[RequestState.ACCEPTED]:,} of {run.to_send:,}"
            table.add_row(run.run_id, ", ".join([_state(run), *trouble]), f"{run.qualified:,}", accepted)
        out.print(table)

    answer([run_json(run, users) for run, users in found], as_json=json, show=show)


@history.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="The id of a run.")], config: Config = None, json: Json = False
) -> None:
    """Show one run: its verdicts, and what became of the users it sent to."""
    workspace = open_workspace(config)
    found = workspace.ledger.get(run)
    receipt = recorded(workspace, found)
    answer(receipt_json(receipt), as_json=json, show=lambda: show_receipt(workspace, receipt, now_sent=False))


def show_leaving(planned: Plan) -> None:
    """Print who leaves the audience that a campaign keeps, and whom a changed attribute leaves in it."""
    left = planned.leaving
    if left is None:
        return
    out.print(f"{escape(left.sentence)} [dim]({escape(left.attribute)}: {left.how})[/]", soft_wrap=True)
    for name in left.others:
        out.print(
            f'[yellow]the campaign kept "{escape(name)}" before: whoever is in that audience stays in it[/]',
            soft_wrap=True,
        )


def show_receipt(workspace: Workspace, receipt: Receipt, *, now_sent: bool = True) -> None:
    """Print the waterfall and the outcomes of a run."""
    run = receipt.run
    out.print(waterfall(receipt.waterfall, run.qualified, run.run_id))
    if run.purpose is Purpose.TEST:
        out.print("[bold]a test send[/]: outside caps and reports")
    shown = {state: users for state, users in receipt.users.items() if users}
    if receipt.not_begun:
        del shown[RequestState.RESERVED]
    outcomes = ", ".join(f"{state} {users:,}" for state, users in shown.items()) or "nobody"
    out.print(f"of {run.to_send:,} to send: {outcomes}; run {run.state}, environment {run.environment}")
    if receipt.not_begun:
        out.print(f"  [yellow]{receipt.not_begun:,} not sent[/]: {verdicts.STOPPED}")
    _show_left(workspace, receipt)
    messages = [item for item in workspace.ledger.requests(run.run_id) if item.kind is Kind.MESSAGE]
    batches = sum(request.batches for request in messages)
    if batches > run.to_send:
        out.print(
            f"[dim]{batches:,} batches for {run.to_send:,} users: one for each push token, one for who has none[/]"
        )
    for state, words, users in workspace.ledger.answers(run.run_id):
        out.print(f"  [yellow]{users:,} {state}[/]: {escape(words)}")
    for alert in workspace.ledger.alerts(run.run_id):
        when = local(alert.told_at, workspace.zone)
        out.print(f"[dim]alert to address {alert.number}, {alert.about}: {alert.outcome}, {when}[/]")
    if run.note:
        out.print(f"[yellow]{escape(run.note)}[/]", soft_wrap=True)
    if receipt.not_recorded:
        out.print(f"[yellow]{escape(receipt.not_recorded)}[/]", soft_wrap=True)
    if now_sent:
        again = " (this occurrence was complete before)" if receipt.was_complete else ""
        left = f", taken out of the audience now: {receipt.left_now:,}" if receipt.left_now else ""
        out.print(f"[bold]sent now: {receipt.sent_now:,}[/]{left}{again}")
    else:
        out.print(
            f"[dim]as of {local(run.as_of, workspace.zone)}, audience {run.audience_path}[/]", soft_wrap=True
        )
        out.print(
            f"[dim]why one user: workbench explain --run {run.run_id} --user ID; who: workbench runs users {run.run_id}[/]",
            soft_wrap=True,
        )


def _show_left(workspace: Workspace, receipt: Receipt) -> None:
    run = receipt.run
    if run.membership is None:
        return
    shown = ", ".join(f"{state} {users:,}" for state, users in receipt.leaving.items() if users)
    out.print(f"{escape(sentence(run.membership['users']))}{f': {shown}' if shown else ''}", soft_wrap=True)
    for state, words, users in workspace.ledger.answers(run.run_id, Kind.LEAVE):
        out.print(f"  [yellow]{users:,} {state} (leaving)[/]: {escape(words)}")


def recorded(workspace: Workspace, run: Run) -> Receipt:
    """Return what the ledger holds of a run, as of a send of nobody."""
    message, leave = (workspace.ledger.totals(run.run_id, kind) for kind in (Kind.MESSAGE, Kind.LEAVE))
    return Receipt(run=run, sent_now=0, was_complete=True, users=message, leaving=leave)


def plan_json(planned: Plan) -> dict[str, Any]:
    """Return a plan for programs; no person is in it."""
    return {
        "run_id": planned.run_id, "campaign": planned.campaign.campaign.id,
        "version": planned.campaign.stored.version, "audience": planned.audience,
        "occurrence": planned.occurrence, "as_of": planned.as_of, "lake_version": planned.lake_version,
        "environment": planned.environment, "qualified": planned.qualified, "to_send": planned.to_send,
        "waterfall": planned.waterfall, "already": planned.already.state if planned.already else None,
        "reconstructed": planned.reconstructed, "blocked": planned.blocked,
        "leaving": None if planned.leaving is None else {
            "attribute": planned.leaving.attribute, "leaving": planned.leaving.how,
            "users": planned.leaving.counts, "others": planned.leaving.others,
        },
    }  # fmt: skip


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """Return what a run has done for programs; no person is in it."""
    return run_json(receipt.run, receipt.users, receipt.leaving)


def run_json(
    run: Run,
    users: Mapping[RequestState, int],
    leaving: Mapping[RequestState, int] | None = None,
    sent_now: int | None = None,
) -> dict[str, Any]:
    """Return a run for programs; no person is in it."""
    body = {
        "run_id": run.run_id, "campaign": run.campaign_id, "version": run.campaign_version,
        "purpose": run.purpose, "occurrence": run.occurrence, "as_of": run.as_of, "state": run.state,
        "environment": run.environment, "qualified": run.qualified, "to_send": run.to_send,
        "users": dict(users), "not_sent": runs.not_sent(run, users), "waterfall": run.verdicts, "created_at": run.created_at,
        "created_by": run.created_by, "finished_at": run.finished_at, "note": run.note,
    }  # fmt: skip
    if run.membership is not None:
        body["leaving"] = {**run.membership, **({} if leaving is None else {"states": dict(leaving)})}
    return body if sent_now is None else {**body, "sent_now": sent_now}


def _state(run: Run) -> str:
    return f"test, {run.state}" if run.purpose is Purpose.TEST else str(run.state)


def _plan(
    workspace: Workspace, campaign: str, occurrence: str | None, as_of: str | None, *, silent: bool
) -> Plan:
    return runs.plan(
        workspace,
        campaign,
        occurrence=parse_instant(occurrence, "--occurrence"),
        as_of=parse_instant(as_of, "--as-of"),
        report=progress.bar(silent=silent),
    )


def finish_sending(workspace: Workspace, receipt: Receipt, *, as_json: bool) -> None:
    """Print a receipt, and fail a run that did not go through.

    Raises:
        UndeliveredError: as ``finish``.
    """
    body = run_json(receipt.run, receipt.users, receipt.leaving, receipt.sent_now) | {
        "not_recorded": receipt.not_recorded
    }
    answer(body, as_json=as_json, show=lambda: show_receipt(workspace, receipt))
    finish(receipt)


def finish(receipt: Receipt) -> None:
    """Fail a run that did not go through, for whoever looks at the exit code.

    Raises:
        UndeliveredError: blocked, incomplete, or with users that were rejected or are unknown.
    """
    if receipt.run.state is RunState.BLOCKED:
        raise UndeliveredError(
            f"nobody was sent to, the safety check of {receipt.run.run_id} blocked it: {receipt.run.note}"
        )
    if receipt.run.state is RunState.STOPPED:
        raise UndeliveredError(
            f"{receipt.run.run_id} was {receipt.run.note}; {receipt.not_begun:,} users were not sent to"
        )
    bad = receipt.users[RequestState.REJECTED] + receipt.users[RequestState.UNKNOWN]
    # What a complete run has left open, a newer run has counted as not made.
    trouble = (RequestState.REJECTED,) if receipt.run.state is RunState.COMPLETED else TROUBLE
    left = sum(receipt.leaving.get(state, 0) for state in trouble)
    if left and not bad:
        raise UndeliveredError(
            f"{left:,} users who leave the audience were rejected or have an unknown outcome; see workbench runs show "
            f"{receipt.run.run_id}; the campaign's next run sends them again, workbench runs redrive the rejected ones now"
        )
    if bad or receipt.run.state is not RunState.COMPLETED:
        raise UndeliveredError(
            f"{bad:,} users were rejected or have an unknown outcome; see workbench runs show {receipt.run.run_id}"
        )
