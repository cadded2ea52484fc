"""How the size of a segment moves with a threshold: a step line, the threshold as it is marked."""

import plotly.graph_objects as go
import polars as pl

from workbench.charts.style import GRID, HELD_OUT, INK, SENT, USERS, paper, short, wrapped

MOST, AROUND = 2_000, 100
HEIGHT = 330
TAIL = 0.005
# A step holds up to and with its threshold, or from it on.
SHAPES = {">=": "vh", "<": "vh", ">": "hv", "<=": "hv"}


def thresholds(frame: pl.DataFrame, *, operator: str, title: str) -> go.Figure:
    """Draw the users of each threshold.

    Args:
        frame: ``threshold, users, current``, ascending, one row current.
        operator: of the comparison: ``>= > <= < =``.
        title: what is compared with the threshold.
    """
    now, users = frame.filter("current").select("threshold", "users").row(0)
    shown = thinned(frame)
    first, last = _span(frame, now)
    values, sizes = shown["threshold"].to_list(), shown["users"].to_list()
    hover = f"{operator} %{{x:,}}<br><b>%{{y:,}} users</b><extra></extra>"
    figure = go.Figure()
    if operator == "=":
        figure.add_bar(
            x=values, y=sizes, marker={"color": HELD_OUT, "line": {"width": 0}}, hovertemplate=hover
        )
    else:
        figure.add_scatter(
            x=values, y=sizes, mode="lines+markers" if len(values) <= 40 else "lines",
            line={"color": HELD_OUT, "width": 2.5, "shape": SHAPES[operator]}, marker={"size": 6},
            fill="tozeroy", fillcolor="rgba(86, 180, 233, 0.16)", hovertemplate=hover,
        )  # fmt: skip
    most = max(sizes) or 1
    figure.add_shape(
        type="line",
        x0=now,
        x1=now,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": INK, "width": 1.5, "dash": "dot"},
    )
    figure.add_scatter(
        x=[now], y=[users], mode="markers", hovertemplate=hover,
        marker={"color": SENT, "size": 12, "line": {"color": "rgba(255,255,255,0.9)", "width": 1.5}},
    )  # fmt: skip
    right = now > (first + last) / 2
    figure.add_annotation(
        text=f"now {operator} {now:,.10g}: <b>{users:,} users</b>", x=now, y=1, yref="paper", showarrow=False,
        xanchor="right" if right else "left", yanchor="top", xshift=-8 if right else 8,
    )  # fmt: skip
    paper(figure, HEIGHT)
    beyond = frame.filter((pl.col("threshold") > last) | (pl.col("threshold") < first)).height
    more = f" ({beyond:,} thresholds beyond are not drawn)" if beyond else ""
    figure.update_layout(margin={"b": 52, "l": 8})
    room = (last - first) * 0.03 or 1
    figure.update_xaxes(
        title={"text": wrapped(short(title, 150) + more, 110), "standoff": 10, "font": {"size": 12}}, range=[first - room, last + room], tickformat=",~g",
        gridcolor=GRID, zeroline=False, fixedrange=True, nticks=10,
    )  # fmt: skip
    figure.update_yaxes(range=[0, most * 1.12], automargin=True, nticks=6, **USERS)
    return figure


def thinned(frame: pl.DataFrame) -> pl.DataFrame:
    """Return at most some 2,000 rows: every one around the current threshold, of the others every n-th."""
    if frame.height <= MOST:
        return frame
    rows = frame.with_row_index("row")
    (now,) = rows.filter("current")["row"]
    every = -(-frame.height // (MOST - 2 * AROUND - 2))
    near = pl.col("row").is_between(max(now - AROUND, 0), now + AROUND)
    ends = pl.col("row").is_in([0, frame.height - 1])
    return rows.filter(near | ends | (pl.col("row") % every == 0)).drop("row")


def _span(frame: pl.DataFrame, now: float) -> tuple[float, float]:
    """Return what is drawn: all but the last half percent of users at either end, and the current threshold."""
    users = frame["users"].to_list()
    low, high = min(users), max(users)
    room = TAIL * (high - low)
    rows = frame.with_row_index("row")
    inner = rows.filter(pl.col("users").is_between(low + room, high - room))["row"].to_list()
    if inner and frame.height > MOST // 50:
        rows = rows.filter(pl.col("row").is_between(max(min(inner) - 1, 0), max(inner) + 1))
    known = [*rows["threshold"], now]
    return min(known), max(known)
