"""What a rehearsal found: one row a fault or kill."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from workbench.export.ledger import RequestState
from workbench.rehearsal.arrived import Arrived
from workbench.runs.planning import Plan

ONCE, NOT_REACHED = "every user once", "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Users who leave the audience of a campaign that keeps one.

    Attributes:
        arrived: of whom every batch arrived.
        expected: whom the plan takes out.
    """

    arrived: int
    expected: int

    def __str__(self) -> str:
        """As a cell of a table: ``40/40``."""
        return f"{self.arrived:,}/{self.expected:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One send of the whole plan.

    Attributes:
        name: of the fault, or ``kill`` with its point.
        sentence: what happened on the way.
        reached: whether it did; a point may lie behind the end of a run.
        arrived: what the receiver has, compared with the plan.
        leaves: who was to leave the audience that the campaign keeps, and of how many it arrived; None where
            it keeps none.
        rejected: users whose request the receiver refused for good; nobody took their place.
        repeated: batches that came again and were dropped by their ids.
        resumed: how often the run was gone on with.
        users: what the ledger says: users by state of their request.
        faults: everything that is not as it must be, as sentences.
        seconds: how long it took.
    """

    name: str
    sentence: str
    reached: bool
    arrived: Arrived
    leaves: Leaves | None = None
    rejected: int
    repeated: int
    resumed: int
    users: Mapping[RequestState, int]
    faults: tuple[str, ...]
    seconds: float

    @property
    def holds(self) -> bool | None:
        """Whether everything is as it must be; None where what was to happen did not."""
        return False if self.faults else True if self.reached else None

    @property
    def verdict(self) -> str:
        """In words."""
        if self.faults:
            return "; ".join(self.faults)
        rejected = f"{self.arrived.users:,} users once, {self.rejected:,} rejected and told as such"
        said = rejected if self.rejected else ONCE
        if self.leaves is not None and self.leaves.arrived < self.leaves.expected:
            refused = self.leaves.expected - self.leaves.arrived
            said += f"; {refused:,} who leave the audience rejected and told as such"
        return said if self.reached else f"{NOT_REACHED}; {said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A campaign's plan under faults and kills, as far as it has come.

    Attributes:
        plan: what was rehearsed.
        rows: the undisturbed send first, then the faults, then the kills; those that are finished.
        total: how many rows there are to be; the most there can be, until the first send has shown which points
            a run reaches.
        ahead: the names of the rows that are still to come, the one at work first; those of kills only once
            they are known.
        requests: how many requests the plan has.
        database: which kind the ledger was in.
        seconds: how long all of it took.
        folder: what was kept; None where nothing was.
    """

    plan: Plan = field(repr=False)
    rows: tuple[Row, ...]
    total: int
    ahead: tuple[str, ...] = ()
    requests: int
    database: str
    seconds: float
    folder: Path | None

    @property
    def holds(self) -> bool | None:
        """Whether no row failed; None where none has and some are still to come."""
        if any(row.holds is False for row in self.rows):
            return False
        return None if self.ahead else True

    @property
    def seconds_left(self) -> float | None:
        """How long the rows to come will take if each takes as long as the finished ones; None before the first."""
        if not self.rows:
            return None
        return sum(row.seconds for row in self.rows) / len(self.rows) * (self.total - len(self.rows))

    @property
    def keeps_audience(self) -> bool:
        """Whether the campaign keeps an audience, so that users leave it too."""
        return self.plan.leaving is not None

    @property
    def frame(self) -> pl.DataFrame:
        """One row a send: its name, the counts, the verdict in words."""
        return pl.DataFrame([facts(row) for row in self.rows], infer_schema_length=None)


def facts(row: Row) -> dict[str, Any]:
    """Return a row for programs; no person is in it."""
    counts = asdict(row.arrived)
    counts["arrived"] = counts.pop("users")
    del counts["left"]
    return {
        "name": row.name, "sentence": row.sentence, "holds": row.holds, "reached": row.reached, **counts,
        "leaves": None if row.leaves is None else asdict(row.leaves),
        "rejected": row.rejected, "repeated": row.repeated, "resumed": row.resumed,
        "ledger": {str(state): users for state, users in row.users.items()}, "verdict": row.verdict,
        "seconds": round(row.seconds, 3),
    }  # fmt: skip
