"""A campaign's audience: its segment asked once, its users marked for any share of control."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from workbench.campaigns import control, frequency
from workbench.campaigns.candidates import Report, candidates
from workbench.campaigns.content.constants import constants
from workbench.campaigns.content.rendering import Rendering, templates
from workbench.campaigns.groups import Standing, holds
from workbench.campaigns.library import SavedCampaign
from workbench.export import linter, payload, tokens
from workbench.export.history import History
from workbench.export.history import history as read_history
from workbench.segments import qualify
from workbench.segments.check import check
from workbench.segments.model import Segment
from workbench.segments.sentence import sentence
from workbench.segments.sql import compile_sql
from workbench.settings import Consent
from workbench.store import engine
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who is in a campaign's segment: the dear step of a plan, the same for any control and cap.

    Attributes:
        version: the lake as it was asked.
        sentence: what the segment says.
        users: ``user_code``, ascending.
        segment: the pinned one.
    """

    campaign: SavedCampaign
    as_of: datetime
    version: LakeVersion
    sentence: str
    users: pl.DataFrame
    segment: Segment


def ask(
    workspace: Workspace, campaign: SavedCampaign, *, as_of: datetime, version: int | None = None
) -> Audience:
    """Ask the segment of a campaign, at the newest version of the lake or the one that is given.

    Raises:
        SegmentError: it no longer fits the data.
        StoreError: the lake cannot be read.
    """
    segment, lake = _segment(workspace, campaign, as_of, version)
    users = workspace.ask(segment, lake, as_of).users
    return Audience(
        campaign=campaign, as_of=as_of, version=lake, sentence=sentence(segment.condition), users=users,
        segment=segment,
    )  # fmt: skip


def given(workspace: Workspace, campaign: SavedCampaign, users: pl.DataFrame, *, as_of: datetime) -> Audience:
    """Take chosen users as the audience of a campaign, in its segment or not.

    Args:
        workspace: the account.
        campaign: whose content, control groups and consent apply to them.
        users: ``user_code``, ascending; each has a profile at ``as_of``.
        as_of: the instant of the question.

    Raises:
        SegmentError: the segment no longer fits the data.
    """
    segment, version = _segment(workspace, campaign, as_of)
    return Audience(
        campaign=campaign, as_of=as_of, version=version, sentence="were chosen by name", users=users,
        segment=segment,
    )  # fmt: skip


def _segment(
    workspace: Workspace, campaign: SavedCampaign, as_of: datetime, version: int | None = None
) -> tuple[Segment, LakeVersion]:
    """Return the pinned segment, checked, and the lake: its newest version unless one is given."""
    pin = campaign.campaign.segment
    segment = workspace.segments.get(pin.name, pin.version).segment
    lake = workspace.lake.at(version)
    check(segment, workspace.scope(lake), as_of)
    return segment, lake


def mark(
    workspace: Workspace,
    asked: Audience,
    *,
    run: str,
    control_share: float | None,
    consent_at: datetime | None = None,
    standing: Standing | None = None,
    before: History | None = None,
    test: bool = False,
    report: Report = lambda done, total: None,
) -> pl.DataFrame:
    """Mark each user of an audience: the frame of ``campaigns.candidates`` for one share of control.

    Args:
        workspace: the account.
        asked: the audience.
        run: whose cap order is used.
        control_share: of the qualified users whom no group of the account holds out.
        consent_at: the instant at which consent is read; by default that of the question.
        standing: the account's control groups; by default as they are now.
        before: the runs whose messages count for frequency caps; by default those that were made by then.
        test: whether the batches are marked as a test's, and no message counts.
        report: told how many user codes are done, and the last of them.

    Raises:
        ProblemsError: the settings name attributes that the profiles do not have.
        StoreError: the lake cannot be read.
    """
    settings, catalogue = workspace.settings, asked.version.catalogue
    standing = workspace.groups.standing() if standing is None else standing
    workspace.check_attributes(asked.version)
    connection = asked.version.connect(memory=settings.store.query_memory)
    consent_at = max(asked.as_of, consent_at or asked.as_of)
    rendering = render(
        workspace, asked.campaign, asked.version, connection, as_of=asked.as_of, now=consent_at
    )
    rules = frequency.rules(asked.campaign.campaign, settings.frequency)
    if test:
        before = History()
    elif before is None:
        before = history(workspace, asked.campaign, run=run, now=consent_at, until=consent_at)
    content, devices = asked.campaign.campaign.content, ""
    if content.push_tokens:
        tokens.prepare(connection, catalogue, asked.as_of)
        sizes = linter.devices_sql(catalogue, payload.device_overhead())
        devices = f"LEFT JOIN ({sizes}) d USING (user_code)"
    found = candidates(
        connection,
        asked.users,
        as_of=asked.as_of,
        consent_at=consent_at,
        catalogue=catalogue,
        identities=settings.identities,
        consent=settings.consent,
        holds=holds(
            asked.campaign.campaign, standing, share=control_share, account_salt=settings.account.salt
        ),
        never=standing.never,
        cap_salt=control.cap_salt(settings.account.salt, run),
        rendering=rendering,
        profiles=asked.version.profiles_at(asked.as_of),
        messages=frequency.Counted(runs=before.runs, rules=rules, now=consent_at),
        lint=linter.lint_sql(
            content.attributes,
            catalogue,
            identities=settings.identities.values(),
            rendered=rendering.values,
            overhead=payload.overhead(
                envelope(workspace, asked.campaign, run=run, send_at=consent_at, test=test),
                settings.identities,
            ),
            devices=content.push_tokens,
        ),
        joins=devices,
        report=report,
    )
    connection.close()
    return found


def history(
    workspace: Workspace, campaign: SavedCampaign, *, run: str, now: datetime, until: datetime | None = None
) -> History:
    """Return the runs whose messages count for the frequency caps of a campaign's run.

    Args:
        workspace: the account.
        campaign: whose run it is.
        run: its id; it does not count itself.
        now: the instant of the send.
        until: only runs that were made by then.

    Raises:
        StoreError: the ledger cannot be read.
    """
    settings = workspace.settings
    return read_history(
        workspace.database,
        settings.directory,
        frequency.rules(campaign.campaign, settings.frequency),
        campaign_id=campaign.campaign.id,
        run_id=run,
        receiver=settings.receiver,
        environment=settings.mparticle.environment,
        now=now,
        until=until,
    )


def too_often(
    workspace: Workspace, campaign: SavedCampaign, users: pl.DataFrame, *, before: History, now: datetime
) -> pl.DataFrame:
    """Return which users the frequency caps of a campaign keep from another message, whatever else is so of them.

    Args:
        workspace: the account.
        campaign: whose caps.
        users: ``user_code``, ascending.
        before: the runs whose messages count.
        now: the instant of the message.

    Returns:
        ``user_code``.

    Raises:
        StoreError: the lake, or the audience of a run before, cannot be read.
    """
    settings, version = workspace.settings, workspace.lake.at()
    connection = version.connect(memory=settings.store.query_memory)
    nothing = Rendering(
        (), connection, catalogue=version.catalogue, constants={}, matched={}, as_of=now, now=now
    )
    found = candidates(
        connection,
        users,
        as_of=now,
        consent_at=now,
        catalogue=version.catalogue,
        identities=settings.identities,
        consent=Consent(),
        holds=(),
        never=(),
        cap_salt="",
        rendering=nothing,
        lint="NULL::VARCHAR",
        profiles=version.profiles_at(now),
        messages=frequency.Counted(
            runs=before.runs, rules=frequency.rules(campaign.campaign, settings.frequency), now=now
        ),
    )
    connection.close()
    return found.filter(pl.col("too_often").is_not_null()).select("user_code")


def envelope(
    workspace: Workspace, campaign: SavedCampaign, *, run: str, send_at: datetime, test: bool = False
) -> payload.Envelope:
    """Return what is the same in the batch of every user of a run."""
    settings = workspace.settings.mparticle
    return payload.Envelope(
        run_id=run,
        campaign=campaign,
        environment=settings.environment,
        event_name=settings.event_name,
        send_at=send_at,
        test=test,
    )


def render(
    workspace: Workspace,
    campaign: SavedCampaign,
    version: LakeVersion,
    connection: engine.Connection,
    *,
    as_of: datetime,
    now: datetime,
) -> Rendering:
    """Make ready to render a campaign's values: the same instants give the same texts.

    Args:
        workspace: the account.
        campaign: whose content, and whose segment with its constant properties.
        version: the lake at which it is asked.
        connection: of that version; nothing else uses it meanwhile.
        as_of: the instant at which profiles and events are read.
        now: the instant of the send.

    Raises:
        StoreError: the lake cannot be read.
    """
    pin = campaign.campaign.segment
    segment = workspace.segments.get(pin.name, pin.version).segment
    found = templates(campaign.campaign.content, version.catalogue)
    wanted = dict.fromkeys(name for template in found for name in template.constants)
    query = compile_sql(segment, as_of, workspace.scope(version)) if wanted else None
    return Rendering(
        found,
        connection,
        catalogue=version.catalogue,
        constants=constants(segment.condition, version.catalogue),
        matched={name: qualify.matched(query, connection, name) for name in wanted} if query else {},
        as_of=as_of,
        now=now,
    )
