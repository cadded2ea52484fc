"""Who moved between two segments: all users in one bar, and below it those who moved by cause."""

import plotly.graph_objects as go
import polars as pl

from workbench.charts.style import GRID, LEFT_OUT, SENT, USERS, WHOLE, empty, paper, short, wrapped

ENTERED, LEFT, STAYED = SENT, LEFT_OUT, WHOLE
WHOLE_ROW, GAP, FOOT = 40, 40, 34


def moves(frame: pl.DataFrame, stayed: int) -> go.Figure:
    """Show left, stayed and entered as one bar; then one diverging bar for each cause.

    Args:
        frame: ``cause, entered, left``; causes of nobody are not drawn.
        stayed: users in both.
    """
    left, entered = int(frame["left"].sum()), int(frame["entered"].sum())
    if not left + entered + stayed:
        return empty("Nobody is in either of the two")
    figure = go.Figure()
    for users, color, name in (
        (left, LEFT, "left"),
        (stayed, STAYED, "stayed"),
        (entered, ENTERED, "entered"),
    ):
        figure.add_bar(
            x=[users], y=[0], yaxis="y2", xaxis="x2", orientation="h", width=0.6, name=f"{users:,} {name}",
            marker={"color": color, "line": {"width": 0}},
            hovertemplate=f"{users:,} {name}<extra></extra>",
        )  # fmt: skip
    moved = frame.filter(pl.col("left") + pl.col("entered") > 0)
    labels = [wrapped(short(cause, 110), 38) for cause in moved["cause"]]
    lines = max((label.count("<br>") for label in labels), default=0) + 1
    row = max(36, 16 * lines + 8)
    rows = max(moved.height, 1)
    for name, color, sign in (("left", LEFT, -1), ("entered", ENTERED, 1)):
        numbers = moved[name].to_list()
        figure.add_bar(
            x=[sign * users for users in numbers], y=list(range(moved.height)), orientation="h", width=0.62,
            marker={"color": color, "line": {"width": 0}}, showlegend=False, cliponaxis=False,
            text=[f"{'−' if sign < 0 else '+'}{users:,}" if users else "" for users in numbers],
            textposition="outside", customdata=[f"{users:,} {name}" for users in numbers],
            hovertemplate="<b>%{y}</b><br>%{customdata}<extra></extra>",
        )  # fmt: skip
    head, body = WHOLE_ROW + GAP, row * rows
    paper(figure, 34 + head + body + FOOT)
    reach = max(max(moved[name].to_list(), default=0) for name in ("left", "entered")) or 1
    # A number needs as much of the width as it has digits, twice as much where two sides share it.
    digits = len(f"{reach:,}") * (2 if left and entered else 1)
    lower, upper = (reach * (1.08 + 0.035 * digits) if users else 0.02 * reach for users in (left, entered))
    cut = body / (head + body)
    figure.update_layout(
        barmode="relative",
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal", "itemclick": False, "itemdoubleclick": False},
        margin={"t": 34, "b": FOOT},
        xaxis={"range": [-lower, upper], "anchor": "y", "nticks": 5, "tickangle": 0, **USERS, "zerolinecolor": WHOLE, "tickformat": ",~d"},
        yaxis={
            "domain": [0, cut], "range": [rows - 0.45, -0.55], "tickvals": list(range(moved.height)), "ticktext": labels,
            "showgrid": False, "zeroline": False, "automargin": True, "fixedrange": True,
        },
        xaxis2={"range": [0, left + stayed + entered], "anchor": "y2", "visible": False, "fixedrange": True},
        yaxis2={
            "domain": [cut + GAP / (head + body), 1], "range": [-0.5, 0.5], "tickvals": [0], "ticktext": ["All who were or are in"],
            "showgrid": False, "zeroline": False, "automargin": True, "fixedrange": True, "gridcolor": GRID,
        },
    )  # fmt: skip
    if not moved.height:
        figure.update_layout(xaxis={"visible": False})
        figure.add_annotation(
            text="Nobody moved", x=0.5, y=cut / 2, xref="paper", yref="paper", showarrow=False
        )
    return figure
