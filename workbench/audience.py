"""A campaign's audience: its segment asked once, its users marked for any share of control."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from workbench.campaigns import control
from workbench.campaigns.candidates import candidates
from workbench.campaigns.groups import Standing, holds
from workbench.campaigns.library import SavedCampaign
from workbench.export import linter
from workbench.segments.check import check
from workbench.segments.sentence import sentence
from workbench.store.lake import LakeVersion
from workbench.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who is in a campaign's segment: the dear step of a plan, the same for any control and cap.

    Attributes:
        version: the lake as it was asked.
        sentence: what the segment says.
        users: ``user_code``, ascending.
    """

    campaign: SavedCampaign
    as_of: datetime
    version: LakeVersion
    sentence: str
    users: pl.DataFrame


def ask(workspace: Workspace, campaign: SavedCampaign, *, as_of: datetime) -> Audience:
    """Ask the segment of a campaign.

    Raises:
        SegmentError: it no longer fits the data.
        StoreError: the lake cannot be read.
    """
    pin = campaign.campaign.segment
    segment = workspace.segments.get(pin.name, pin.version).segment
    version = workspace.lake.at()
    check(segment, workspace.scope(version), as_of)
    users = workspace.ask(segment, version, as_of).users
    return Audience(
        campaign=campaign, as_of=as_of, version=version, sentence=sentence(segment.condition), users=users
    )


def mark(
    workspace: Workspace,
    asked: Audience,
    *,
    run: str,
    control_share: float | None,
    consent_at: datetime | None = None,
    standing: Standing | None = None,
) -> pl.DataFrame:
    """Mark each user of an audience: the frame of ``campaigns.candidates`` for one share of control.

    Args:
        workspace: the account.
        asked: the audience.
        run: whose cap order is used.
        control_share: of the qualified users whom no group of the account holds out.
        consent_at: the instant at which consent is read; by default that of the question.
        standing: the account's control groups; by default as they are now.

    Raises:
        ProblemsError: the settings name attributes that the profiles do not have.
        StoreError: the lake cannot be read.
    """
    settings, catalogue = workspace.settings, asked.version.catalogue
    standing = workspace.groups.standing() if standing is None else standing
    workspace.check_attributes(asked.version)
    connection = asked.version.connect()
    found = candidates(
        connection,
        asked.users,
        as_of=asked.as_of,
        consent_at=max(asked.as_of, consent_at or asked.as_of),
        catalogue=catalogue,
        identities=settings.identities,
        consent=settings.consent,
        holds=holds(
            asked.campaign.campaign, standing, share=control_share, account_salt=settings.account.salt
        ),
        never=standing.never,
        cap_salt=control.cap_salt(settings.account.salt, run),
        lint=linter.lint_sql(asked.campaign.campaign.content.attributes, catalogue),
    )
    connection.close()
    return found
