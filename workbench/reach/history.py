"""How large a segment would have been: the same question at the same time of each of the last days."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from workbench.errors import InputError
from workbench.reach.exact import named
from workbench.reach.subjects import past
from workbench.segments.check import check
from workbench.segments.model import Segment
from workbench.segments.sentence import sentence
from workbench.segments.vectors import Watch
from workbench.workspace import Workspace

MOST_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The size of a segment over time, computed back in time from what had been recorded by each instant.

    Attributes:
        name: of the segment.
        sentence: what it says.
        zone: of the account.
        sizes: one row a day, ascending: ``as_of`` (UTC), ``everyone`` (users with a profile), ``qualified``.
        conditions: one row a day and condition: ``as_of, place, depth, sentence, users``; children before
            parents, the last place is the segment.
        reconstructed: whether some rows count as recorded at their own time.
        seconds: the time that the whole question took.
    """

    name: str
    sentence: str
    zone: ZoneInfo
    sizes: pl.DataFrame
    conditions: pl.DataFrame
    reconstructed: bool
    seconds: float

    @property
    def as_of(self) -> datetime:
        """The last instant."""
        return self._instants[-1]

    @property
    def by_day(self) -> pl.DataFrame:
        """One row a day: ``day`` (in the account's zone), ``users``, ``change`` (to the day before), ``everyone``."""
        days = pl.Series([at.astimezone(self.zone).date() for at in self._instants], dtype=pl.Date)
        return self.sizes.select(
            day=days, users="qualified", change=pl.col("qualified").diff(), everyone="everyone"
        )

    @property
    def first(self) -> tuple[date, int]:
        """The first day and its users."""
        return self._row(0)

    @property
    def last(self) -> tuple[date, int]:
        """The last day and its users."""
        return self._row(-1)

    @property
    def lowest(self) -> tuple[date, int]:
        """The day with the fewest users; the earliest of several."""
        return self._row(self.sizes["qualified"].arg_min() or 0)

    @property
    def highest(self) -> tuple[date, int]:
        """The day with the most users; the earliest of several."""
        return self._row(self.sizes["qualified"].arg_max() or 0)

    @property
    def summary(self) -> str:
        """The last day, what became of the first, and both extremes, as a sentence."""
        (since, before), (day, users) = self.first, self.last
        said = f"{users:,} users on {day}"
        if since == day:
            return said
        percent = f" ({(users - before) / before:+.1%})" if before else ""
        moved = f"as many as on {since}" if users == before else f"{users - before:+,}{percent} since {since}"
        low, high = self.lowest, self.highest
        return f"{said}, {moved}; lowest {low[1]:,} on {low[0]}, highest {high[1]:,} on {high[0]}"

    @property
    def ends(self) -> pl.DataFrame:
        """One row a condition: ``place, depth, sentence, first, last``; users on the first day and on the last."""
        first, last = (
            self.conditions.filter(as_of=self._instants[end]).rename({"users": name})
            for end, name in ((0, "first"), (-1, "last"))
        )
        return first.drop("as_of").with_columns(last["last"])

    @property
    def _instants(self) -> list[datetime]:
        return self.sizes["as_of"].to_list()

    def _row(self, number: int) -> tuple[date, int]:
        day, users = self.by_day.row(number)[:2]
        return day, users


def history(
    workspace: Workspace,
    segment: str | Segment,
    *,
    as_of: datetime,
    days: int = 28,
    version: int | None = None,
    watch: Watch | None = None,
) -> History:
    """Count a segment, or a saved one by its name, at the account's local time of ``as_of`` on each day.

    Args:
        workspace: of the account.
        segment: to count.
        as_of: the last instant.
        days: how many, the last one included.
        version: of a saved segment; the newest by default.
        watch: hears how far it is, and may stop it.

    Raises:
        NotFoundError: no such segment.
        InputError: ``as_of`` lies in the future, or ``days`` is out of reach.
        SegmentError: it does not fit the data; with all problems.
        CancelledError: the question was stopped.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InputError(f"days {days}: give 1 to {MOST_DAYS}")
    past(as_of)
    began = time.perf_counter()
    asked = named(workspace, segment, version)
    lake = workspace.lake.at()
    check(asked, workspace.scope(lake), as_of)
    instants = each_day(as_of, days, workspace)
    sizes, conditions = [], []
    told: list[str] = []
    for instant, answer in zip(
        instants, workspace.ask_over_time(asked, lake, instants, watch=watch), strict=True
    ):
        told = told or [sentence(held.condition) for held in answer.conditions]
        sizes.append(
            (instant, int(np.count_nonzero(answer.everyone)), int(np.count_nonzero(answer.qualified)))
        )
        conditions += [
            (instant, place, held.depth, text, int(np.count_nonzero(held.holds & answer.everyone)))
            for place, (held, text) in enumerate(zip(answer.conditions, told, strict=True))
        ]
    at = pl.Datetime("us", "UTC")
    return History(
        name=asked.name,
        sentence=sentence(asked.condition),
        zone=workspace.zone,
        sizes=pl.DataFrame(
            sizes, schema={"as_of": at, "everyone": pl.Int64, "qualified": pl.Int64}, orient="row"
        ),
        conditions=pl.DataFrame(
            conditions,
            schema={
                "as_of": at,
                "place": pl.Int64,
                "depth": pl.Int64,
                "sentence": pl.String,
                "users": pl.Int64,
            },
            orient="row",
        ),
        reconstructed=lake.reconstructed,
        seconds=time.perf_counter() - began,
    )


def each_day(as_of: datetime, days: int, workspace: Workspace) -> list[datetime]:
    """Return the instants: the same local time on each day, the last one ``as_of``."""
    local = as_of.astimezone(workspace.zone)
    return [(local - timedelta(days=back)).astimezone(UTC) for back in range(days - 1, -1, -1)]
