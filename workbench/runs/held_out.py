"""Write into the lake whom runs held out: one ``Control Group`` event for each run and held-out user."""

from datetime import datetime

from workbench.campaigns import verdicts
from workbench.campaigns.control import CAMPAIGN
from workbench.export.ledger import Run
from workbench.export.snapshot import verified
from workbench.runs.planning import Report, silent
from workbench.store import own
from workbench.store.catalogue import CONTROL_GROUP
from workbench.workspace import Workspace

# As long as SQLite waits for its own lock.
WAIT_SECONDS = 30


def record(
    workspace: Workspace, *, now: datetime, report: Report = silent, wait: float = WAIT_SECONDS
) -> str | None:
    """Write the events of every run that has none in the lake yet, oldest first; each run once, whoever comes.

    Blocked runs hold nobody out, and tests are no campaigns: neither has events. A lake that somebody else
    writes to is waited for a bounded time. Nothing that goes wrong here reaches the run; it is told.

    Args:
        workspace: the account.
        now: the instant of the writing.
        report: told how many runs are done.
        wait: how many seconds to wait for another writer of the lake.

    Returns:
        Which runs are still without their events, and why; None where all have them.
    """
    failed: dict[str, str] = {}
    try:
        missing = workspace.ledger.unwritten(own.WRITTEN)
    except Exception as error:
        return f'whether all "{CONTROL_GROUP}" events are in the lake cannot be told: {_reason(error)}'
    if not missing:
        return None
    report("held out", 0, len(missing))
    try:
        with workspace.lake.writing(wait=wait):
            for done, run in enumerate(missing, 1):
                try:
                    _write(workspace, run, now)
                except Exception as error:
                    failed[run.run_id] = _reason(error)
                report("held out", done, len(missing))
    except Exception as error:
        failed |= {run.run_id: _reason(error) for run in missing if run.run_id not in failed}
    return _told(failed)


def _write(workspace: Workspace, run: Run, now: datetime) -> None:
    path = workspace.settings.directory / run.audience_path
    held_out = sum(row["users"] for row in run.verdicts if row["verdict"] == verdicts.HOLDOUT)
    label = f"'{CAMPAIGN}'"
    if held_out:
        names = verified(path, run.audience_digest, "its audience").collect_schema()
        # The audience of a run before there were groups has no such column.
        label = f"coalesce(held_by, {label})" if "held_by" in names else label
    batch = own.Batch(
        name=run.run_id,
        event=CONTROL_GROUP,
        path=path,
        where=f"verdict = '{verdicts.HOLDOUT}'",
        rows=held_out,
        properties={
            "Campaign ID": "$campaign", "Run ID": "$batch", "Control group": label, "Environment": "$environment",
        },
        parameters={"campaign": run.campaign_id, "environment": run.environment},
    )  # fmt: skip
    own.write(workspace.lake, batch, now=now, memory=workspace.settings.store.ingest_memory)


def _told(failed: dict[str, str]) -> str | None:
    if not failed:
        return None
    first, why = next(iter(failed.items()))
    others = f" and of {len(failed) - 1:,} more" if len(failed) > 1 else ""
    return (
        f'the "{CONTROL_GROUP}" events of {first}{others} are not in the lake yet: {why}; '
        "the next send or resume writes them"
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
