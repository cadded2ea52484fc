"""The overview: headline numbers, the newest runs and what became of their users. Read-only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import polars as pl

from workbench import charts
from workbench.stats import report
from workbench.stats.report import Overview
from workbench.store.lake import utc_now
from workbench.widgets import feedback
from workbench.widgets.markup import block, heading, notice, number, paragraph, share, table, tiles
from workbench.workspace import Workspace, open_workspace

NO_RUN = (
    "No run has been recorded yet. Once a campaign is sent, its runs, their verdicts and what became of "
    "each user count appear here."
)
COLUMNS = [
    ("Run", "lines"), ("State", "badge"), ("Qualified", "number"), ("Not sent", "number"), ("Held out", "number"),
    ("Sent to", "number"), ("Accepted", "number"), ("Failed", "number"),
]  # fmt: skip
COUNTS = ("qualified", "not_sent", "holdout", "send", "accepted", "failed")
INSTANTS = pl.col("occurrence", "as_of", "created_at")
MOST_ROWS = 20


def panel(config: Path | str | None = None) -> "OverviewView":
    """Open the overview of an account.

    Args:
        config: its ``workbench.toml``; by default the nearest one from the current folder upwards.
    """
    return OverviewView(Reader(config))


class Reader:
    """Reads the overview; the account is opened read-only, at the first question."""

    def __init__(self, config: Path | str | None) -> None:
        """Open nothing yet."""
        self._config = config
        self._workspace: Workspace | None = None

    def __call__(self) -> Overview:
        """Read the ledger.

        Raises:
            SettingsError: no workbench.toml.
            StoreError: no ledger yet, or it cannot be read.
        """
        if self._workspace is None:
            self._workspace = open_workspace(self._config, read_only=True)
        workspace = self._workspace
        account = workspace.settings.account.name
        return report.overview(workspace.ledger, account=account, zone=workspace.zone, now=utc_now())


class OverviewView(widgets.VBox):
    """Draws what ``read`` returns, again at each refresh; an error leaves the last numbers in place."""

    def __init__(self, read: Callable[[], Overview]) -> None:
        """Build every part once and read for the first time."""
        self._read = read
        self.button = widgets.Button(
            description="Refresh", icon="", tooltip="Read the ledger again", layout={"width": "96px"}
        )
        self.head = widgets.HTML(layout={"flex": "1 1 260px", "margin": "0"})
        self.error = feedback.box()
        self.body = feedback.box()
        self.runs = widgets.Output(layout={"width": "100%"})
        self.between = feedback.box()
        self.between.layout.margin = "16px 0 0"
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
        self.add_class("wb-wide")
        feedback.guarded(self.error, self.refresh)(None)

    def refresh(self) -> None:
        """Read the ledger and draw it.

        Raises:
            WorkbenchError: the ledger cannot be read; what was drawn before stays.
        """
        found = self._read()
        local = found.read_at.astimezone(found.zone)
        self.head.value = block(
            heading("Campaign overview", level=2),
            paragraph(
                f"{found.account} · as of {local:%d %b %Y, %H:%M:%S} · times in {found.zone.key}", quiet=True
            ),
        )
        if not found.runs.height:
            self.body.value = block(notice(NO_RUN))
            self.between.value, self.runs.outputs, self.verdicts.outputs = "", (), ()
            return
        runs = found.runs.with_columns(INSTANTS.dt.convert_time_zone(found.zone.key))
        newest = runs.row(0, named=True)
        self.body.value = block(
            _tiles(found, newest), heading("Runs"), _table(runs), heading("Users by outcome")
        )
        self.runs.outputs = _drawn(charts.bundle(charts.runs(runs), "Users by run and outcome"))
        self.between.value = block(
            heading(f"How the newest run came to its users: {newest['campaign_id']}"),
            paragraph(f"{newest['run_id']}, counted as of {newest['as_of']:%d %b %Y, %H:%M %Z}", quiet=True),
        )
        title = f"{newest['qualified']:,} qualified, {newest['send']:,} sent to"
        self.verdicts.outputs = _drawn(charts.bundle(charts.waterfall(found.waterfall), title))


def _tiles(found: Overview, newest: dict[str, Any]) -> str:
    unfinished = found.runs.filter(pl.col("state") != "completed").height
    sent = int(found.runs["send"].sum())
    rate = f"{share(found.accepted, sent)} of {number(sent)} accepted"
    return tiles(
        [
            (
                "Runs",
                number(found.runs.height),
                f"{unfinished} not completed" if unfinished else "all completed",
                "",
            ),
            ("Users sent to", number(found.accepted), rate, charts.SENT),
            ("Held out", number(found.held_out), "control, over all runs", charts.HELD_OUT),
            (
                "Last run",
                f"{newest['created_at']:%d %b}",
                f"{newest['created_at']:%H:%M}, {newest['campaign_id']}",
                "",
            ),
        ]
    )


def _table(runs: pl.DataFrame) -> str:
    shown = runs.head(MOST_ROWS).with_columns(failed=pl.col("rejected") + pl.col("unknown"))
    rows = [
        (
            f"{row['campaign_id']}\n{row['occurrence']:%d %b %Y, %H:%M}",
            row["state"],
            *(number(row[c]) for c in COUNTS),
        )
        for row in shown.iter_rows(named=True)
    ]
    total = ("Total", "", *(number(int(shown[name].sum())) for name in COUNTS))
    return table(COLUMNS, rows, total=total, caption="Runs, newest first")


def _drawn(bundle: dict[str, object]) -> tuple[dict[str, object], ...]:
    return ({"output_type": "display_data", "metadata": {}, "data": bundle},)
