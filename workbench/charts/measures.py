"""Before a send: the smallest lift by share of control, and a love plot of the arms."""

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from workbench.charts.style import FAILED, GRID, HELD_OUT, INK, SENT, empty, paper, short, style, wrapped

ROW, POINT_ROW, MOST_POINTS = 40, 26, 30
SIDE = 0.25


def lifts(rows: Sequence[tuple[str, float | None, str, bool]]) -> go.Figure:
    """Draw the smallest lift that each share of control could find; less is better.

    Args:
        rows: what the share is called, the lift in percentage points or None, what is said beside the bar,
            and whether the share is the campaign's own.
    """
    if all(points is None for _, points, _, _ in rows):
        return empty("No share of control has a lift that could be computed")
    figure = go.Figure(
        go.Bar(
            x=[points or 0 for _, points, _, _ in rows],
            y=list(range(len(rows))),
            orientation="h",
            width=0.6,
            text=[wrapped(said, 46) for _, _, said, _ in rows],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [SENT if own else HELD_OUT for *_, own in rows], "line": {"width": 0}},
            customdata=[[wrapped(name, 60), wrapped(said, 60)] for name, _, said, _ in rows],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        )
    )
    labels = [f"<b>{wrapped(name, 30)}</b>" if own else wrapped(name, 30) for name, _, _, own in rows]
    style(figure, labels, rows=len(rows), row=ROW, widest=1)
    widest = max(points or 0 for _, points, _, _ in rows)
    figure.update_layout(margin={"b": 52})
    figure.update_xaxes(
        range=[0, widest * 1.9], tickformat=",~g", ticksuffix="",
        title={"text": "Smallest lift that would be found, in percentage points", "standoff": 10, "font": {"size": 12}},
    )  # fmt: skip
    return figure


def love(frame: pl.DataFrame, threshold: float) -> go.Figure:
    """Draw the standardized mean difference of each row as a point, the largest on top.

    Args:
        frame: ``attribute, level, smd, flagged``; rows without a difference are not drawn.
        threshold: beyond which a row is flagged.
    """
    held = frame.filter(pl.col("smd").is_not_null())
    if not held.height:
        return empty("Nothing to compare between target and control")
    shown = held.sort(pl.col("smd").abs(), descending=True, maintain_order=True).head(MOST_POINTS)
    places = list(range(shown.height))
    values = shown["smd"].to_list()
    labels = [wrapped(short(name, 60), 40) for name in _names(shown)]
    widest = max(SIDE, *(abs(value) * 1.1 for value in values))
    figure = go.Figure()
    figure.add_shape(
        type="rect", x0=-threshold, x1=threshold, y0=0, y1=1, yref="paper", layer="below",
        fillcolor="rgba(0, 158, 115, 0.12)", line={"width": 0},
    )  # fmt: skip
    figure.add_shape(type="line", x0=0, x1=0, y0=0, y1=1, yref="paper", line={"color": INK, "width": 1})
    for flagged, color, symbol in ((False, SENT, "circle"), (True, FAILED, "diamond")):
        rows = [place for place in places if shown["flagged"][place] is flagged]
        figure.add_scatter(
            x=[values[row] for row in rows], y=rows, mode="markers", cliponaxis=False,
            marker={"color": color, "symbol": symbol, "size": 10, "line": {"width": 0}},
            customdata=[labels[row] for row in rows],
            hovertemplate="<b>%{customdata}</b><br>%{x:+.3f} standard deviations<extra></extra>",
        )  # fmt: skip
    paper(figure, POINT_ROW * max(shown.height, 2) + 66)
    more = f"; the largest {MOST_POINTS} of {held.height:,}" if held.height > MOST_POINTS else ""
    figure.update_layout(margin={"b": 52})
    figure.update_xaxes(
        range=[-widest, widest], tickformat="+.2~f", nticks=7, gridcolor=GRID, zeroline=False, fixedrange=True,
        title={
            "text": f"Target minus control, in standard deviations{more}", "standoff": 10, "font": {"size": 12},
        },
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=places, ticktext=labels, range=[shown.height - 0.45, -0.55], showgrid=True, gridcolor=GRID,
        zeroline=False, automargin=True, fixedrange=True,
    )  # fmt: skip
    return figure


def _names(frame: pl.DataFrame) -> list[str]:
    return [
        name if level == "mean" else f"{name}: {level}"
        for name, level in frame.select("attribute", "level").iter_rows()
    ]
