"""What a campaign could find out, and whether its arms are alike: asked before anything is sent.

ask - arms - baseline (the goal, one window ago) - detectable lift and cost    (power)
ask - arms - every attribute, target against control                           (balance)
"""

import math
import time
from datetime import datetime

import polars as pl

from workbench import audience
from workbench.audience import Audience
from workbench.campaigns import check, goal, verdicts
from workbench.campaigns.content.constants import constants
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.model import Goal
from workbench.errors import InputError, SegmentError
from workbench.reach.subjects import past
from workbench.runs import Plan
from workbench.segments.check import check as check_segment
from workbench.stats import balance as balances
from workbench.stats import power as powers
from workbench.stats.balance import Balance
from workbench.stats.goal import conversions, total
from workbench.stats.power import Baseline, Power
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

LARGEST_LIFT = 100


def power(
    workspace: Workspace,
    campaign: str,
    *,
    as_of: datetime,
    version: int | None = None,
    lift: float | None = None,
) -> Power:
    """Return the smallest lift that a campaign could find, beside other shares of control, and what they cost.

    Args:
        workspace: of the account.
        campaign: id of a saved one that has a goal.
        as_of: the instant of the question.
        version: of the campaign; the newest by default.
        lift: relative to the baseline, at which the cost is counted (0.1 is 10 %); by default the smallest one
            that the campaign's own control group could find.

    Raises:
        NotFoundError: no such campaign.
        InputError: it has no goal; the lift is no number above 0; ``as_of`` has no zone, or lies in the future.
        CampaignError: it no longer fits the data.
        SegmentError: its segment no longer fits the data.
        StoreError: lake or database cannot be read.
    """
    began = time.perf_counter()
    instant = past(as_of)
    saved = workspace.campaigns.get(campaign, version)
    wanted = saved.campaign.goal
    if wanted is None:
        raise InputError(
            f'campaign "{campaign}" has no goal; say in `goal:` which event counts, and how long'
        )
    if lift is not None and not (math.isfinite(lift) and 0 < lift <= LARGEST_LIFT):
        raise InputError(f"lift {lift:g} is outside 0 to {LARGEST_LIFT} (0.1 is 10 % of the baseline)")
    asked, decided = _decided(workspace, saved, instant)
    return _power(workspace, saved, wanted, asked.version, instant, decided, lift=lift, began=began)


def of_plan(workspace: Workspace, planned: Plan) -> Power | None:
    """Return what a plan could find out, from its own verdicts; None for a campaign without a goal.

    Raises:
        StoreError: lake or database cannot be read.
    """
    began, saved = time.perf_counter(), planned.campaign
    if saved.campaign.goal is None:
        return None
    version = workspace.lake.at(planned.lake_version)
    return _power(
        workspace,
        saved,
        saved.campaign.goal,
        version,
        planned.as_of,
        planned.verdicts,
        lift=None,
        began=began,
    )


def _power(
    workspace: Workspace,
    saved: SavedCampaign,
    wanted: Goal,
    version: LakeVersion,
    as_of: datetime,
    decided: pl.DataFrame,
    *,
    lift: float | None,
    began: float,
) -> Power:
    sent, held_out = (
        decided.filter(pl.col("verdict") == verdict).height for verdict in (verdicts.SEND, verdicts.HOLDOUT)
    )
    capped = decided.filter(pl.col("reason") == verdicts.RUN_LIMIT).height
    able, cap = sent + held_out + capped, saved.campaign.cap.per_run
    base = _baseline(workspace, saved, version, as_of, wanted)
    at, said, options = powers.options(
        base, able=able, cap=cap, chosen=saved.campaign.control.share, arms=(sent, held_out), lift=lift
    )
    return Power(
        campaign=saved.campaign.id,
        goal=goal.sentence(wanted),
        as_of=as_of,
        baseline=base,
        able=able,
        cap=cap,
        lift=at,
        lift_is=said,
        options=options,
        reconstructed=version.reconstructed,
        seconds=time.perf_counter() - began,
    )


def balance(workspace: Workspace, campaign: str, *, as_of: datetime, version: int | None = None) -> Balance:
    """Compare every attribute of the profiles between target and control, over all who qualify.

    Args:
        workspace: of the account.
        campaign: id of a saved one.
        as_of: the instant of the question; profiles are read as they were known then.
        version: of the campaign; the newest by default.

    Raises:
        NotFoundError: no such campaign.
        InputError: ``as_of`` has no zone, or lies in the future.
        CampaignError: it no longer fits the data.
        SegmentError: its segment no longer fits the data.
        StoreError: lake or database cannot be read.
    """
    began = time.perf_counter()
    instant = past(as_of)
    saved = workspace.campaigns.get(campaign, version)
    asked, decided = _decided(workspace, saved, instant)
    arms = decided.select("user_code", control=pl.col("arm") != verdicts.TARGET)
    held_out = int(arms["control"].sum())
    target = arms.height - held_out
    why = None
    if not arms.height:
        why = "nobody is in the segment"
    elif not held_out:
        why = "no control users"
    elif not target:
        why = "no target users"
    rows, empty = pl.DataFrame(schema=balances.SCHEMA), tuple[str, ...]()
    if why is None:
        lake = asked.version
        connection = lake.connect()
        rows, empty = balances.compare(
            connection,
            arms,
            profiles=lake.profiles_at(instant),
            as_of=instant,
            catalogue=lake.catalogue,
            identities=workspace.settings.identities.values(),
        )
        connection.close()
    return Balance(
        campaign=campaign,
        as_of=instant,
        target=target,
        control=held_out,
        rows=rows,
        empty=empty,
        why=why,
        reconstructed=asked.version.reconstructed,
        seconds=time.perf_counter() - began,
    )


def _decided(workspace: Workspace, saved: SavedCampaign, as_of: datetime) -> tuple[Audience, pl.DataFrame]:
    """Give every qualified user an arm and a verdict, as a run at the instant would."""
    asked = audience.ask(workspace, saved, as_of=as_of)
    standing, catalogue = workspace.groups.standing(), asked.version.catalogue
    check.check(
        saved.campaign, workspace.settings, catalogue, standing=standing,
        constants=constants(asked.segment.condition, catalogue),
    )  # fmt: skip
    marked = audience.mark(
        workspace, asked, run=saved.campaign.id, control_share=saved.campaign.control.share, standing=standing
    )
    return asked, verdicts.decide(marked, cap=saved.campaign.cap.per_run, send_at=as_of)


def _baseline(
    workspace: Workspace, saved: SavedCampaign, version: LakeVersion, as_of: datetime, wanted: Goal
) -> Baseline:
    """Follow those who were in the segment one window ago until now, as a run at that instant would have been."""
    start = as_of - goal.window(wanted)
    first, newest = version.catalogue.first_ts, version.catalogue.last_ts
    pin = saved.campaign.segment
    segment = workspace.segments.get(pin.name, pin.version).segment
    why = None
    if first is None or newest is None:
        why = "the lake has no events"
    elif first > start:
        why = f"the events begin on {first:%Y-%m-%d %H:%M} UTC, after the window did"
    elif newest < start:
        why = f"the newest event is of {newest:%Y-%m-%d %H:%M} UTC, before the window began"
    else:
        try:
            check_segment(segment, workspace.scope(version), start)
        except SegmentError as error:
            why = f"the segment cannot be asked then ({error.problems[0].message})"
    if why is not None:
        return Baseline(start=start, end=as_of, newest=newest, why=why)
    users = workspace.ask(segment, version, start).users
    sent = users.with_columns(start=pl.lit(start, dtype=pl.Datetime("us", "UTC")))
    found = total(conversions(workspace.question(version, as_of), wanted, sent))
    return powers.baseline(start, as_of, newest, found)
