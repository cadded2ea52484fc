"""What all charts share: the palette, the fonts, the axes, and how a chart is handed to a page.

The background is transparent. Every text is a mid grey that reads on white and on near-black;
pages with a theme overrule it by CSS (``widgets.markup.STYLE``).
"""

import html
import json
import textwrap
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito's palette: told apart with any colour vision, and on light and dark grounds.
SENT = "#009E73"
HELD_OUT = "#56B4E9"
LEFT_OUT = "#E69F00"
FAILED = "#D55E00"
UNCLEAR = "#CC79A7"
WHOLE = "#8C959F"
INK = "#777E87"
GRID = "rgba(128, 136, 145, 0.25)"

MIME = "application/vnd.plotly.v1+json"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
MARGIN = 56
USERS = {"tickformat": ",~d", "gridcolor": GRID, "zerolinecolor": GRID, "fixedrange": True}


def bundle(figure: go.Figure, title: str) -> dict[str, Any]:
    """Return a figure as a display bundle that JupyterLab and Voila draw without a widget.

    Args:
        figure: of this module.
        title: what a reader without the drawing is told.
    """
    return {MIME: json.loads(figure.to_json()), "text/plain": title}


def paper(figure: go.Figure, height: int) -> None:
    """Give a figure its height, transparent ground, font and margins; the width is the page's."""
    figure.update_layout(
        height=height,
        autosize=True,
        margin={"l": 8, "r": 12, "t": 8, "b": 30, "pad": 6},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": INK},
        showlegend=False,
        separators=".,",
        uniformtext={"minsize": 12, "mode": "show"},
        hoverlabel={"font": {"family": FONT}, "align": "left"},
    )


def style(figure: go.Figure, labels: list[str], *, rows: int, row: int, widest: int) -> None:
    """Lay out rows of horizontal bars, the first on top, over an axis of users."""
    paper(figure, row * rows + MARGIN)
    figure.update_xaxes(range=[0, widest * 1.14], nticks=6, **USERS)
    figure.update_yaxes(
        tickvals=list(range(rows)), ticktext=labels, range=[rows - 0.45, -0.55], showgrid=False, zeroline=False,
        automargin=True, fixedrange=True,
    )  # fmt: skip


def empty(sentence: str) -> go.Figure:
    """Return a figure that says why nothing is drawn."""
    figure = go.Figure()
    figure.add_annotation(
        text=sentence, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15}
    )
    style(figure, [], rows=1, row=64, widest=1)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def capital(text: str) -> str:
    """Return the text with a large first letter."""
    return text[:1].upper() + text[1:]


def short(text: str, most: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def wrapped(text: str, width: int) -> str:
    """Return a text as markup of several lines; nothing in it can become markup."""
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width)) or "–"
