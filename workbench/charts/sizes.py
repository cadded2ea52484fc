"""The size of a segment on each day: a line over time, its last value said."""

import math
from datetime import datetime, time, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from workbench.charts.style import GRID, HELD_OUT, INK, SENT, USERS, paper

HEIGHT = 330
MOST_MARKED = 60
# The axis begins at 0, unless the line then moves within a tenth of the height; it never fills more than a third.
TINY, ROOM, LEAST = 0.1, 2, 0.05
STEPS, MOST_TICKS = (1, 2, 7, 14, 28, 56), 8
HOVER = "<b>%{y:,} users</b>%{customdata}<extra></extra>"


def sizes(frame: pl.DataFrame) -> go.Figure:
    """Draw the users of each day.

    Args:
        frame: ``day, users, change, everyone``, ascending, at least one row; the change is that to the day before.
    """
    days, users = frame["day"].to_list(), frame["users"].to_list()
    below = lowest(users)
    figure = go.Figure(
        go.Scatter(
            x=days, y=users, mode="lines+markers" if len(days) <= MOST_MARKED else "lines", cliponaxis=False,
            line={"color": HELD_OUT, "width": 2.5}, marker={"size": 6},
            fill=None if below else "tozeroy", fillcolor="rgba(86, 180, 233, 0.16)",
            customdata=[_beside(row) for row in frame.iter_rows(named=True)], hovertemplate=HOVER,
        )
    )  # fmt: skip
    figure.add_scatter(
        x=days[-1:], y=users[-1:], mode="markers", hoverinfo="skip", cliponaxis=False,
        marker={"color": SENT, "size": 12, "line": {"color": "rgba(255,255,255,0.9)", "width": 1.5}},
    )  # fmt: skip
    said = f"{users[-1]:,}"
    figure.add_annotation(
        text=f"<b>{said}</b>", x=days[-1], y=users[-1], showarrow=False, xanchor="left", xshift=10
    )
    paper(figure, HEIGHT)
    figure.update_layout(
        hovermode="x unified", margin={"l": 8, "t": 16, "r": 26 + 9 * len(said), "b": 64 if below else 44},
        hoverlabel={"bgcolor": "#2b3036", "bordercolor": "#2b3036", "font": {"color": "#f2f3f5"}},
    )  # fmt: skip
    span = (days[-1] - days[0]).days
    step = next((step for step in STEPS if span / step <= MOST_TICKS), STEPS[-1])
    room = timedelta(hours=0 if span else 12)
    begin, end = (datetime.combine(day, time()) for day in (days[0], days[-1]))
    figure.update_xaxes(
        type="date", range=[begin - room, end + room], tick0=days[-1], dtick=step * 86_400_000,
        tickformat="%-d %b\n%Y", hoverformat="%a %-d %b %Y", gridcolor=GRID, zeroline=False, fixedrange=True,
        spikecolor=INK, spikethickness=1,
    )  # fmt: skip
    if below:
        note = f"The axis of users begins at {below:,}, not at 0"
        figure.update_xaxes(title={"text": note, "standoff": 8, "font": {"size": 12}})
    high = max(users) or 1
    ticks = {"dtick": 1} if high - below <= 6 else {"nticks": 6}
    figure.update_yaxes(range=[below, high + 0.1 * (high - below)], automargin=True, **ticks, **USERS)
    return figure


def lowest(users: list[int]) -> int:
    """Return where the axis of users begins: at 0, or where a small change is seen and does not look large."""
    low, high = min(users), max(users)
    if low == high or high - low >= TINY * high:
        return 0
    below = low - max(ROOM * (high - low), LEAST * high)
    step = int(10 ** max(math.floor(math.log10(high - below)), 0))
    return math.floor(below / step) * step


def _beside(row: dict[str, Any]) -> str:
    """Say what stands below the number of a day."""
    change, everyone = row["change"], row["everyone"]
    told = "" if change is None else f"<br>{change:+,} since the day before"
    return told + (f"<br>{row['users'] / everyone:.1%} of {everyone:,} with a profile" if everyone else "")
