"""What the ledger says about past runs: frames for tables, charts and the overview. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from workbench.campaigns.verdicts import HOLDOUT, SEND, WATERFALL
from workbench.export.ledger import Ledger, RequestState, Run

MOST_RUNS = 200

RUNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "run_id": pl.String, "campaign_id": pl.String, "version": pl.Int64,
    "occurrence": pl.Datetime("us", "UTC"), "as_of": pl.Datetime("us", "UTC"),
    "environment": pl.String, "state": pl.String, "qualified": pl.Int64, "send": pl.Int64,
    "holdout": pl.Int64, "not_sent": pl.Int64, "accepted": pl.Int64, "rejected": pl.Int64,
    "unknown": pl.Int64, "pending": pl.Int64, "created_at": pl.Datetime("us", "UTC"),
    "created_by": pl.String, "note": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything that the overview shows, read at one instant; counts only, no person.

    Attributes:
        zone: in which times are shown.
        read_at: when the ledger was read.
        runs: see ``runs_frame``, newest first.
        waterfall: ``verdict, reason, arm, held_by, users`` of the newest run; empty without one.
    """

    account: str
    zone: ZoneInfo
    read_at: datetime
    runs: pl.DataFrame
    waterfall: pl.DataFrame

    @property
    def accepted(self) -> int:
        """Users whom the receiver accepted, summed over the runs."""
        return int(self.runs["accepted"].sum())

    @property
    def held_out(self) -> int:
        """Users held out, summed over the runs."""
        return int(self.runs["holdout"].sum())


def runs_frame(ledger: Ledger, *, limit: int = MOST_RUNS) -> pl.DataFrame:
    """Return the newest runs, one row a run, newest first.

    ``qualified`` is ``send + holdout + not_sent`` as decided; ``send`` is
    ``accepted + rejected + unknown + pending`` as it went, with columns as in ``RUNS``.

    Raises:
        StoreError: the ledger cannot be read.
    """
    return _frame(ledger, ledger.newest(limit))


def overview(ledger: Ledger, *, account: str, zone: ZoneInfo, now: datetime) -> Overview:
    """Read what the overview shows.

    Raises:
        StoreError: the ledger cannot be read.
    """
    newest = ledger.newest(MOST_RUNS)
    rows = [dict(row) for row in newest[0].verdicts] if newest else []
    return Overview(
        account=account,
        zone=zone,
        read_at=now,
        runs=_frame(ledger, newest),
        waterfall=pl.DataFrame(rows, schema=WATERFALL),
    )


def _frame(ledger: Ledger, runs: Sequence[Run]) -> pl.DataFrame:
    totals = ledger.totals_of([run.run_id for run in runs])
    rows = []
    for run in runs:
        users = totals[run.run_id]
        decided = {SEND: 0, HOLDOUT: 0}
        for row in run.verdicts:
            decided[row["verdict"]] = decided.get(row["verdict"], 0) + row["users"]
        rows.append(
            {
                "run_id": run.run_id, "campaign_id": run.campaign_id, "version": run.campaign_version,
                "occurrence": run.occurrence, "as_of": run.as_of, "environment": run.environment,
                "state": str(run.state), "qualified": run.qualified, "send": decided[SEND],
                "holdout": decided[HOLDOUT], "not_sent": run.qualified - decided[SEND] - decided[HOLDOUT],
                "accepted": users[RequestState.ACCEPTED], "rejected": users[RequestState.REJECTED],
                "unknown": users[RequestState.UNKNOWN],
                "pending": users[RequestState.RESERVED] + users[RequestState.SENT],
                "created_at": run.created_at, "created_by": run.created_by, "note": run.note,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=RUNS)
