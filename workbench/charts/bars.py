"""Horizontal bars: the waterfall of a plan, the conditions of a segment, the runs."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from workbench.campaigns.verdicts import CONTROL, HOLDOUT, SEND, TARGET, held_label, steps
from workbench.charts.style import (
    FAILED,
    HELD_OUT,
    LEFT_OUT,
    SENT,
    UNCLEAR,
    WHOLE,
    capital,
    empty,
    short,
    style,
    wrapped,
)
from workbench.segments.qualify import Counts
from workbench.segments.vectors import Step

ROW = 36
MOST_RUNS = 12
OUTCOMES = {
    "accepted": (SENT, "Accepted"), "rejected": (FAILED, "Rejected"),
    "unknown": (UNCLEAR, "Outcome unknown"), "pending": (WHOLE, "Not sent yet"),
}  # fmt: skip


def waterfall(frame: pl.DataFrame) -> go.Figure:
    """Show how the qualified become the sent: one falling bar a reason, the held out, what is left.

    Args:
        frame: ``verdict, reason, arm, held_by, users`` in the order of the steps.
    """
    qualified = int(frame["users"].sum())
    if not qualified:
        return empty("No user qualifies, so there is nobody to send to")
    arms = {arm: int(frame.filter(pl.col("arm") == arm)["users"].sum()) for arm in (TARGET, CONTROL)}
    bars: list[dict[str, Any]] = [
        {"label": "Qualified", "base": 0, "color": WHOLE, "users": qualified, **arms}
    ]
    left = qualified
    for step in steps(frame).to_dicts():
        if step["verdict"] == SEND:
            continue
        left -= step["users"]
        held = step["verdict"] == HOLDOUT
        label = held_label(step["held_by"]) if held else capital(step["reason"])
        bars.append(
            {**step, "label": label, "base": left, "color": HELD_OUT if held else LEFT_OUT, "sign": "−"}
        )
    bars.append({"label": "Sent to", "base": 0, "color": SENT, "users": left, TARGET: left, CONTROL: 0})
    return _bars(bars, whole=qualified, share_of="of the qualified", arms=True)


def conditions(counts: Counts) -> go.Figure:
    """Show how many users each condition of a segment holds, and the segment last."""
    if not counts.everyone:
        return empty("No user has a profile at this instant")
    bars: list[dict[str, Any]] = [
        {"label": "Everyone with a profile", "base": 0, "users": counts.everyone, "color": WHOLE},
        *(
            {"label": step.sentence, "base": 0, "users": step.users, "color": HELD_OUT}
            for step in counts.conditions[:-1]
        ),
        {"label": "In the segment", "base": 0, "users": counts.qualified, "color": SENT},
    ]
    return _bars(bars, whole=counts.everyone, share_of="of everyone", arms=False)


def shrinking(everyone: int, steps: Sequence[Step], reachable: int) -> go.Figure:
    """Show how everyone becomes the reachable: one falling bar a condition, the segment, whom it can reach.

    Args:
        everyone: users with a profile.
        steps: what each condition leaves.
        reachable: of the segment.
    """
    if not everyone:
        return empty("No user has a profile at this instant")
    qualified = steps[-1].left
    bars: list[dict[str, Any]] = [
        {"label": "Everyone with a profile", "base": 0, "users": everyone, "color": WHOLE},
        *(
            {"label": step.sentence, "base": step.left, "users": step.lost, "color": LEFT_OUT, "sign": "−"}
            for step in steps
        ),
        {"label": "In the segment", "base": 0, "users": qualified, "color": HELD_OUT},
        {
            "label": "Not reachable", "base": reachable, "users": qualified - reachable, "color": LEFT_OUT,
            "sign": "−",
        },
        {"label": "Reachable", "base": 0, "users": reachable, "color": SENT},
    ]  # fmt: skip
    return _bars(bars, whole=everyone, share_of="of everyone", arms=False)


def runs(frame: pl.DataFrame) -> go.Figure:
    """Show the newest runs, newest first: users by outcome.

    Args:
        frame: of ``stats.report.runs_frame``.
    """
    shown = frame.head(MOST_RUNS)
    if not shown.height:
        return empty("No run yet")
    labels = [
        f"{wrapped(row['campaign_id'], 24)}<br><span style='font-size:11px'>{row['occurrence']:%d %b %Y, %H:%M}</span>"
        for row in shown.iter_rows(named=True)
    ]
    places = list(range(shown.height))
    figure = go.Figure()
    for name, (color, title) in OUTCOMES.items():
        if name != "accepted" and not shown[name].sum():
            continue
        figure.add_bar(
            x=shown[name].to_list(), y=places, orientation="h", name=title, marker={"color": color, "line": {"width": 0}},
            width=0.55, customdata=shown["run_id"].to_list(),
            hovertemplate="%{customdata}<br>" + title + ": %{x:,} users<extra></extra>",
        )  # fmt: skip
    sums = shown.select(pl.sum_horizontal(*OUTCOMES)).to_series().to_list()
    figure.add_scatter(
        x=sums, y=places, mode="text", text=[f" {users:,}" for users in sums], textposition="middle right",
        showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    style(figure, labels, rows=shown.height, row=46, widest=max(*sums, 1))
    figure.update_layout(
        barmode="stack", showlegend=True, margin={"t": 34},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"},
    )  # fmt: skip
    return figure


def _bars(bars: list[dict[str, Any]], *, whole: int, share_of: str, arms: bool) -> go.Figure:
    """Draw one horizontal bar a row, the first on top, its number at the right end."""
    split = "<br>%{customdata[2]:,} target, %{customdata[3]:,} control" if arms else ""
    figure = go.Figure(
        go.Bar(
            x=[bar["users"] for bar in bars],
            base=[bar["base"] for bar in bars],
            y=list(range(len(bars))),
            orientation="h",
            width=0.62,
            text=[f"{bar.get('sign', '')}{bar['users']:,}" for bar in bars],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [bar["color"] for bar in bars], "line": {"width": 0}},
            customdata=[
                [wrapped(bar["label"], 60), bar["users"] / whole, bar.get(TARGET, 0), bar.get(CONTROL, 0)]
                for bar in bars
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{x:,} users, %{customdata[1]:.1%} "
            + share_of + split + "<extra></extra>",
        )
    )  # fmt: skip
    labels = [wrapped(short(bar["label"], 84), 30) for bar in bars]
    lines = max(label.count("<br>") for label in labels) + 1
    style(figure, labels, rows=len(bars), row=max(ROW, 15 * lines + 10), widest=whole)
    return figure
