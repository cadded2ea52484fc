"""Ask every step of a run again about one user, and lay the answers beside what the run recorded."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from workbench.campaigns import control
from workbench.campaigns.groups import Standing, holds
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.verdicts import CONTROL as CONTROL_ARM
from workbench.campaigns.verdicts import RUN_LIMIT, SEND
from workbench.errors import InputError, NotFoundError, StoreError
from workbench.export.ledger import Purpose, Run, RunState
from workbench.lookup import explained, facts, leaving
from workbench.lookup.evidence import Evidence, asked, code_of, gather
from workbench.lookup.explained import Answer, Draw, Explained, Step, step_of
from workbench.lookup.facts import Fact
from workbench.lookup.listing import audience, places, row_of
from workbench.runs import safety_check
from workbench.segments.explain import Explanation
from workbench.workspace import Workspace

ORDER = (
    explained.QUALIFY, explained.SAFETY, explained.CONTROL, explained.DUPLICATE, explained.REACHABLE,
    explained.UNSUBSCRIBED, explained.CONSENT, explained.FREQUENCY, explained.RENDER, explained.LINT,
    explained.CAP, explained.DISPATCH,
)  # fmt: skip


def explain_run(workspace: Workspace, run_id: str, user_id: str) -> Explained:
    """Say why one user has the verdict that a run gave.

    The verdict is the one that was frozen. Each step is asked again at the run's own instants, with the
    lake, the segment, the campaign and the groups of then, and with the settings of now.

    Raises:
        NotFoundError: no such run, or no such user.
        StoreError: the audience of the run is gone, or is not what was frozen.
    """
    run = workspace.ledger.get(run_id)
    frozen = audience(workspace.settings.directory, run)
    row = row_of(frozen, user_id)
    campaign = workspace.campaigns.get(run.campaign_id, run.campaign_version)
    again = _ask(workspace, run, campaign, frozen, user_id, qualified=row is not None)
    left = leaving.sentence(workspace, run, user_id)
    if row is None:
        return replace(_not_qualified(run, user_id, campaign, again, workspace.zone), left=left)
    return Explained(
        run=run,
        user_id=user_id,
        arm=row["arm"],
        held_by=row["held_by"],
        verdict=row["verdict"],
        reason=row["reason"],
        source_request_id=row["source_request_id"],
        steps=_steps(workspace, run, campaign, row, again),
        draws=again.draws,
        cap_key=again.cap_key,
        not_recomputed=again.why_not,
        left=left,
        zone=workspace.zone,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """What could be asked again; ``why_not`` says what could not."""

    standing: Standing = field(default_factory=Standing)
    draws: tuple[Draw, ...] = ()
    cap_salt: str | None = None
    cap_key: str | None = None
    explanation: Explanation | None = None
    evidence: Evidence | None = None
    why_not: str | None = None


def _ask(
    workspace: Workspace,
    run: Run,
    campaign: SavedCampaign,
    frozen: pl.LazyFrame,
    user_id: str,
    *,
    qualified: bool,
) -> _Again:
    """Ask again what can be: hashes need the salt, the other steps the run's version of the lake."""
    settings = workspace.settings
    if run.purpose is Purpose.TEST or run.salt_digest != settings.salt_digest:
        if not qualified:
            _refuse_unknown(workspace, run, user_id)
        test = "it is a test send, which asks neither segment nor arms nor caps"
        return _Again(
            why_not=test if run.purpose is Purpose.TEST else "[account] salt is not the one of the run"
        )
    standing = workspace.groups.stood(run.created_at)
    chosen = holds(
        campaign.campaign, standing, share=campaign.campaign.control.share,
        account_salt=settings.account.salt,
    )  # fmt: skip
    salt = control.cap_salt(settings.account.salt, run.run_id)
    known = _Again(
        standing=standing, draws=facts.draws(chosen, user_id), cap_salt=salt,
        cap_key=control.key(salt, user_id, control.CAP_DIGITS),
    )  # fmt: skip
    if not qualified:
        _refuse_unknown(workspace, run, user_id)
    try:
        version = workspace.lake.at(run.lake_version)
        with closing(version.connect()) as connection:
            explanation = asked(workspace, run, campaign, version, connection, user_id)
            if not qualified:
                return replace(known, explanation=explanation)
            evidence = gather(
                workspace, run, campaign, version, connection, user_id, frozen=frozen, standing=standing,
                holds=chosen,
            )  # fmt: skip
    except (InputError, StoreError) as error:
        return replace(known, why_not=" ".join(str(error).split()))
    return replace(known, explanation=explanation, evidence=evidence)


def _refuse_unknown(workspace: Workspace, run: Run, user_id: str) -> None:
    """Refuse an id that the lake does not have, and one that it has got since the run.

    Raises:
        NotFoundError: naming near ids.
    """
    with closing(workspace.lake.at().connect()) as connection:
        code_of(connection, user_id)
    try:
        then = workspace.lake.at(run.lake_version).connect()
    except StoreError:
        return
    with closing(then):
        try:
            code_of(then, user_id)
        except NotFoundError as error:
            raise NotFoundError(
                f'user "{user_id}" came into the lake after {run.run_id}, which read version {run.lake_version}'
            ) from error


def _not_qualified(
    run: Run, user_id: str, campaign: SavedCampaign, again: _Again, zone: ZoneInfo
) -> Explained:
    """Explain a user who has no row in the run."""
    found = None if again.explanation is None else facts.qualify(again.explanation, campaign, zone)
    first = Step(
        name=explained.QUALIFY,
        answer=Answer.STOPS,
        sentence=found.sentence if found else "The run has no row of the user.",
        lines=found.lines if found else (),
        differs="asked again, the user qualifies; the run has no row of the user"
        if found and not found.stops
        else None,
    )
    return Explained(
        run=run, user_id=user_id, arm=None, held_by=None, verdict=explained.NOT_QUALIFIED, reason=None,
        source_request_id=None, steps=(first, *(_not_reached(name, explained.QUALIFY) for name in ORDER[1:])),
        draws=again.draws, cap_key=again.cap_key, not_recomputed=again.why_not, zone=zone,
    )  # fmt: skip


def _steps(
    workspace: Workspace, run: Run, campaign: SavedCampaign, row: Mapping[str, Any], again: _Again
) -> tuple[Step, ...]:
    """Return every step of a qualified user; the answers are those that the run recorded."""
    found: dict[str, Fact] = {}
    if again.explanation is not None:
        found[explained.QUALIFY] = facts.qualify(again.explanation, campaign, workspace.zone)
    found[explained.SAFETY] = _safety(workspace, run, campaign)
    if again.cap_salt is not None:
        found[explained.CONTROL] = facts.groups(again.draws, again.standing, row["user_id"])
    recomputed = None
    if again.evidence is not None:
        consent = workspace.settings.consent
        found |= facts.lake_facts(again.evidence, campaign, consent, workspace.zone)
        recomputed = again.evidence.decided
    if again.cap_salt is not None and again.cap_key is not None and _could_be_sent(row):
        folder = workspace.settings.directory
        every, before = places(folder, run, again.cap_salt, row["user_code"], row["user_id"])
        hashed, limit = f"{again.cap_salt}:{row['user_id']}", campaign.campaign.cap.per_run
        found[explained.CAP] = facts.place(every, before, limit, hashed, again.cap_key)
    stop = step_of(row["reason"])
    order = list(ORDER)
    if stop is not None and stop not in order:
        order.insert(order.index(explained.RENDER), stop)
    steps = []
    for name in order[:-1]:
        reached = stop is None or order.index(name) <= order.index(stop)
        if name == explained.CONTROL:
            steps.append(_control(row, found.get(name), recomputed))
        elif not reached:
            steps.append(_not_reached(name, str(stop)))
        elif name == explained.CAP and row["arm"] == CONTROL_ARM:
            steps.append(
                Step(name=name, answer=Answer.NOT_ASKED, sentence="The cap is for the target arm only.")
            )
        else:
            steps.append(_step(name, row["reason"] if name == stop else None, found.get(name), recomputed))
    return (*steps, _dispatch(workspace, run, row, stop))


def _step(name: str, reason: str | None, found: Fact | None, recomputed: Mapping[str, Any] | None) -> Step:
    """Lay a fact beside what the run recorded: the reason of the step that stopped the user, else None."""
    answer = Answer.STOPS if reason is not None else Answer.PASSES
    if found is None:
        recorded = f"{reason}, as the run recorded." if reason is not None else "Passed, as the run recorded."
        return Step(name=name, answer=answer, sentence=recorded)
    differs = None
    again = recomputed["reason"] if recomputed is not None else None
    if found.stops is not None and found.stops is not (reason is not None):
        now, then = ("stops", "let it pass") if found.stops else ("lets the user pass", f"recorded: {reason}")
        differs = f"asked again, it {now}; the run {then}"
    elif reason is not None and name not in {explained.SAFETY, explained.CAP} and again != reason:
        differs = f"asked again, the reason is {again}; the run recorded: {reason}"
    if answer is Answer.PASSES and not found.asked:
        answer = Answer.NOT_ASKED
    return Step(name=name, answer=answer, sentence=found.sentence, lines=found.lines, differs=differs)


def _control(row: Mapping[str, Any], found: Fact | None, recomputed: Mapping[str, Any] | None) -> Step:
    """Both arms go on: the step says on which side a user is, also where another one stops everybody."""
    held = row["arm"] == CONTROL_ARM
    holder = row["held_by"] or (control.CAMPAIGN if held else None)
    answer = Answer.HELD_OUT if held else Answer.PASSES if found is None or found.asked else Answer.NOT_ASKED
    if found is None:
        sentence = f"Held out by {holder}, as the run recorded." if held else "Target, as the run recorded."
        return Step(name=explained.CONTROL, answer=answer, sentence=sentence)
    again = found.held_by if recomputed is None else recomputed["held_by"]
    differs = None
    if again != holder:
        differs = (
            f'asked again, {_side(again)}; the run recorded {_side(holder)}. A flag "never in control" that '
            "was set back since leaves no trace, which may be why"
        )
    return Step(
        name=explained.CONTROL, answer=answer, sentence=found.sentence, lines=found.lines, differs=differs
    )


def _safety(workspace: Workspace, run: Run, campaign: SavedCampaign) -> Fact:
    check = campaign.campaign.safety_check
    if check is None:
        return Fact(stops=False, sentence="The campaign has no safety check.", asked=False)
    before = workspace.ledger.previous(run.campaign_id, run.occurrence)
    late = check.change is not None and before is not None and before.created_at > run.created_at
    stops = None if late else safety_check(workspace, campaign, run.occurrence, run.qualified) is not None
    if run.state is RunState.BLOCKED:
        return Fact(stops=stops, sentence=f"{run.note}: nobody is sent to.")
    return Fact(stops=stops, sentence=f"{run.qualified:,} users qualified, which the campaign allows.")


def _dispatch(workspace: Workspace, run: Run, row: Mapping[str, Any], stop: str | None) -> Step:
    name = explained.DISPATCH
    if stop is not None:
        return _not_reached(name, stop)
    if row["verdict"] != SEND:
        return Step(name=name, answer=Answer.NOT_ASKED, sentence="Held out: nothing is sent.")
    requests = workspace.ledger.requests(run.run_id)
    request = next((item for item in requests if item.number == row["request"]), None)
    if request is None:
        return Step(
            name=name, answer=Answer.WAITS, sentence="The ledger has no request of the user.",
            differs=f"the run recorded request {row['request']}, which the ledger does not have",
        )  # fmt: skip
    answer, found = facts.dispatch(run, request, row["source_request_id"])
    return Step(name=name, answer=answer, sentence=found.sentence, lines=found.lines)


def _not_reached(name: str, stop: str) -> Step:
    return Step(name=name, answer=Answer.NOT_REACHED, sentence=f"{stop} came first.")


def _could_be_sent(row: Mapping[str, Any]) -> bool:
    return row["arm"] != CONTROL_ARM and row["reason"] in {None, RUN_LIMIT}


def _side(held_by: str | None) -> str:
    return "target" if held_by is None else f"held out by {held_by}"
