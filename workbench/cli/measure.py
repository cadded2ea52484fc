"""Commands asked before a send: what a campaign could find out, and whether its arms are alike."""

from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench import measure
from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, local, out
from workbench.stats.balance import Balance, spoken, value
from workbench.stats.power import Power, points
from workbench.store.lake import utc_now
from workbench.workspace import Workspace, open_workspace

MOST_ROWS = 20
# Title and least width: a number is never cut.
COLUMNS = {
    "sent to": 7, "held out": 5, "lift found, points": 6, "of the rate": 6, "conversions lost": 11, "revenue lost": 8,
}  # fmt: skip

Name = Annotated[str, typer.Argument(help="The id of a saved campaign.")]
AsOf = Annotated[str | None, typer.Option(help="Instant of the question, ISO 8601 (default: now).")]
Version = Annotated[int | None, typer.Option(help="Which version (default: the newest).")]


def power(
    name: Name,
    as_of: AsOf = None,
    lift: Annotated[
        float | None,
        typer.Option(
            help="Count the cost of holding out at this lift, 0.1 for 10 % of the baseline "
            "(default: the smallest that the chosen control group could find)."
        ),
    ] = None,
    version: Version = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Say how small a lift of its goal a campaign could find, for several control groups, and what they cost."""
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    found = measure.power(workspace, name, as_of=instant, version=version, lift=lift)
    answer(power_json(found), as_json=json, show=lambda: _show_power(found, workspace))


def balance(
    name: Name, as_of: AsOf = None, version: Version = None, config: Config = None, json: Json = False
) -> None:
    """Compare every attribute of the profiles between target and control."""
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    found = measure.balance(workspace, name, as_of=instant, version=version)
    answer(
        {
            "campaign": found.campaign, "as_of": found.as_of, "summary": found.summary, "target": found.target,
            "control": found.control, "flagged": found.flagged, "by_chance": found.by_chance, "why": found.why,
            "rows": found.rows, "empty": found.empty, "reconstructed": found.reconstructed,
            "seconds": round(found.seconds, 4),
        },
        as_json=json, show=lambda: _show_balance(found, workspace),
    )  # fmt: skip


def power_json(found: Power) -> dict[str, Any]:
    """Return what a campaign could find out, for programs."""
    return {
        "campaign": found.campaign, "goal": found.goal, "as_of": found.as_of, "summary": found.summary,
        "baseline": {
            "start": found.baseline.start, "end": found.baseline.end, "rate": found.baseline.rate,
            "low": found.baseline.low, "high": found.baseline.high, "why": found.baseline.why,
            "newest_event": found.baseline.newest, **_total(found),
        },
        "able": found.able, "cap": found.cap,
        "cost": {"lift": found.lift, "lift_is": found.lift_is, "says": found.cost},
        "options": [
            {
                "share": item.share, "chosen": item.chosen, "target": item.target, "control": item.control,
                "absolute": item.found.absolute, "relative": item.found.relative, "why": item.found.why,
                "sends_fewer": item.fewer, "conversions": item.conversions, "revenue": item.revenue,
            }
            for item in found.options
        ],
        "reconstructed": found.reconstructed, "seconds": round(found.seconds, 4),
    }  # fmt: skip


def _show_power(found: Power, workspace: Workspace) -> None:
    out.print(f"[bold]{escape(found.campaign)}[/]: {escape(found.goal)}", soft_wrap=True)
    show_options(found)
    out.print("[dim]80 % power, 5 % two-sided; * the campaign's own share; the others with expected arms[/]")
    _print_foot(found, workspace)


def show_options(found: Power) -> None:
    """Print the smallest lift that each size of the control group could find, and what it costs."""
    out.print(escape(found.baseline.sentence), soft_wrap=True)
    table = Table(Column("control", no_wrap=True), box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for title, width in COLUMNS.items():
        table.add_column(title, justify="right", min_width=width)
    for item in found.options:
        lift, relative = item.found.absolute, item.found.relative
        cells = [
            f"{item.target:,}", f"{item.control:,}", "–" if lift is None else points(lift).removesuffix(" points"),
            "–" if relative is None else f"{relative:+,.0%}",
            "–" if item.conversions is None else f"{item.conversions:,.1f}",
            "–" if item.revenue is None else f"{item.revenue:,.2f}",
        ]  # fmt: skip
        table.add_row(
            f"{item.name}{' *' if item.chosen else ''}", *cells, style="bold" if item.chosen else None
        )
    out.print(table)
    for item in found.options:
        if item.found.why is not None and found.baseline.why is None:
            out.print(f"  {item.name}: {escape(item.found.why)}", soft_wrap=True)
    out.print(escape(found.summary), soft_wrap=True)
    out.print(escape(found.cost), soft_wrap=True)


def _show_balance(found: Balance, workspace: Workspace) -> None:
    out.print(f"[bold]{escape(found.campaign)}[/]: {escape(found.summary)}", soft_wrap=True)
    if found.rows.height:
        table = Table("attribute", box=SIMPLE_HEAD)
        for title in (f"target ({found.target:,})", f"control ({found.control:,})", "difference (SMD)"):
            table.add_column(title, justify="right")
        for row in found.rows.head(MOST_ROWS).iter_rows(named=True):
            cells = [value(row[arm], row["unit"]) for arm in ("target", "control")]
            style = "yellow" if row["flagged"] else None
            table.add_row(
                escape(f"{row['attribute']}: {row['level']}"), *cells, spoken(row["smd"]), style=style
            )
        out.print(table)
    if found.rows.height > MOST_ROWS:
        out.print(f"[dim]{found.rows.height:,} comparisons in all; --json gives every one[/]")
    if found.empty:
        out.print(f"[dim]nobody has: {escape(', '.join(found.empty))}[/]", soft_wrap=True)
    _print_foot(found, workspace)


def _total(found: Power) -> dict[str, object]:
    total = found.baseline.total
    if total is None:
        return {"users": None, "converted": None, "revenue": None, "unpriced": None}
    return {
        "users": total.users, "converted": total.converted, "revenue": total.revenue, "unpriced": total.unpriced,
    }  # fmt: skip


def _print_foot(found: Power | Balance, workspace: Workspace) -> None:
    label = ", history reconstructed from the rows' own times" if found.reconstructed else ""
    when = local(found.as_of, workspace.zone)
    out.print(f"[dim]as of {when}, {found.seconds * 1000:,.0f} ms{label}; nothing was sent[/]")
