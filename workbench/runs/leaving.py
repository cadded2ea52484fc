"""Who leaves the audience that a campaign keeps: decided with a plan, written down as batches of their own."""

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from workbench.audience import Audience
from workbench.campaigns import leavers, membership, verdicts
from workbench.campaigns.leavers import Changes
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.membership import Leaving
from workbench.errors import CampaignError, Problem
from workbench.export import leaving, members
from workbench.export.ledger import Run
from workbench.export.packing import Part
from workbench.store import engine
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

KEEP = "keep"


def changes(workspace: Workspace, campaign: SavedCampaign, *, run: str, already: Run | None) -> Changes:
    """Return the runs that have changed the audience before a run; none for a campaign that keeps none.

    Args:
        workspace: the account.
        campaign: whose audience it is.
        run: the id of the run, which does not count.
        already: the run that the occurrence has had: it counts what was known when it was made.

    Raises:
        CampaignError: another campaign has set the attribute.
        StoreError: the ledger cannot be read.
    """
    kept, settings = campaign.campaign.membership, workspace.settings
    if kept is None:
        return Changes()
    found = members.changes(
        workspace.database, settings.directory, attribute=kept.attribute, campaign_id=campaign.campaign.id,
        run_id=run, receiver=settings.receiver, environment=settings.mparticle.environment,
        before=already.number if already else None, until=already.created_at if already else None,
    )  # fmt: skip
    if found.owner is not None:
        message = (
            f'"{kept.attribute}" was set by runs of campaign "{found.owner}", and its users are still in it'
        )
        raise CampaignError(campaign.campaign.id, [Problem(path="membership > attribute", message=message)])
    return found


def decide(
    workspace: Workspace,
    asked: Audience,
    before: Changes,
    *,
    marked: pl.DataFrame,
    decided: pl.DataFrame,
    blocked: bool,
) -> Leaving | None:
    """Decide who leaves the audience; None for a campaign that keeps none.

    A blocked run takes nobody out: what broke the audience must not empty it.

    Args:
        workspace: the account.
        asked: the audience now.
        before: the runs that have changed it.
        marked: the frame of ``campaigns.candidates``.
        decided: the verdicts.
        blocked: whether the safety check lets nobody be sent to.

    Raises:
        StoreError: the lake, or a file of a run before, cannot be read.
    """
    kept = asked.campaign.campaign.membership
    if kept is None:
        return None
    users = pl.DataFrame(schema=membership.SCHEMA)
    if before.runs and not blocked and kept.leaving != KEEP:
        connection = asked.version.connect()
        entered = leavers.members(connection, before.runs)
        left = leavers.leaving(entered, marked)
        sent = decided.filter(pl.col("verdict") == verdicts.SEND).select("user_code")
        stay = entered.join(left, on="user_code", how="anti")
        users = leavers.looked_up(
            connection,
            left,
            pl.concat([sent, stay]).unique(),
            as_of=asked.as_of,
            catalogue=asked.version.catalogue,
            identities=workspace.settings.identities,
            profiles=asked.version.profiles_at(asked.as_of),
        )
        connection.close()
    return Leaving(attribute=kept.attribute, how=kept.leaving, users=users, others=before.others)


def batches(
    workspace: Workspace,
    campaign: SavedCampaign,
    version: LakeVersion,
    connection: engine.Connection,
    leavers: pl.DataFrame,
    *,
    run_id: str,
    as_of: datetime,
    environment: str,
) -> Iterator[Part]:
    """Yield the leaves of a run: the same ones whenever they are made.

    Args:
        workspace: the account.
        campaign: at the version of the run.
        version: the lake of the run.
        connection: of that version; nothing else uses it meanwhile.
        leavers: ``user_code`` of whom the receiver is told about.
        run_id: whose ids they carry.
        as_of: the instant at which identities are read.
        environment: at the receiver.

    Raises:
        StoreError: the lake cannot be read.
    """
    kept = campaign.campaign.membership
    if kept is None:
        return iter(())
    return leaving.batches(
        connection, leavers, run_id=run_id, environment=environment, attribute=kept.attribute,
        how=kept.leaving, as_of=as_of, catalogue=version.catalogue, identities=workspace.settings.identities,
    )  # fmt: skip
