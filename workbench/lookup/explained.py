"""What is said of one user in one run: the verdict, and the answer of every step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from workbench.campaigns import verdicts
from workbench.campaigns.content.rendering import ABORTED, RENDER_ERROR
from workbench.export.ledger import Run

NOT_QUALIFIED = "not qualified"

QUALIFY, SAFETY, CONTROL, DUPLICATE = "qualify", "safety check", "control", "duplicate identity"
REACHABLE, UNSUBSCRIBED, CONSENT = "reachable", "unsubscribed", "consent"
FREQUENCY, SEND_TIME, RENDER, LINT = "frequency caps", "send time", "render", "lint"
CAP, DISPATCH = "cap", "dispatch"

# What a reason begins with, and the step that gives it, in the order of the steps.
STEPS: Mapping[str, str] = {
    verdicts.SAFETY: SAFETY,
    verdicts.DUPLICATE: DUPLICATE,
    verdicts.NOT_REACHABLE: REACHABLE,
    verdicts.UNSUBSCRIBED: UNSUBSCRIBED,
    verdicts.NO_CONSENT: CONSENT,
    "global frequency cap": FREQUENCY,
    "campaign frequency cap": FREQUENCY,
    "do not disturb": SEND_TIME,
    "zone already past": SEND_TIME,
    "cut-off reached": SEND_TIME,
    "campaign ended": SEND_TIME,
    RENDER_ERROR: RENDER,
    ABORTED: RENDER,
    verdicts.INVALID: LINT,
    verdicts.RUN_LIMIT: CAP,
}


def step_of(reason: str | None) -> str | None:
    """Return the step that gives a reason; a reason that is not known is a step of its own.

    >>> step_of("invalid profile: note over 4096 characters"), step_of(None)
    ('lint', None)
    """
    if reason is None:
        return None
    return next((step for start, step in STEPS.items() if begins(reason, start)), reason)


def begins(reason: str, start: str) -> bool:
    """Whether a reason is this one, or this one with more said after a colon."""
    return reason == start or reason.startswith(f"{start}: ")


class Answer(StrEnum):
    """What a step says of a user."""

    PASSES = "passes"
    STOPS = "stops"
    HELD_OUT = "held out"
    WAITS = "waits"
    NOT_ASKED = "not asked"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run, for one user.

    Attributes:
        answer: as the run recorded it.
        sentence: the facts, recomputed where they can be.
        lines: what there are several of, a line each.
        differs: in which way the recomputation contradicts the run; None when it does not.
    """

    name: str
    answer: Answer
    sentence: str
    lines: tuple[str, ...] = ()
    differs: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One control group and one user.

    Attributes:
        hashed: the string whose md5 decides.
        digest: the first 8 hex digits of its md5.
        below: what they must be below.
        inside: whether they are.
    """

    held_by: str
    hashed: str
    digest: str
    below: str
    share: float
    inside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One user in one run.

    Attributes:
        verdict: as the run recorded it; ``not qualified`` for a user who has no row in it.
        steps: in the order in which they are asked.
        draws: each control group of the campaign, in order.
        cap_key: the user's place is that of this text among all who could be sent to.
        left: how the user left the audience that the campaign keeps, as a sentence; None where that is not so.
        not_recomputed: why the steps that read the lake could not be asked again; None when they were.
        zone: the account's, in which every instant is told.
    """

    run: Run
    user_id: str = field(repr=False)
    arm: str | None
    held_by: str | None
    verdict: str
    reason: str | None
    source_request_id: str | None = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    draws: tuple[Draw, ...] = field(repr=False)
    cap_key: str | None = field(repr=False)
    not_recomputed: str | None
    left: str | None = field(default=None, repr=False)
    zone: ZoneInfo = field(repr=False)

    @property
    def differences(self) -> tuple[str, ...]:
        """What the recomputation contradicts, a sentence each."""
        return tuple(f"{step.name}: {step.differs}" for step in self.steps if step.differs)

    @property
    def agrees(self) -> bool | None:
        """Whether every step, asked again, says what the run recorded; None where it could not be asked."""
        if self.differences:
            return False
        return None if self.not_recomputed else True

    @property
    def stopped_by(self) -> Step | None:
        """The step that stopped the user."""
        return next((step for step in self.steps if step.answer is Answer.STOPS), None)

    @property
    def reached(self) -> tuple[Step, ...]:
        """The steps that were asked about the user, or would have been."""
        return tuple(step for step in self.steps if step.answer is not Answer.NOT_REACHED)

    @property
    def not_reached(self) -> tuple[str, ...]:
        """The names of the steps behind the one that stopped the user."""
        return tuple(step.name for step in self.steps if step.answer is Answer.NOT_REACHED)

    @property
    def summary(self) -> str:
        """The verdict as a sentence, and another one for who left the audience."""
        return f"{self._verdict} {self.left}" if self.left else self._verdict

    @property
    def _verdict(self) -> str:
        who = f"User {self.user_id}"
        match self.verdict:
            case verdicts.SEND:
                return f"{who} was chosen to be sent to. {self.steps[-1].sentence}"
            case verdicts.HOLDOUT:
                return f"{who} was held out ({self.held_by or 'campaign'}), and would have been sent to."
            case verdicts.NOT_SENT:
                return f"{who} was not sent to: {self.reason}."
            case _:
                return f"{who} did not qualify, so the run has no row of the user."

    @property
    def proof(self) -> str:
        """Whether the recomputation agrees, as a sentence."""
        if self.differences:
            return "Asked again, something differs from what the run recorded."
        if self.not_recomputed:
            return f"Not every step could be asked again: {self.not_recomputed}."
        return "Every step was asked again at the run's own instants, and says what the run recorded."
