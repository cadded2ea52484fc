"""``workbench send --dry-run``: the whole path into files, and nothing out of the door."""

from pathlib import Path

from rich.markup import escape

from workbench import progress, runs
from workbench.cli.data import parse_instant
from workbench.cli.output import answer, local, out, waterfall
from workbench.errors import InputError
from workbench.runs import DryRun
from workbench.runs.dry import facts
from workbench.store.lake import utc_now
from workbench.workspace import Workspace


def dry(
    workspace: Workspace,
    campaign: str,
    occurrence: str | None,
    as_of: str | None,
    now: str | None,
    folder: Path | None,
    *,
    json: bool,
) -> None:
    """Plan, freeze and say what was written; an occurrence that has a run is planned at the run's instants."""
    instant = parse_instant(now, "--now")
    if instant and instant > utc_now():
        raise InputError(f"--now {now} lies in the future: who has unsubscribed by then is not known")
    wanted, asked = parse_instant(occurrence, "--occurrence"), parse_instant(as_of, "--as-of")
    report = progress.bar(silent=json)
    planned = runs.plan(workspace, campaign, occurrence=wanted, as_of=asked, now=instant, report=report)
    before = planned.already
    if before and not (asked or instant):
        planned = runs.plan(
            workspace, campaign, occurrence=planned.occurrence, as_of=before.as_of, now=before.created_at,
            report=report,
        )  # fmt: skip
    found = runs.dry_run(workspace, planned, folder, report=report)
    body = {**facts(found), "folder": found.folder, "waterfall": planned.waterfall}
    answer(body, as_json=json, show=lambda: _show(workspace, found))


def _show(workspace: Workspace, found: DryRun) -> None:
    planned = found.plan
    out.print(waterfall(planned.waterfall, planned.qualified, f"dry run of {planned.run_id}"))
    out.print(
        f"{found.users:,} users, {found.batches:,} batches in {found.requests:,} requests, {found.bytes:,} bytes, "
        f"for {planned.environment}"
    )
    if planned.leaving is not None:
        out.print(
            f"{escape(planned.leaving.sentence)}: {found.leaving:,} of the batches, without an event",
            soft_wrap=True,
        )
    out.print(f"written to {escape(str(found.folder))}", soft_wrap=True)
    out.print(f"sha256 of requests.jsonl: {found.sha256}", soft_wrap=True)
    for line in found.remarks:
        out.print(f"[yellow]{escape(line)}[/]", soft_wrap=True)
    as_of, now = (instant.isoformat().replace("+00:00", "Z") for instant in (planned.as_of, planned.send_at))
    out.print(
        f"[dim]the same bytes again: --dry-run --as-of {as_of} --now {now} "
        f"({local(planned.send_at, workspace.zone)}); nothing was sent[/]",
        soft_wrap=True,
    )
