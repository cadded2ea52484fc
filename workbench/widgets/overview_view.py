"""The overview: headline numbers, the newest runs and what became of their users. Read-only."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import ipywidgets as widgets
import polars as pl

from workbench import charts
from workbench.stats import report
from workbench.stats.report import Overview
from workbench.store.lake import utc_now
from workbench.widgets import feedback
from workbench.widgets.markup import block, heading, notice, number, paragraph, share, table, tiles
from workbench.workspace import Workspace

NO_RUN = (
    "No run has been recorded yet. Once a campaign is sent, its runs, their verdicts and what became of "
    "each user count appear here."
)
COLUMNS = [
    ("Run", "lines"), ("State", "badge"), ("Qualified", "number"), ("Not sent", "number"), ("Held out", "number"),
    ("Sent to", "number"), ("Accepted", "number"), ("Failed", "number"),
]  # fmt: skip
MOST_ROWS = 20


def panel(workspace: Workspace) -> "OverviewView":
    """Open the overview of a workspace that was opened read-only."""
    account = workspace.settings.account.name
    return OverviewView(
        lambda: report.overview(workspace.ledger, account=account, now=utc_now()), zone=workspace.zone
    )


class OverviewView(widgets.VBox):
    """Draws what ``read`` returns, again at each refresh; an error leaves the last numbers in place."""

    def __init__(self, read: Callable[[], Overview], *, zone: ZoneInfo) -> None:
        """Build every part once and read for the first time."""
        self._read, self._zone = read, zone
        self.button = widgets.Button(
            description="Refresh", icon="", tooltip="Read the ledger again", layout={"width": "96px"}
        )
        self.head = widgets.HTML(layout={"flex": "1 1 260px", "margin": "0"})
        self.error = feedback.box()
        self.body = feedback.box()
        self.runs = widgets.Output(layout={"width": "100%"})
        self.between = feedback.box()
        self.verdicts = widgets.Output(layout={"width": "100%"})
        self.button.on_click(feedback.guarded(self.error, self.refresh))
        top = widgets.Box(
            [self.head, self.button],
            layout={"display": "flex", "flex_flow": "row wrap", "align_items": "center", "width": "100%"},
        )
        super().__init__(
            [top, self.error, self.body, self.runs, self.between, self.verdicts],
            layout={"width": "100%", "max_width": "1080px", "margin": "0 auto"},
        )
        feedback.guarded(self.error, self.refresh)(None)

    def refresh(self) -> None:
        """Read the ledger and draw it.

        Raises:
            StoreError: the ledger cannot be read.
        """
        found = self._read()
        local = found.read_at.astimezone(self._zone)
        self.head.value = block(
            heading("Campaign overview", level=2),
            paragraph(f"{found.account} · as of {local:%d %b %Y, %H:%M:%S} · times in {self._zone.key}", quiet=True),
        )
        if not found.runs.height:
            self.body.value = block(notice(NO_RUN))
            self.between.value, self.runs.outputs, self.verdicts.outputs = "", (), ()
            return
        newest = found.runs.row(0, named=True)
        self.body.value = block(self._tiles(found), heading("Runs"), self._table(found), heading("Users by outcome"))
        self.runs.outputs = _drawn(charts.bundle(charts.runs(self._at_home(found.runs)), "Users by run and outcome"))
        self.between.value = block(
            heading(f"How the newest run came to its users: {newest['campaign_id']}"),
            paragraph(f"{newest['run_id']}, counted as of {self._local(newest['as_of'])} {newest['as_of'].astimezone(self._zone):%Z}", quiet=True),
        )
        title = f"{newest['qualified']:,} qualified, {newest['send']:,} sent to"
        self.verdicts.outputs = _drawn(charts.bundle(charts.waterfall(found.waterfall), title))

    def _tiles(self, found: Overview) -> str:
        last = found.runs.row(0, named=True)
        open_runs = found.runs.filter(found.runs["state"] != "completed").height
        sent = int(found.runs["send"].sum())
        started = last["created_at"].astimezone(self._zone)
        return tiles(
            [
                ("Runs", number(found.runs.height), f"{open_runs} not completed" if open_runs else "all completed", ""),
                ("Users sent to", number(found.accepted), f"{share(found.accepted, sent)} of {number(sent)} accepted",
                 charts.SENT),
                ("Held out", number(found.held_out), "control, over all runs", charts.HELD_OUT),
                ("Last run", f"{started:%d %b}", f"{started:%H:%M}, {last['campaign_id']}", ""),
            ]
        )  # fmt: skip

    def _table(self, found: Overview) -> str:
        rows = [
            (
                f"{row['campaign_id']}\n{self._local(row['occurrence'])}", row["state"], number(row["qualified"]),
                number(row["not_sent"]), number(row["holdout"]), number(row["send"]), number(row["accepted"]),
                number(row["rejected"] + row["unknown"]),
            )
            for row in found.runs.head(MOST_ROWS).iter_rows(named=True)
        ]  # fmt: skip
        sums = {name: int(found.runs.head(MOST_ROWS)[name].sum()) for name in found.runs.columns if
                found.runs.schema[name].is_integer()}  # fmt: skip
        names = ("qualified", "not_sent", "holdout", "send", "accepted")
        total = ("Total", "", *(number(sums[name]) for name in names), number(sums["rejected"] + sums["unknown"]))
        return table(COLUMNS, rows, total=total, caption="Runs, newest first")

    def _at_home(self, runs: pl.DataFrame) -> pl.DataFrame:
        return runs.with_columns(pl.col("occurrence").dt.convert_time_zone(self._zone.key))

    def _local(self, instant: datetime) -> str:
        return f"{instant.astimezone(self._zone):%d %b %Y, %H:%M}"


def _drawn(bundle: dict[str, object]) -> tuple[dict[str, object], ...]:
    return ({"output_type": "display_data", "metadata": {}, "data": bundle},)
