"""Decide who would be sent to, without a side effect."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from workbench import audience
from workbench.campaigns import frequency, verdicts
from workbench.campaigns.check import check
from workbench.campaigns.content.constants import constants
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.membership import Leaving
from workbench.campaigns.safety import blocks
from workbench.errors import InputError
from workbench.export.history import History
from workbench.export.ledger import Purpose, Run, Seen
from workbench.runs import leaving
from workbench.segments.scope import FIRST_YEAR, LAST_YEAR
from workbench.store.lake import utc_now
from workbench.workspace import Workspace

Report = Callable[[str, int, int], None]


def silent(label: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run would do, before it does anything.

    Attributes:
        verdicts: one row a qualified user, see ``campaigns.verdicts.decide``; its texts are categories, which
            Polars compares in expressions (``pl.col("reason") == "unsubscribed"``).
        audience: the segment as a sentence.
        blocked: why the safety check lets nobody be sent to; None when it does.
        already: the run that this occurrence has had; executing the plan then only finishes it.
        seen: which runs before were counted for frequency caps and for the audience; None where none matter.
        leaving: who leaves the audience that the campaign keeps; None where it keeps none.
        purpose: a test is outside caps and reports.
    """

    run_id: str
    campaign: SavedCampaign
    audience: str
    occurrence: datetime
    as_of: datetime
    send_at: datetime
    lake_version: int
    reconstructed: bool
    environment: str
    verdicts: pl.DataFrame
    blocked: str | None
    already: Run | None
    seen: Seen | None = None
    purpose: Purpose = Purpose.CAMPAIGN
    leaving: Leaving | None = None

    @property
    def qualified(self) -> int:
        """How many users are in the segment, the held out included."""
        return self.verdicts.height

    @property
    def to_send(self) -> int:
        """How many users would be sent to."""
        return int((self.verdicts["verdict"] == verdicts.SEND).sum())

    @property
    def waterfall(self) -> pl.DataFrame:
        """``verdict, reason, arm, held_by, users``; the users add up to ``qualified``."""
        return verdicts.waterfall(self.verdicts)


def run_id(campaign_id: str, occurrence: datetime) -> str:
    """Return the id of an occurrence's run.

    >>> run_id("lapsed", datetime(2026, 6, 30, 18, tzinfo=UTC))
    'lapsed-20260630T180000Z'
    """
    return f"{campaign_id}-{occurrence.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def plan(
    workspace: Workspace,
    campaign_id: str,
    *,
    occurrence: datetime | None = None,
    as_of: datetime | None = None,
    now: datetime | None = None,
    report: Report = silent,
) -> Plan:
    """Decide who would be sent to, without a side effect.

    Args:
        workspace: the account.
        campaign_id: of a saved campaign.
        occurrence: which scheduled instant; by default the only one of a campaign that is sent now: the
            one that it was sent for last, else its creation.
        as_of: the instant of the question; by default ``now``.
        now: the instant of the send; by default the clock's.
        report: told the name of each step.

    Raises:
        NotFoundError: no such campaign.
        CampaignError: the campaign no longer fits the settings or the data.
        SegmentError: its segment no longer fits the data.
        StoreError: lake or database cannot be read.
    """
    now = aware(now or utc_now(), "now")
    as_of = aware(as_of or now, "as_of")
    saved = workspace.campaigns.get(campaign_id)
    latest = workspace.ledger.latest(campaign_id)
    occurrence = occurrence or (latest.occurrence if latest else saved.created_at)
    occurrence = aware(occurrence, "occurrence").replace(microsecond=0)
    refuse_other_salt(workspace, latest)
    if occurrence > now:
        raise InputError(f"occurrence {occurrence:%Y-%m-%d %H:%M %Z} lies in the future: it is not due yet")
    if as_of > now:
        raise InputError(f"as_of {as_of:%Y-%m-%d %H:%M %Z} lies in the future: nothing is recorded by then")
    return _decide(workspace, saved, occurrence=occurrence, as_of=as_of, now=now, version=None, report=report)


def plan_again(workspace: Workspace, planned: Plan, *, report: Report = silent) -> Plan:
    """Decide the same once more, since other runs have been reserved meanwhile.

    Raises:
        CampaignError, SegmentError, StoreError: as ``plan``.
    """
    return _decide(
        workspace, planned.campaign, occurrence=planned.occurrence, as_of=planned.as_of, now=planned.send_at,
        version=planned.lake_version, report=report,
    )  # fmt: skip


def _decide(
    workspace: Workspace,
    saved: SavedCampaign,
    *,
    occurrence: datetime,
    as_of: datetime,
    now: datetime,
    version: int | None,
    report: Report,
) -> Plan:
    settings, campaign = workspace.settings, saved.campaign
    saved.stored.refuse_changed("campaign")
    workspace.segments.get(campaign.segment.name, campaign.segment.version).stored.refuse_changed("segment")
    this_run = run_id(campaign.id, occurrence)
    report("qualify", 0, 3)
    asked = audience.ask(workspace, saved, as_of=as_of, version=version)
    standing, catalogue = workspace.groups.standing(), asked.version.catalogue
    check(
        campaign, settings, catalogue, standing=standing,
        constants=constants(asked.segment.condition, catalogue),
    )  # fmt: skip
    report("verdicts", 0, 1)
    already = workspace.ledger.find(campaign.id, occurrence)
    before = audience.history(workspace, saved, run=this_run, now=now)
    changes = leaving.changes(workspace, saved, run=this_run, already=already)
    marked = audience.mark(
        workspace, asked, run=this_run, control_share=campaign.control.share, consent_at=now,
        standing=standing, before=before, report=lambda done, total: report("verdicts", done, total),
    )  # fmt: skip
    report("cap", 2, 3)
    blocked = safety_check(workspace, saved, occurrence, marked.height)
    decided = verdicts.decide(marked, cap=campaign.cap.per_run, send_at=now, blocked=blocked is not None)
    left = leaving.decide(
        workspace, asked, changes, marked=marked, decided=decided, blocked=blocked is not None
    )  # fmt: skip
    report("cap", 3, 3)
    rules = frequency.rules(campaign, settings.frequency)
    return Plan(
        run_id=this_run,
        campaign=saved,
        audience=asked.sentence,
        occurrence=occurrence,
        as_of=as_of,
        send_at=now,
        lake_version=asked.version.version,
        reconstructed=asked.version.reconstructed,
        environment=settings.mparticle.environment,
        verdicts=decided,
        blocked=blocked,
        already=already,
        seen=seen(rules, before, changes.newest if campaign.membership else None),
        leaving=left,
    )


def seen(rules: frequency.Rules, before: History, of_campaign: int | None = None) -> Seen | None:
    """Return which runs were counted, for caps or else for the audience; caps were read first.

    Args:
        rules: of the caps.
        before: the runs that caps have counted.
        of_campaign: the number of the newest run that was counted for the audience; None for no audience.
    """
    if rules.any:
        return Seen(newest=before.newest, one_campaign=not rules.of_all, given_back=before.given_back)
    return None if of_campaign is None else Seen(newest=of_campaign, one_campaign=True)


def safety_check(
    workspace: Workspace, saved: SavedCampaign, occurrence: datetime, qualified: int
) -> str | None:
    """Return why the safety check of a campaign lets nobody be sent to at an occurrence; None when it does."""
    before = workspace.ledger.previous(saved.campaign.id, occurrence)
    return blocks(saved.campaign.safety_check, qualified, before.qualified if before else None)


def refuse_other_salt(workspace: Workspace, latest: Run | None) -> None:
    """Refuse to send under another salt than the campaign's latest run."""
    if latest is not None and latest.salt_digest != workspace.settings.salt_digest:
        raise InputError(
            f"[account] salt is not the one of {latest.run_id}: it would hold out other users than before; "
            "put the old one back, or clone the campaign"
        )


def aware(instant: datetime, name: str) -> datetime:
    """Return an instant in UTC; one without a time zone, or of no year that data can be of, is refused."""
    if instant.tzinfo is None:
        raise InputError(f"{name} {instant:%Y-%m-%d %H:%M} has no time zone")
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise InputError(
            f"{name} {instant:%Y-%m-%d}: give an instant of the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    return instant.astimezone(UTC)
