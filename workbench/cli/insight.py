"""Commands that compare segments: overlap, diff, curve, history."""

from typing import Annotated

import typer
from rich.bar import Bar
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, local, out, watching
from workbench.errors import InputError
from workbench.reach import Curve, Diff, History, Overlap
from workbench.reach import curve as curve_of
from workbench.reach import diff as diff_of
from workbench.reach import history as history_of
from workbench.reach import overlap as overlap_of
from workbench.reach.subjects import Named
from workbench.segments.library import SegmentLibrary
from workbench.segments.sentence import number as digits
from workbench.store.lake import utc_now
from workbench.workspace import Workspace, open_workspace

MOST_ROWS, AROUND, WIDTH = 20, 5, 30

AsOf = Annotated[str | None, typer.Option(help="Instant of the question, ISO 8601 (default: now).")]
Version = Annotated[int | None, typer.Option(help="Which version (default: the newest).")]


def overlap(
    segments: Annotated[list[str], typer.Argument(help="Two to twelve saved segments.")],
    as_of: AsOf = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Count the users of every combination of segments, exactly."""
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    found = overlap_of(workspace, segments, as_of=instant, watch=watching(json))
    answer(
        {
            "as_of": found.as_of, "segments": found.segments, "union": found.union, "none": found.none,
            "combinations": found.combinations, "pairs": found.pairs, "reconstructed": found.reconstructed,
            "seconds": round(found.seconds, 4),
        },
        as_json=json, show=lambda: _show_overlap(found, workspace),
    )  # fmt: skip


def diff(
    name: Annotated[str, typer.Argument(help="A saved segment.")],
    versions: Annotated[
        tuple[int, int] | None, typer.Option(help="Two of its versions, the earlier one first.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Another saved segment to compare it with.")] = None,
    as_of: AsOf = None,
    as_of_before: Annotated[
        str | None, typer.Option(help="Instant of the first of the two (default: that of --as-of).")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Say who entered, left and stayed, and which condition is responsible.

    Between two versions (default: the last two), to another segment, or between two instants.
    """
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    earlier = parse_instant(as_of_before, "--as-of-before")
    before, after = _compared(workspace.segments, name, versions, to, instants=earlier is not None)
    found = diff_of(workspace, before, after, as_of=instant, as_of_before=earlier, watch=watching(json))
    answer(
        {
            "before": found.before, "after": found.after, "stayed": found.stayed, "entered": found.entered,
            "left": found.left, "causes": found.causes, "reconstructed": found.reconstructed,
            "seconds": round(found.seconds, 4),
        },
        as_json=json, show=lambda: _show_diff(found, workspace),
    )  # fmt: skip


def curve(
    name: Annotated[str, typer.Argument(help="A saved segment.")],
    condition: Annotated[
        int | None,
        typer.Option(help="Its number in `workbench reach` (default: the only one with a threshold)."),
    ] = None,
    version: Version = None,
    as_of: AsOf = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show how the size of a segment moves with the threshold of one of its conditions."""
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    named: Named = name if version is None else (name, version)
    found = curve_of(workspace, named, condition, as_of=instant, watch=watching(json))
    answer(
        {
            "segment": name, "sentence": found.sentence, "condition": found.condition, "as_of": found.as_of,
            "operator": found.measure.operator, "threshold": found.threshold, "users": found.users,
            "always": found.always, "swing": found.swing, "near": found.near, "steps": found.steps,
            "reconstructed": found.reconstructed, "seconds": round(found.seconds, 4),
        },
        as_json=json, show=lambda: _show_curve(found, workspace),
    )  # fmt: skip


def history(
    name: Annotated[str, typer.Argument(help="A saved segment.")],
    version: Version = None,
    as_of: AsOf = None,
    days: Annotated[int, typer.Option(help="How many, the last one included; 1 to 366.")] = 28,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show how large a segment was on each of the last days, computed back in time."""
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    watch = watching(json)
    found = history_of(workspace, name, as_of=instant, days=days, version=version, watch=watch)
    answer(
        {
            "segment": name, "sentence": found.sentence, "as_of": found.as_of, "sizes": found.sizes,
            "conditions": found.conditions, "reconstructed": found.reconstructed,
            "seconds": round(found.seconds, 4),
        },
        as_json=json, show=lambda: _show_history(found, workspace),
    )  # fmt: skip


def _compared(
    library: SegmentLibrary, name: str, versions: tuple[int, int] | None, to: str | None, *, instants: bool
) -> tuple[Named, Named]:
    """Return what is compared with what.

    Raises:
        InputError: both options, or a single version and no second instant.
        NotFoundError: no such segment.
    """
    if versions and to:
        raise InputError("--versions compares two versions, --to another segment; give one of them")
    if versions:
        return (name, versions[0]), (name, versions[1])
    if to:
        return name, to
    newest = library.get(name).version
    if instants:
        return (name, newest), (name, newest)
    if newest == 1:
        raise InputError(
            f'segment "{name}" has one version; give --to another segment, or --as-of-before an instant'
        )
    return (name, newest - 1), (name, newest)


def _show_overlap(found: Overlap, workspace: Workspace) -> None:
    sizes = Table(Column("segment", no_wrap=True), "says", Column("users", justify="right"), box=SIMPLE_HEAD)
    for item in found.segments:
        sizes.add_row(escape(item.name), escape(item.sentence), f"{item.users:,}")
    out.print(sizes)
    table = Table(show_footer=True)
    table.add_column("in exactly these", footer="in at least one")
    table.add_column("users", justify="right", footer=f"{found.union:,}")
    table.add_column("in all of these", justify="right")
    held = [row for row in found.combinations.iter_rows() if row[1]]
    for segments, users, at_least in held[:MOST_ROWS]:
        table.add_row(escape(" + ".join(segments)), f"{users:,}", f"{at_least:,}")
    rest = held[MOST_ROWS:]
    if rest:
        table.add_row(f"[dim]{len(rest):,} smaller combinations[/]", f"{sum(row[1] for row in rest):,}", "")
    out.print(table)
    pairs = Table("first", "other", box=SIMPLE_HEAD)
    for title in ("in both", "of the first", "of the other", "Jaccard"):
        pairs.add_column(title, justify="right")
    for first, second, both, jaccard, *shares in found.pairs.head(MOST_ROWS).iter_rows():
        cells = ["–" if value is None else f"{value:.1%}" for value in (*shares, jaccard)]
        pairs.add_row(escape(first), escape(second), f"{both:,}", *cells)
    out.print(pairs)
    out.print(f"{found.none:,} of {found.everyone:,} users with a profile are in none of them")
    _print_foot(found, workspace)


def _show_diff(found: Diff, workspace: Workspace) -> None:
    for side in (found.before, found.after):
        when = local(side.as_of, workspace.zone)
        out.print(f"[bold]{escape(side.name)}[/] as of {when}: {side.users:,} users", soft_wrap=True)
        out.print(f"  [dim]{escape(side.sentence)}[/]", soft_wrap=True)
    table = Table(show_footer=True)
    table.add_column("condition responsible", footer="moved")
    table.add_column("change")
    table.add_column("entered", justify="right", footer=f"{found.entered:,}")
    table.add_column("left", justify="right", footer=f"{found.left:,}")
    for cause in found.causes:
        was = f"\n[dim]before: {escape(cause.was)}[/]" if cause.was else ""
        moved = [f"{users:,}" if users else "[dim]0[/]" for users in (cause.entered, cause.left)]
        table.add_row(escape(cause.sentence) + was, cause.change or "", *moved)
    out.print(table)
    out.print(f"{found.stayed:,} stayed, {found.entered:,} entered, {found.left:,} left")
    _print_foot(found, workspace)


def _show_curve(found: Curve, workspace: Workspace) -> None:
    out.print(f"[bold]{escape(found.name)}[/]: {escape(found.sentence)}", soft_wrap=True)
    if found.condition != found.sentence:
        out.print(f"what moves: {escape(found.condition)}", soft_wrap=True)
    table = Table()
    table.add_column(escape(found.compared), justify="right")
    table.add_column("users", justify="right")
    table.add_column("change", justify="right")
    for row in found.around(AROUND).iter_rows(named=True):
        change = "now" if row["current"] else f"{row['users'] - found.users:+,}"
        style = "bold" if row["current"] else None
        table.add_row(digits(row["threshold"]), f"{row['users']:,}", change, style=style)
    out.print(table)
    near = ", ".join(f"{item.users:,} at {digits(item.value)}" for item in found.near)
    out.print(f"at the threshold and one step beside it: {near}")
    out.print(f"{found.swing:,} users are in or out as it says, {found.always:,} are in whatever it is")
    if found.steps.height > 2 * AROUND + 1:
        out.print(f"[dim]{found.steps.height:,} thresholds in all; --json gives every one[/]")
    _print_foot(found, workspace)


def _show_history(found: History, workspace: Workspace) -> None:
    out.print(f"[bold]{escape(found.name)}[/]: {escape(found.sentence)}", soft_wrap=True)
    table = Table(Column("day", no_wrap=True))
    table.add_column("qualified", justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    if not out.options.ascii_only:
        table.add_column("from 0", max_width=WIDTH)
    most = found.highest[1] or 1
    for day, users, change, _ in found.by_day.iter_rows():
        moved = "" if change is None else f"{change:+,}" if change else "[dim]0[/]"
        drawn = [] if out.options.ascii_only else [Bar(most, 0, users, color="cyan")]
        table.add_row(f"{day:%Y-%m-%d %a}", f"{users:,}", moved, *drawn)
    out.print(table)
    out.print(found.summary, soft_wrap=True)
    _print_foot(found, workspace)


def _print_foot(found: Overlap | Diff | Curve | History, workspace: Workspace) -> None:
    instant = found.after.as_of if isinstance(found, Diff) else found.as_of
    label = ", history reconstructed from the rows' own times" if found.reconstructed else ""
    out.print(
        f"[dim]as of {local(instant, workspace.zone)}, exact, {found.seconds * 1000:,.0f} ms{label}[/]",
        soft_wrap=True,
    )
