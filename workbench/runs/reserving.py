"""Write a plan down before anything is sent: its files, then its occurrence and requests in one transaction."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from workbench import audience
from workbench.campaigns import verdicts
from workbench.campaigns.library import SavedCampaign
from workbench.errors import BusyError
from workbench.export import frozen, payload
from workbench.export.ahead import ahead
from workbench.export.leaving import Leaves
from workbench.export.ledger import Purpose, Reservation, Run, RunState
from workbench.export.packing import Part
from workbench.runs import leaving
from workbench.runs.planning import Plan, Report, plan_again
from workbench.settings import actor
from workbench.store import engine
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace


def freeze(
    workspace: Workspace,
    planned: Plan,
    report: Report,
    *,
    directory: Path | None = None,
    folder: str | None = None,
) -> frozen.Frozen:
    """Write the audience and the bodies of a plan: the same ones wherever they go.

    Args:
        workspace: the account that the plan was made in.
        planned: by ``plan``.
        report: told the step, the users done and their total.
        directory: by default the state folder.
        folder: which does not exist in ``directory``; by default a new one of the run.

    Raises:
        StoreError: the lake cannot be read, or the files cannot be written.
    """
    settings = workspace.settings
    version = workspace.lake.at(planned.lake_version)
    connection = version.connect()
    total, done = planned.to_send, 0

    def advance(users: int) -> None:
        nonlocal done
        done += users
        report("freeze", done, total)

    recipients = planned.verdicts.filter(pl.col("verdict") == verdicts.SEND).select("user_code")
    batches = bodies(
        workspace, planned.campaign, version, connection, recipients, run_id=planned.run_id, as_of=planned.as_of,
        send_at=planned.send_at, environment=planned.environment, test=planned.purpose is Purpose.TEST,
    )  # fmt: skip
    directory = directory or settings.directory
    with closing(batches):
        written = frozen.freeze(
            directory, planned.run_id, planned.verdicts, batches, connection, advance, folder=folder,
            leaves=_leaves(workspace, planned, version, connection),
        )  # fmt: skip
    connection.close()
    return written


def _leaves(
    workspace: Workspace, planned: Plan, version: LakeVersion, connection: engine.Connection
) -> Leaves | None:
    if planned.leaving is None:
        return None
    batches = leaving.batches(
        workspace, planned.campaign, version, connection, planned.leaving.told, run_id=planned.run_id,
        as_of=planned.as_of, environment=planned.environment,
    )  # fmt: skip
    return Leaves(users=planned.leaving.users, batches=batches)


def bodies(
    workspace: Workspace,
    campaign: SavedCampaign,
    version: LakeVersion,
    connection: engine.Connection,
    recipients: pl.DataFrame,
    *,
    run_id: str,
    as_of: datetime,
    send_at: datetime,
    environment: str,
    test: bool,
) -> Generator[Part, None, None]:
    """Yield the batches of a run's recipients: the same ones whenever they are made.

    Args:
        workspace: the account.
        campaign: at the version of the run.
        version: the lake of the run.
        connection: of that version; nothing else uses it until the generator is closed.
        recipients: ``user_code``.
        run_id: whose ids they carry.
        as_of: the instant at which profiles are read.
        send_at: the instant of the send.
        environment: at the receiver.
        test: whether they are marked as a test's.

    Raises:
        StoreError: the lake cannot be read.
    """
    envelope = audience.envelope(workspace, campaign, run=run_id, send_at=send_at, test=test)
    batches = payload.batches(
        connection,
        recipients,
        replace(envelope, environment=environment),
        as_of=as_of,
        catalogue=version.catalogue,
        identities=workspace.settings.identities,
        rendering=audience.render(workspace, campaign, version, connection, as_of=as_of, now=send_at),
        profiles=version.profiles_at(as_of),
    )
    return ahead(batches)


def reserve(workspace: Workspace, planned: Plan, key_digest: str, report: Report) -> Run:
    """Write the files, then take the occurrence; whoever comes second uses the first one's run.

    Where other runs were reserved meanwhile whose messages count, the plan is made again.

    Raises:
        BusyError: a test send whose instant another one took: that one goes to other users.
    """
    while True:
        written = freeze(workspace, planned, report)
        run = _run(workspace, planned, written, key_digest)
        outcome = workspace.ledger.reserve(run, written.requests, seen=planned.seen)
        if outcome is Reservation.DONE:
            return run
        frozen.discard(workspace.settings.directory, written)
        if outcome is Reservation.TAKEN:
            break
        planned = plan_again(workspace, planned, report=report)
    if planned.purpose is Purpose.TEST:
        raise BusyError(f"{planned.run_id} was taken by another test send; nothing was sent, send it again")
    return workspace.ledger.get(planned.run_id)


def _run(workspace: Workspace, planned: Plan, written: frozen.Frozen, key_digest: str) -> Run:
    settings = workspace.settings
    return Run(
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
        purpose=planned.purpose,
        membership=_membership(planned),
        leaving_digest=written.leaving_digest,
    )


def _membership(planned: Plan) -> dict[str, Any] | None:
    left = planned.leaving
    return None if left is None else {"attribute": left.attribute, "leaving": left.how, "users": left.counts}
