"""The facts of each step in words, and whether it stops the user when it is asked again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from workbench.campaigns import control
from workbench.campaigns.content.shorthand import is_template
from workbench.campaigns.control import Hold
from workbench.campaigns.groups import Standing
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.verdicts import INVALID, SEND
from workbench.export.ledger import Request, RequestState, Run
from workbench.lookup import explained
from workbench.lookup.evidence import Evidence, Twin
from workbench.lookup.explained import Answer, Draw
from workbench.segments.explain import Answer as Condition
from workbench.segments.explain import Explanation
from workbench.segments.model import AllOf, AnyOf, Not
from workbench.segments.traits import InSegment
from workbench.settings import Consent

INSTANT = "%Y-%m-%d %H:%M %Z"
MOST_TWINS, MOST_MESSAGES = 5, 10
WAITING = {
    RequestState.RESERVED: "waits to be sent",
    RequestState.SENT: "is being sent, or was when its process ended",
    RequestState.UNKNOWN: "may or may not have been taken",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a step says when it is asked again.

    Attributes:
        stops: whether it stops the user; None where that cannot be known any more.
        asked: False for a step that the campaign or the settings do not have.
        held_by: the group that holds the user out.
    """

    stops: bool | None
    sentence: str
    lines: tuple[str, ...] = ()
    asked: bool = True
    held_by: str | None = None


def qualify(explanation: Explanation, campaign: SavedCampaign, zone: ZoneInfo) -> Fact:
    """Say which conditions decided."""
    pin = campaign.campaign.segment
    as_of = explanation.as_of.astimezone(zone)
    where = f'segment "{pin.name}" version {pin.version}, as of {as_of:{INSTANT}}'
    if not explanation.known:
        return Fact(stops=True, sentence=f"No profile of the user was known, so the user is not in {where}.")
    state = "In" if explanation.holds else "Not in"
    return Fact(
        stops=not explanation.holds,
        sentence=f"{state} {where}: users who {explanation.answers[0].sentence}.",
        lines=tuple(_deciding(explanation.answers)),
    )


def draws(holds: Sequence[Hold], user_id: str) -> tuple[Draw, ...]:
    """Return each group's draw of a user."""
    found = []
    for hold in holds:
        digest, below = control.key(hold.salt, user_id), control.threshold(hold.share)
        found.append(
            Draw(
                held_by=hold.held_by, hashed=f"{hold.salt}:{user_id}", digest=digest, below=below,
                share=hold.share, inside=digest < below,
            )
        )  # fmt: skip
    return tuple(found)


def groups(found: Sequence[Draw], standing: Standing, user_id: str) -> Fact:
    """Say what each control group drew."""
    flagged = user_id in standing.never
    holder = None if flagged else next((draw.held_by for draw in found if draw.inside), None)
    if not found:
        return Fact(stops=False, sentence="No control group applied.", asked=False)
    if flagged:
        sentence = 'The user is flagged "never in control": no group holds the user out.'
    elif holder:
        sentence = f"Held out by the first group that the user is in: {holder}."
    else:
        sentence = "In no control group, so in the target arm."
    return Fact(stops=False, sentence=sentence, lines=tuple(_draw(draw) for draw in found), held_by=holder)


def lake_facts(found: Evidence, campaign: SavedCampaign, consent: Consent, zone: ZoneInfo) -> dict[str, Fact]:
    """Return the facts of the steps that read the lake, by step; none for a user without a profile."""
    row = found.row
    if row is None:
        return {}
    render, lint = row["render"], row["lint"]
    values = campaign.campaign.content.values.values()
    templated = any(isinstance(value, str) and is_template(value) for value in values)
    said = {True: "is true", False: "is false", None: "is absent"}
    flags = {name: f"{name} {said[value]}" for name, value in found.flags.items()}
    return {
        explained.DUPLICATE: _duplicate(
            found.twins, stops=row["duplicate"], control_arm=row["held_by"] is not None
        ),
        explained.REACHABLE: Fact(stops=not row["reachable"], sentence=_reachable(found.identities)),
        explained.UNSUBSCRIBED: Fact(
            stops=row["unsubscribed"],
            sentence=f"{flags[consent.unsubscribed]}, as known at the send."
            if consent.unsubscribed
            else "The settings name no flag of it.",
            asked=consent.unsubscribed is not None,
        ),
        explained.CONSENT: Fact(
            stops=row["consent_missing"],
            sentence=f"{', '.join(flags[name] for name in consent.required)}, as known at the send."
            if consent.required
            else "The settings require no consent.",
            asked=bool(consent.required),
        ),
        explained.FREQUENCY: _frequency(row["too_often"], found.messages, zone),
        explained.RENDER: Fact(
            stops=render is not None,
            sentence=f"{render}." if render else "Every value can be rendered."
            if templated else "The campaign has no values that differ from user to user.",
            asked=templated,
        ),
        explained.LINT: Fact(
            stops=lint is not None,
            sentence=f"{INVALID}: {lint}." if lint else "The batch keeps every limit of mParticle.",
        ),
    }  # fmt: skip


def place(every: int, before: int, cap: int | None, hashed: str, key: str) -> Fact:
    """Say where a user stands among those who could be sent to."""
    limit = f"the cap is {cap:,}" if cap is not None else "the campaign has no cap"
    return Fact(
        stops=cap is not None and before >= cap,
        sentence=f"Place {before + 1:,} of {every:,} who could be sent to, in hash order; {limit}.",
        lines=(f'md5("{hashed}") begins with {key}',),
    )


def dispatch(run: Run, request: Request, source_request_id: str | None) -> tuple[Answer, Fact]:
    """Say what became of the request that holds a user's batch."""
    tries = f"{request.attempts:,} {'attempt' if request.attempts == 1 else 'attempts'}"
    match request.state:
        case RequestState.ACCEPTED | RequestState.REJECTED:
            answer = Answer.PASSES if request.state is RequestState.ACCEPTED else Answer.STOPS
            said = f"was {request.state} after {tries}"
        case _:
            answer, said = Answer.WAITS, f"{WAITING[request.state]}, after {tries}"
    lines = [f"the receiver said: {request.answer}"] if request.answer else []
    lines += [f"source_request_id {source_request_id}"] if source_request_id else []
    sentence = (
        f"Request {request.number:,} of the run, with {request.users:,} users, {said}; run {run.state}."
    )
    return answer, Fact(stops=answer is Answer.STOPS, sentence=sentence, lines=tuple(lines))


def _deciding(answers: Sequence[Condition]) -> Iterator[str]:
    """Yield the conditions on which the answer hangs: no groups, and of a negation only itself."""
    inside: int | None = None
    for place_, answer in enumerate(answers):
        if inside is not None and answer.depth > inside:
            continue
        inside = answer.depth if isinstance(answer.condition, Not) else None
        if not answer.decides or isinstance(answer.condition, AllOf | AnyOf | InSegment):
            continue
        of = answers[place_ + 1] if isinstance(answer.condition, Not) else answer
        events = ""
        if of.events is not None:
            events = f" ({of.matching:,} {'event matches' if of.matching == 1 else 'events match'})"
        yield f"{'yes' if answer.holds else 'no'}: {answer.sentence}{events}"


def _draw(draw: Draw) -> str:
    inside = "in: below" if draw.inside else "out: not below"
    return f'{draw.held_by}, {draw.share:.1%}: md5("{draw.hashed}") begins with {draw.digest}, {inside} {draw.below}'


def _reachable(identities: Mapping[str, bool]) -> str:
    usable = [name for name, there in identities.items() if there]
    if usable:
        return f"{', '.join(usable)} can be used."
    return f"None of these can be used: {', '.join(identities) or 'no identity is mapped'}."


def _duplicate(twins: Sequence[Twin], *, stops: bool, control_arm: bool) -> Fact:
    lines = []
    for name in dict.fromkeys(name for twin in twins for name in twin.shares):
        others = [twin for twin in twins if name in twin.shares]
        shown = ", ".join(_twin(twin) for twin in others[:MOST_TWINS])
        more = f", and {len(others) - MOST_TWINS:,} more" if len(others) > MOST_TWINS else ""
        lines.append(f"{name} is shared with {len(others):,}: {shown}{more}")
    across = [twin for twin in twins if control_arm != (twin.held_by is not None)]
    if not twins:
        sentence = "Shares no identity with anybody who qualifies or is held out."
    elif not stops:
        sentence = "Shares an identity, and is the one who is kept: the first in the order of the cap."
    elif across:
        sentence = "Shares an identity with somebody in the other arm: of such a group nobody is kept."
    else:
        sentence = (
            "Shares an identity with somebody in the same arm, who comes first in the order of the cap."
        )
    return Fact(stops=stops, sentence=sentence, lines=tuple(lines))


def _frequency(reason: str | None, messages: pl.DataFrame | None, zone: ZoneInfo) -> Fact:
    """Say which messages were counted."""
    if messages is None:
        return Fact(stops=False, sentence="There are no frequency caps.", asked=False)
    lines = []
    for run_id, verdict, send_at, own, through in messages.head(MOST_MESSAGES).iter_rows():
        had = "had a message of" if verdict == SEND else "held out, would have had a message of"
        who = f" through {through}, who shares an address," if through else ""
        when = f"{send_at.astimezone(zone):{INSTANT}}"
        lines.append(f"{when}{who} {had} {run_id}{' (this campaign)' if own else ''}")
    if messages.height > MOST_MESSAGES:
        lines.append(f"and {messages.height - MOST_MESSAGES:,} earlier ones")
    sentence = f"Stopped by the {reason}." if reason else "No frequency cap stops the user."
    return Fact(stops=reason is not None, sentence=sentence, lines=tuple(lines))


def _twin(twin: Twin) -> str:
    arm = "target" if twin.held_by is None else f"held out by {twin.held_by}"
    order = "comes first" if twin.first else "comes later"
    return f"{twin.user_id} ({arm if twin.qualified else f'{arm}, not qualified'}; {order})"
