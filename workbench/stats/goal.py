"""Who converted: a goal asked of the raw events, for the users of one run, as they were recorded by an instant.

A user's window runs from the send (included) to the send plus the goal's time (excluded): an event in the
microsecond of the send counts, one exactly a window later does not. A user converts once, however often the
event happened; the revenue is the sum over all of them within the window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.campaigns import goal as goals
from workbench.campaigns.model import Goal
from workbench.errors import InputError
from workbench.segments.vectors import Question
from workbench.segments.vectors.arrays import EPOCH, LATEST, microseconds
from workbench.segments.vectors.rows import rows
from workbench.segments.windows import Span
from workbench.store.engine import quote

INSTANT = pl.Datetime("us", "UTC")
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "user_code": pl.UInt32, "start": INSTANT, "converted": pl.Boolean, "first_at": INSTANT,
    "events": pl.Int64, "revenue": pl.Float64, "unpriced": pl.Int64, "closed": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The conversions of some users together.

    Attributes:
        users: all of them.
        converted: those who did the event within their window.
        revenue: of their events; None if the goal has none.
        unpriced: events within a window that lack the revenue property; they add 0.
        open: users whose window was still open.
    """

    users: int
    converted: int
    revenue: float | None
    unpriced: int
    open: int

    @property
    def rate(self) -> float | None:
        """The share who converted; None of nobody."""
        return self.converted / self.users if self.users else None

    @property
    def revenue_per_conversion(self) -> float | None:
        """Revenue of those who converted, for each of them; None without a conversion or a revenue."""
        return self.revenue / self.converted if self.revenue is not None and self.converted else None


def conversions(question: Question, goal: Goal, sent: pl.DataFrame) -> pl.DataFrame:
    """Return who did the event within the window, and when first.

    Args:
        question: at the instant of the question: what had not happened or was not recorded by then is not seen.
        goal: that was checked.
        sent: ``user_code, start``: each user once, with the instant of the send; for held-out and capped
            users the instant at which they would have been sent to.

    Returns:
        One row a user in the order of ``sent``, with the columns of ``SCHEMA``: ``first_at`` is null for who
        did not convert; ``revenue`` is null without a revenue property, and an event that lacks it adds 0 and
        is counted in ``unpriced``; negative values (refunds) are subtracted; ``closed`` says that no later
        event can count any more.

    Raises:
        InputError: a user twice, no start, or a code that the lake does not have.
        StoreError: a file of the version is gone or damaged.
    """
    sent = sent.select(pl.col("user_code").cast(pl.UInt32), pl.col("start").cast(INSTANT))
    _refuse(sent, question.users)
    codes = sent["user_code"].to_numpy()
    begins = sent["start"].dt.timestamp("us").to_numpy()
    length = goals.window(goal) // timedelta(microseconds=1)
    found = _Found.of(question.users, with_revenue=goal.revenue is not None)
    if len(codes):
        start = np.full(question.users, LATEST, np.int64)
        start[codes] = begins
        limits = Span(start=_instant(int(begins.min())), end=_instant(int(begins.max()) + length))
        for users, instants, *priced in _events(question, goal, limits):
            after = instants - start[users]
            # Who was not sent to has the latest of all starts: the difference is below 0.
            within = (after >= 0) & (after < length)
            found.add(users[within], instants[within], *(column[within] for column in priced))
    events, first = found.events[codes], found.first[codes]
    closes = begins + length <= microseconds(question.as_of)
    revenue = None if found.revenue is None else found.revenue[codes]
    return sent.with_columns(
        converted=pl.Series(events > 0, dtype=pl.Boolean),
        first_at=pl.Series(first, dtype=pl.Int64).replace(LATEST, None).cast(INSTANT),
        events=pl.Series(events, dtype=pl.Int64),
        revenue=pl.lit(None, pl.Float64) if revenue is None else pl.Series(revenue, dtype=pl.Float64),
        unpriced=pl.Series(found.unpriced[codes], dtype=pl.Int64),
        closed=pl.Series(closes, dtype=pl.Boolean),
    ).cast(SCHEMA)  # type: ignore[arg-type]


def total(converted: pl.DataFrame) -> Total:
    """Add up the frame of ``conversions``, or a part of its rows."""
    priced = converted["revenue"].drop_nulls()
    return Total(
        users=converted.height,
        converted=int(converted["converted"].sum()),
        revenue=float(priced.sum()) if len(priced) else None,
        unpriced=int(converted["unpriced"].sum()),
        open=int((~converted["closed"]).sum()),
    )


@dataclass(slots=True)
class _Found:
    """What was added up so far, by user code."""

    events: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    revenue: npt.NDArray[np.float64] | None
    unpriced: npt.NDArray[np.int64]

    @classmethod
    def of(cls, users: int, *, with_revenue: bool) -> "_Found":
        return cls(
            events=np.zeros(users, np.int64),
            first=np.full(users, LATEST, np.int64),
            revenue=np.zeros(users) if with_revenue else None,
            unpriced=np.zeros(users, np.int64),
        )

    def add(self, users: npt.NDArray[Any], instants: npt.NDArray[Any], *priced: npt.NDArray[Any]) -> None:
        count = len(self.events)
        self.events += np.bincount(users, minlength=count)
        np.minimum.at(self.first, users, instants)
        if self.revenue is not None:
            revenue, absent = priced
            self.revenue += np.bincount(users, weights=revenue, minlength=count)
            self.unpriced += np.bincount(users, weights=absent, minlength=count).astype(np.int64)


def _events(question: Question, goal: Goal, limits: Span) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Read user codes and times, and where wanted revenue and whether it is absent, of the goal's events."""
    columns, properties = "epoch_us(ts)", tuple[str, ...]()
    if goal.revenue is not None:
        column = quote(question.scope.catalogue.properties[goal.revenue].column)
        columns += f", coalesce({column}, 0) AS revenue, ({column} IS NULL)::TINYINT AS absent"
        properties = (goal.revenue,)
    yield from rows(question, goals.chosen(goal), limits, columns, properties=properties).arrays()


def _refuse(sent: pl.DataFrame, users: int) -> None:
    if sent["start"].null_count() or sent["user_code"].null_count():
        raise InputError("a user without an instant of the send has no window")
    if sent["user_code"].n_unique() < sent.height:
        raise InputError("a user is there twice; conversions are counted for one run at a time")
    highest = sent["user_code"].max()
    if isinstance(highest, int) and highest >= users:
        raise InputError(f"user code {highest} is not in this lake, which has {users:,} users")


def _instant(microseconds_: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds_)
