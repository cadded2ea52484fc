"""The answer behind the reach panel: the segment is asked once, control and cap are moved over its users."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from workbench import audience, runs
from workbench.audience import Audience
from workbench.campaigns import verdicts
from workbench.campaigns.groups import Standing
from workbench.campaigns.verdicts import HOLDOUT, SEND
from workbench.errors import InputError
from workbench.store.lake import utc_now
from workbench.workspace import Workspace

MOST_SHARES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which campaign, when, and with which control and cap instead of its own."""

    campaign: str
    as_of: datetime
    control_share: float | None = None
    cap: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The verdicts counted, as a plan with this control and cap would give them.

    Attributes:
        question: that it answers.
        audience: the segment as a sentence.
        reachable: qualified users who have an identity and are not unsubscribed.
        waterfall: ``verdict, reason, arm, held_by, users``.
        blocked: why the campaign's safety check lets nobody be sent to; None when it does.
    """

    question: Question
    audience: str
    reachable: int
    reconstructed: bool
    waterfall: pl.DataFrame
    blocked: str | None = None

    @property
    def qualified(self) -> int:
        """How many users are in the segment."""
        return int(self.waterfall["users"].sum())

    @property
    def held_out(self) -> int:
        """How many would be sent to if they were not in the control group."""
        return self._users(HOLDOUT)

    @property
    def sent(self) -> int:
        """How many would be sent to."""
        return self._users(SEND)

    def _users(self, verdict: str) -> int:
        return int(self.waterfall.filter(pl.col("verdict") == verdict)["users"].sum())


class Preview:
    """Answers questions about one workspace; keeps the last audience and its users' marks by share."""

    def __init__(self, workspace: Workspace, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Ask nothing yet."""
        self._workspace = workspace
        self._clock = clock
        self._key: tuple[object, ...] = ()
        self._audience: Audience | None = None
        self._standing = Standing()
        self._marks: OrderedDict[float | None, pl.DataFrame] = OrderedDict()

    def __call__(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            InputError: ``as_of`` lies in the future.
            NotFoundError: no such campaign.
            SegmentError: its segment no longer fits the data.
            StoreError: lake or database cannot be read.
        """
        now = self._clock()
        if question.as_of > now:
            raise InputError("as_of lies in the future: nothing is recorded by then")
        asked = self._asked(question)
        marks = self._marked(asked, question.control_share)
        blocked = self._blocked(asked, marks.height)
        decided = verdicts.decide(marks, cap=question.cap, send_at=now, blocked=blocked is not None)
        return Answer(
            question=question,
            audience=asked.sentence,
            reachable=marks.filter(pl.col("reachable") & ~pl.col("unsubscribed")).height,
            reconstructed=asked.version.reconstructed,
            waterfall=verdicts.waterfall(decided),
            blocked=blocked,
        )

    def _blocked(self, asked: Audience, qualified: int) -> str | None:
        campaign = asked.campaign
        latest = self._workspace.ledger.latest(campaign.campaign.id)
        occurrence = latest.occurrence if latest else campaign.created_at
        return runs.safety_check(self._workspace, campaign, occurrence, qualified)

    def _asked(self, question: Question) -> Audience:
        saved = self._workspace.campaigns.get(question.campaign)
        self._standing = self._workspace.groups.standing()
        version = self._workspace.lake.version()
        key = (question.campaign, saved.stored.version, question.as_of, version, self._standing)
        if self._audience is None or key != self._key:
            self._audience = audience.ask(self._workspace, saved, as_of=question.as_of)
            self._key = key
            self._marks.clear()
        return self._audience

    def _marked(self, asked: Audience, share: float | None) -> pl.DataFrame:
        if share not in self._marks:
            campaign = asked.campaign
            run = runs.run_id(campaign.campaign.id, campaign.created_at)
            self._marks[share] = audience.mark(
                self._workspace, asked, run=run, control_share=share, standing=self._standing
            )
            while len(self._marks) > MOST_SHARES:
                self._marks.popitem(last=False)
        return self._marks[share]
