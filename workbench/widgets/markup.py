"""Pieces of HTML: every text escaped, colours from JupyterLab's theme with fallbacks for other pages."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

STYLE = """<style>
.wb { font: 14px/1.5 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, inherit);
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.widget-html-content:has(> .wb) { min-width: 0; width: 100%; }
.wb h2, .wb h3 { font-size: 15px; line-height: 1.4; font-weight: 600; margin: 0 0 4px; color: inherit; }
.wb h2 { font-size: 20px; }
.wb * + h3 { margin-top: 20px; }
.wb p { margin: 0 0 8px; max-width: 100ch; }
.wb .wb-quiet { color: var(--jp-ui-font-color2, #6b727a); }
.wb .wb-small { font-size: 12.5px; }
.wb .wb-tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 10px; margin: 4px 0 10px; }
.wb .wb-tile { border: 1px solid var(--jp-border-color2, rgba(128,136,145,.35)); border-radius: 6px; padding: 9px 14px 10px; }
.wb .wb-tile b { display: block; font-size: 25px; line-height: 1.25; font-weight: 600; white-space: nowrap; }
.wb .wb-tile small { display: block; font-size: 12.5px; color: var(--jp-ui-font-color2, #6b727a); }
.wb .wb-tile i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 6px; }
.wb .wb-scroll { overflow-x: auto; margin: 4px 0 10px; }
.wb table.wb-table { border-collapse: collapse; min-width: min(100%, 560px); font-size: 13px; margin: 0; border: 0; color: inherit; }
.wb table.wb-table th, .wb table.wb-table td { padding: 6px 10px 6px 0; text-align: left; vertical-align: top; border: 0;
  border-bottom: 1px solid var(--jp-border-color2, rgba(128,136,145,.35)); background: none; white-space: nowrap; max-width: none; }
.wb table.wb-table th { font-weight: 600; color: var(--jp-ui-font-color2, #6b727a); font-size: 12.5px; }
.wb table.wb-table .wb-wrap { white-space: normal; min-width: 180px; max-width: 460px; }
.wb table.wb-table .wb-number { text-align: right; padding: 6px 0 6px 12px; }
.wb table.wb-table .wb-number + :not(.wb-number) { padding-left: 24px; }
.wb table.wb-table td small { display: block; font-size: 12px; color: var(--jp-ui-font-color2, #6b727a); }
.wb table.wb-table tbody tr:hover { background: var(--jp-layout-color2, rgba(128,136,145,.10)); }
.wb table.wb-table tfoot td { font-weight: 600; border-bottom: 0; }
.wb .wb-badge { display: inline-block; padding: 0 8px; border-radius: 9px; font-size: 12px; line-height: 18px; border: 1px solid currentColor; }
.wb .wb-good { color: var(--jp-success-color0, #1a7f37); }
.wb .wb-bad { color: var(--jp-error-color0, #cf222e); }
.wb .wb-notice { border-left: 4px solid var(--jp-warn-color1, #d98a00); background: rgba(128,136,145,.12); padding: 8px 12px;
  margin: 4px 0 8px; border-radius: 0 4px 4px 0; white-space: pre-wrap; }
.wb .wb-notice.wb-error { border-left-color: var(--jp-error-color1, #d32f2f); }
.wb .wb-notice ul { margin: 0; padding-left: 18px; white-space: normal; }
.wb pre.wb-code { font: 13px/1.5 var(--jp-code-font-family, monospace); background: rgba(128,136,145,.12); color: inherit;
  padding: 8px 12px; margin: 0; border-radius: 4px; user-select: all; overflow-x: auto; }
.wb ol.wb-steps { list-style: none; margin: 8px 0 12px; padding: 0; max-width: 100ch; }
.wb ol.wb-steps li { position: relative; padding: 0 0 12px 34px; margin: 0; }
.wb ol.wb-steps li::before { content: ""; position: absolute; left: 10px; top: 22px; bottom: -2px; width: 1px;
  background: var(--jp-border-color1, rgba(128,136,145,.45)); }
.wb ol.wb-steps li:last-child::before { display: none; }
.wb .wb-mark { position: absolute; left: 0; top: 0; box-sizing: border-box; width: 21px; height: 21px; border-radius: 50%;
  border: 1.5px solid currentColor; font-size: 12px; line-height: 18px; font-weight: 600; text-align: center; }
.wb .wb-step-name { font-weight: 600; margin-right: 8px; }
.wb .wb-step-lines { display: block; font-size: 12.5px; color: var(--jp-ui-font-color2, #6b727a); }
.wb .wb-held { color: #1f6fb2; }
.wb .wb-waits { color: #9a6700; }
.wb-theme-dark .wb .wb-held, [data-jp-theme-light="false"] .wb .wb-held { color: #6cb6ff; }
.wb-theme-dark .wb .wb-waits, [data-jp-theme-light="false"] .wb .wb-waits { color: #d9a62e; }
.wb-theme-dark .wb .wb-good, [data-jp-theme-light="false"] .wb .wb-good { color: #4ac26b; }
.wb-theme-dark .wb .wb-bad, [data-jp-theme-light="false"] .wb .wb-bad { color: #ff8182; }
.wb-wide table.wb-table { min-width: 100% !important; }
@media (max-width: 760px) {
  .wb table.wb-table { font-size: 12px; }
  .wb table.wb-table .wb-number { padding-left: 8px; }
}
.wb-form .widget-label { text-align: left; }
.wb-stale { opacity: .45; transition: opacity .12s .12s; }
.js-plotly-plot :is(.xaxislayer-above, .yaxislayer-above, .textpoint) text, .js-plotly-plot .bartext,
.js-plotly-plot :is(.legendtext, .annotation-text, .xtitle) {
  fill: var(--jp-ui-font-color1, #777e87) !important; font-variant-numeric: tabular-nums; }
.js-plotly-plot .hoverlayer .legendtext { fill: #f2f3f5 !important; }
.js-plotly-plot .spikeline:not([stroke-dasharray]) { display: none; }
</style>"""


def block(*parts: str) -> str:
    """Return parts that are HTML already, with the style that they need."""
    return f'{STYLE}<div class="wb">{"".join(parts)}</div>'


def heading(text: str, *, level: int = 3) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, *, quiet: bool = False) -> str:
    """Return a paragraph; a quiet one stands back."""
    return f"<p{' class=wb-quiet' if quiet else ''}>{escape(text)}</p>"


def number(value: float | None) -> str:
    """Return a count with thousands separators; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def share(part: int, whole: int) -> str:
    """Return a share in percent; a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "–"


def tiles(items: Iterable[tuple[str, str, str, str]]) -> str:
    """Return headline numbers in a row that wraps: ``(label, number, remark, colour)`` each."""
    cells = "".join(
        f'<div class="wb-tile"><small>{_dot(color)}{escape(label)}</small>'
        f"<b>{escape(value)}</b><small>{escape(remark)}</small></div>"
        for label, value, remark, color in items
    )
    return f'<div class="wb-tiles">{cells}</div>'


def table(
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str]],
    *,
    total: Sequence[str] = (),
    caption: str = "",
) -> str:
    """Return a table that scrolls sideways by itself.

    Args:
        columns: title and kind: ``text``, ``wrap``, ``number``, ``badge`` (of a run's state), ``lines``
            (the first line stands out).
        rows: the texts of each row.
        total: the last row.
        caption: what it is, for those who hear it.
    """
    head = "".join(f'<th scope="col"{_class(kind)}>{escape(title)}</th>' for title, kind in columns)
    body = "".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    foot = f"<tfoot><tr>{_cells(columns, total)}</tr></tfoot>" if total else ""
    name = f' aria-label="{escape(caption)}"' if caption else ""
    return (
        f'<div class="wb-scroll" tabindex="0" role="region"{name}><table class="wb-table"{name}>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table></div>"
    )


def steps(items: Iterable[tuple[str, str, str, str, str, Sequence[str]]], *, label: str) -> str:
    """Return a list from top to bottom, a mark before each step.

    Args:
        items: kind (``good``, ``bad``, ``held``, ``waits``, ``quiet``), mark, name, answer, sentence, and
            further lines of each step.
        label: what it is, for those who hear it.
    """
    rows = "".join(
        f'<li><span class="wb-mark wb-{escape(kind)}" aria-hidden="true">{escape(mark)}</span>'
        f'<span class="wb-step-name">{escape(name)}</span><span class="wb-{escape(kind)}">{escape(answer)}</span>'
        f"<div{' class=wb-quiet' if kind == 'quiet' else ''}>{escape(sentence)}</div>"
        + "".join(f'<span class="wb-step-lines">{escape(line)}</span>' for line in lines)
        + "</li>"
        for kind, mark, name, answer, sentence, lines in items
    )
    return f'<ol class="wb-steps" aria-label="{escape(label)}">{rows}</ol>'


def notice(text: str, *, error: bool = False) -> str:
    """Return a box that a screen reader announces."""
    role, kind = ("alert", " wb-error") if error else ("status", "")
    return f'<div class="wb-notice{kind}" role="{role}">{escape(text)}</div>'


def blockers(sentences: Sequence[str]) -> str:
    """Return what stands in the way, one sentence a line; nothing when nothing does."""
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<div class="wb-notice" role="status"><ul>{items}</ul></div>'


def code(text: str, label: str) -> str:
    """Return text to copy: one click selects all of it."""
    return f'<pre class="wb-code" tabindex="0" aria-label="{escape(label)}">{escape(text)}</pre>'


def _cells(columns: Sequence[tuple[str, str]], row: Sequence[str]) -> str:
    return "".join(
        f"<td{_class(kind)}>{_CELLS.get(kind, escape)(text)}</td>"
        for (_, kind), text in zip(columns, row, strict=True)
    )


def _badge(text: str) -> str:
    kind = {"completed": " wb-good", "interrupted": " wb-bad"}.get(text, "")
    return f'<span class="wb-badge{kind}">{escape(text)}</span>' if text else ""


def _lines(text: str) -> str:
    first, *others = text.split("\n")
    return escape(first) + "".join(f"<small>{escape(line)}</small>" for line in others)


def _class(kind: str) -> str:
    return f' class="wb-{kind}"' if kind in {"wrap", "number"} else ""


def _dot(color: str) -> str:
    return f'<i style="background:{escape(color)}"></i>' if color else ""


_CELLS: dict[str, Callable[[str], str]] = {"badge": _badge, "lines": _lines}
