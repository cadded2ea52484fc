"""Write a plan down before anything is sent: its files, then its occurrence and requests in one transaction."""

import polars as pl

from workbench import audience
from workbench.campaigns import verdicts
from workbench.export import frozen, payload
from workbench.export.frozen import Frozen
from workbench.export.ledger import Reservation, Run, RunState
from workbench.runs.planning import Plan, Report, plan_again
from workbench.settings import actor
from workbench.workspace import Workspace


def reserve(workspace: Workspace, planned: Plan, key_digest: str, report: Report) -> Run:
    """Write the files, then take the occurrence; whoever comes second uses the first one's run.

    Where other runs were reserved meanwhile whose messages count, the plan is made again.
    """
    while True:
        run, written = _freeze(workspace, planned, key_digest, report)
        match workspace.ledger.reserve(run, written.requests, seen=planned.seen):
            case Reservation.DONE:
                return run
            case Reservation.TAKEN:
                frozen.discard(workspace.settings.directory, written)
                return workspace.ledger.get(planned.run_id)
            case Reservation.OUTDATED:
                frozen.discard(workspace.settings.directory, written)
                planned = plan_again(workspace, planned, report=report)


def _freeze(workspace: Workspace, planned: Plan, key_digest: str, report: Report) -> tuple[Run, Frozen]:
    settings, directory = workspace.settings, workspace.settings.directory
    version = workspace.lake.at(planned.lake_version)
    connection = version.connect()
    total, done = planned.to_send, 0

    def advance(users: int) -> None:
        nonlocal done
        done += users
        report("freeze", done, total)

    envelope = audience.envelope(workspace, planned.campaign, run=planned.run_id, send_at=planned.send_at)
    recipients = planned.verdicts.filter(pl.col("verdict") == verdicts.SEND).select("user_code")
    batches = payload.batches(
        connection,
        recipients,
        envelope,
        as_of=planned.as_of,
        catalogue=version.catalogue,
        identities=settings.identities,
        rendering=audience.render(
            workspace,
            planned.campaign,
            version,
            connection,
            as_of=planned.as_of,
            now=planned.send_at,
        ),
    )
    written = frozen.freeze(directory, planned.run_id, planned.verdicts, batches, connection, advance)
    run = Run(
        run_id=planned.run_id,
        campaign_id=planned.campaign.campaign.id,
        campaign_version=planned.campaign.stored.version,
        occurrence=planned.occurrence,
        as_of=planned.as_of,
        lake_version=planned.lake_version,
        environment=planned.environment,
        state=RunState.RUNNING if planned.blocked is None else RunState.BLOCKED,
        audience_path=f"{written.folder}/{frozen.AUDIENCE}",
        audience_digest=written.audience_digest,
        bodies_path=f"{written.folder}/{frozen.BODIES}",
        receiver=settings.receiver,
        key_digest=key_digest,
        salt_digest=settings.salt_digest,
        qualified=planned.qualified,
        verdicts=planned.waterfall.to_dicts(),
        created_at=planned.send_at,
        created_by=actor(),
        finished_at=None if planned.blocked is None else planned.send_at,
        note=planned.blocked,
    )
    return run, written
