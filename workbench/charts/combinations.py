"""Combinations of segments: a dot matrix that says which, beside bars that say how many (an UpSet plot)."""

import html
from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from workbench.charts.style import GRID, HELD_OUT, INK, USERS, empty, paper, short

MOST = 20
ROW, FOOT = 30, 34
TILT = 42
NAME = 30


def combinations(frame: pl.DataFrame, sizes: Sequence[tuple[str, int]]) -> go.Figure:
    """Show the largest combinations, exactly these segments each, and what the others hold together.

    Rows run down, so that every number can be read in full beside its bar.

    Args:
        frame: ``segments, users``, the most users first.
        sizes: each segment and its users, in the order of the columns.
    """
    held = frame.filter(pl.col("users") > 0)
    if not held.height:
        return empty("Nobody is in any of these segments")
    shown, rest = held.head(MOST), held.slice(MOST)
    names = [name for name, _ in sizes]
    places = [[names.index(name) for name in row] for row in shown["segments"]]
    users = shown["users"].to_list()
    figure = go.Figure()
    rows = shown.height + bool(rest.height)
    _matrix(figure, places, len(names))
    figure.add_bar(
        x=users, y=list(range(shown.height)), xaxis="x2", orientation="h", width=0.62, text=[f"{n:,}" for n in users],
        textposition="outside", cliponaxis=False, marker={"color": HELD_OUT, "line": {"width": 0}},
        customdata=[_named(row) for row in shown["segments"]], hovertemplate="<b>%{customdata}</b><br>%{x:,} users<extra></extra>",
    )  # fmt: skip
    top = _head(figure, sizes)
    paper(figure, top + ROW * rows + FOOT)
    share = min(0.06 + 0.034 * len(names), 0.46)
    figure.update_layout(
        margin={"t": top, "l": 8},
        xaxis={"domain": [0, share], "range": [-0.5, len(names) - 0.5], "visible": False, "fixedrange": True},
        xaxis2={"domain": [share + 0.015, 1], "range": [0, max(users) * (1.06 + 0.022 * len(f"{max(users):,}"))], "anchor": "y", "nticks": 5, "tickangle": 0, **USERS},
        yaxis={"range": [rows - 0.5, -0.5], "visible": False, "fixedrange": True},
    )  # fmt: skip
    if rest.height:
        figure.add_annotation(
            text=f"and {rest.height:,} smaller combinations with {int(rest['users'].sum()):,} users together",
            x=share + 0.015, xref="paper", xanchor="left", y=rows - 1, yref="y", showarrow=False,
        )  # fmt: skip
    return figure


def _matrix(figure: go.Figure, places: list[list[int]], columns: int) -> None:
    for number in range(0, len(places), 2):
        figure.add_shape(
            type="rect", xref="paper", x0=0, x1=1, yref="y", y0=number - 0.5, y1=number + 0.5, layer="below",
            fillcolor="rgba(128, 136, 145, 0.08)", line={"width": 0},
        )  # fmt: skip
    for number, held in enumerate(places):
        if len(held) > 1:
            figure.add_scatter(
                x=[min(held), max(held)], y=[number, number], mode="lines", hoverinfo="skip",
                line={"color": INK, "width": 2.5},
            )  # fmt: skip
    dots = [
        (column, number, column in held) for number, held in enumerate(places) for column in range(columns)
    ]
    for on, color in ((False, GRID), (True, INK)):
        figure.add_scatter(
            x=[column for column, _, holds in dots if holds is on],
            y=[number for _, number, holds in dots if holds is on],
            mode="markers", hoverinfo="skip", marker={"color": color, "size": 11, "line": {"width": 0}},
        )  # fmt: skip


def _head(figure: go.Figure, sizes: Sequence[tuple[str, int]]) -> int:
    """Write the names, tilted, over the columns; return how high they are."""
    longest = 0
    for place, (name, users) in enumerate(sizes):
        text = short(name, NAME)
        longest = max(longest, len(text) + len(f"  {users:,}"))
        figure.add_annotation(
            text=f"{html.escape(text, quote=False)}  <b>{users:,}</b>", x=place, xref="x", y=1, yref="paper",
            yshift=6, textangle=-TILT, xanchor="left", yanchor="bottom", showarrow=False,
        )  # fmt: skip
    return 26 + round(5 * longest)


def _named(segments: Sequence[str]) -> str:
    return html.escape(" + ".join(segments), quote=False)
