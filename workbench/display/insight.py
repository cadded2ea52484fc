"""What a cell shows of overlaps, diffs, curves and histories: a sentence, tables that add up, a chart; never a person."""

from collections.abc import Callable
from typing import Any

import polars as pl

from workbench import charts
from workbench.reach import Curve, Diff, History, Overlap
from workbench.segments.sentence import number as digits
from workbench.widgets.markup import block, heading, number, paragraph, share, table

INSTANT = "%Y-%m-%d %H:%M %Z"
MOST_ROWS = 20
AROUND = 5

Shown = tuple[Callable[[Any], str], Callable[[Any], str], Callable[[Any], Any] | None]


def overlap_text(found: Overlap) -> str:
    """Say how many are in any of the segments, and in all of them."""
    everywhere = found.combinations.filter(pl.col("segments").list.len() == len(found.segments))
    return (
        f"{found.union:,} users in at least one of {len(found.segments)} segments, "
        f"{everywhere['users'][0]:,} in all of them, {found.none:,} in none, as of {found.as_of:{INSTANT}}"
    )


def overlap_html(found: Overlap) -> str:
    """Show the segments, the combinations that hold anybody, and every pair."""
    held = found.combinations.filter(pl.col("users") > 0)
    rows = [
        (" + ".join(row[0]), number(row[1]), share(row[1], found.union), number(row[2]))
        for row in held.head(MOST_ROWS).iter_rows()
    ]
    rest = held.slice(MOST_ROWS)
    if rest.height:
        users = int(rest["users"].sum())
        rows.append((f"{rest.height:,} smaller combinations", number(users), share(users, found.union), ""))
    return block(
        heading("Overlap"),
        paragraph(f"{overlap_text(found)}; {_counted(found)}"),
        table(
            [("In exactly these", "wrap"), ("Users", "number"), ("Of the union", "number"), ("In all of these", "number")],
            rows,
            total=("In at least one", number(found.union), share(found.union, found.union), ""),
            caption="Users by combination",
        ),
        heading("Two at a time"),
        table(
            [
                ("Segment", "wrap"), ("Other", "wrap"), ("In both", "number"), ("Of the segment", "number"),
                ("Of the other", "number"), ("Of either (Jaccard)", "number"),
            ],
            [
                (row["first"], row["second"], number(row["both"]), _percent(row["share_of_first"]),
                 _percent(row["share_of_second"]), _percent(row["jaccard"]))
                for row in found.pairs.head(MOST_ROWS).iter_rows(named=True)
            ],
            caption="Users by pair",
        ),
        _more(found.pairs.height, "pairs"),
    )  # fmt: skip


def overlap_chart(found: Overlap) -> Any:
    """Draw the combinations."""
    return charts.combinations(found.combinations, [(item.name, item.users) for item in found.segments])


def diff_text(found: Diff) -> str:
    """Say how many before, how many after, and how many moved."""
    before, after = found.before, found.after
    return (
        f"{_side(before.name, before.as_of)}: {before.users:,} users; {_side(after.name, after.as_of)}: {after.users:,}; "
        f"{found.stayed:,} stayed, {found.entered:,} entered, {found.left:,} left"
    )


def diff_html(found: Diff) -> str:
    """Show both sentences and every condition with those whom it moved."""
    said = {found.before.sentence: "Both", found.after.sentence: "Both"}
    if len(said) > 1:
        said = {found.before.sentence: "Before", found.after.sentence: "After"}
    rows = [
        (f"{cause.sentence} (before: {cause.was})" if cause.was else cause.sentence, cause.change or "",
         number(cause.entered), number(cause.left))
        for cause in found.causes
    ]  # fmt: skip
    return block(
        heading(f"From {found.before.name} to {found.after.name}"),
        paragraph(f"{diff_text(found)}; {_counted(found)}"),
        *(paragraph(f"{when}: users who {what}.", quiet=True) for what, when in said.items()),
        table(
            [
                ("Condition responsible", "wrap"),
                ("Change", "text"),
                ("Entered", "number"),
                ("Left", "number"),
            ],
            rows,
            total=("Moved", "", number(found.entered), number(found.left)),
            caption="Users who moved, by the condition responsible",
        ),
    )


def diff_chart(found: Diff) -> Any:
    """Draw who stayed, entered and left."""
    frame = pl.DataFrame(
        [(cause.sentence + _what(cause.change), cause.entered, cause.left) for cause in found.causes],
        schema={"cause": pl.String, "entered": pl.Int64, "left": pl.Int64},
        orient="row",
    )
    return charts.moves(frame, found.stayed)


def curve_text(found: Curve) -> str:
    """Say the size as it is, and what one step to either side would make of it."""
    sides = [
        f"{found.measure.operator} {digits(threshold)} would be {users:,} ({users - found.users:+,})"
        for threshold, users in found.beside()
    ]
    now = f"{found.users:,} users with {found.compared} {digits(found.threshold)}"
    return f"{found.name}: {'; '.join([now, *sides])}"


def curve_html(found: Curve) -> str:
    """Show the thresholds around the current one, and who stands at it."""
    rows = [
        (f"{found.measure.operator} {digits(row['threshold'])}{'  (now)' if row['current'] else ''}",
         number(row["users"]), "" if row["current"] else f"{row['users'] - found.users:+,}")
        for row in found.around(AROUND).iter_rows(named=True)
    ]  # fmt: skip
    near = ", ".join(f"{item.users:,} at {digits(item.value)}" for item in found.near)
    return block(
        heading(f"{found.name}, if a threshold moves"),
        paragraph(f"Users who {found.sentence}."),
        "" if found.condition == found.sentence else paragraph(f"What moves: {found.condition}."),
        paragraph(
            f"{found.swing:,} users are in or out as the threshold says, {found.always:,} are in whatever it is. "
            f"At the threshold and one step beside it: {near}."
        ),
        table(
            [("Threshold", "text"), ("Users", "number"), ("Change", "number")],
            rows,
            caption="Users by threshold",
        ),
        _more(found.steps.height, "thresholds", 2 * AROUND + 1),
        paragraph(f"As of {found.as_of:{INSTANT}}; {_counted(found)}.", quiet=True),
    )


def curve_chart(found: Curve) -> Any:
    """Draw users by threshold."""
    title = f"Threshold of: {found.condition}"
    return charts.thresholds(found.steps, operator=str(found.measure.operator), title=title)


def history_text(found: History) -> str:
    """Say the size on the last day, and what became of that on the first."""
    return f"{found.name}: {found.summary}"


def history_html(found: History) -> str:
    """Show the days that stand out, and every condition on the first day and on the last."""
    alone = found.sizes.height == 1
    before = "" if alone else ", and at that time of each day before"
    return block(
        heading(f"{found.name}, over time"),
        paragraph(f"Users who {found.sentence}."),
        paragraph(f"{found.summary}."),
        "" if alone else _days(found),
        heading("Each condition"),
        _ends(found, alone=alone),
        paragraph(
            f"As of {found.as_of.astimezone(found.zone):{INSTANT}}{before}; {_counted(found)}.", quiet=True
        ),
    )


def history_chart(found: History) -> Any:
    """Draw users by day."""
    return charts.sizes(found.by_day)


def _days(found: History) -> str:
    named = {
        "First day": found.first,
        "Last day": found.last,
        "Lowest": found.lowest,
        "Highest": found.highest,
    }
    return table(
        [("", "text"), ("Day", "text"), ("Users", "number"), ("Since the first day", "number"), ("In percent", "number")],
        [
            (label, str(day), number(users), *_change(found.first[1], users))
            for label, (day, users) in named.items()
        ],
        caption="Users on the days that stand out",
    )  # fmt: skip


def _ends(found: History, *, alone: bool) -> str:
    since, day = str(found.first[0]), str(found.last[0])
    columns = [
        ("Condition", "wrap"),
        (since, "number"),
        (day, "number"),
        ("Change", "number"),
        ("In percent", "number"),
    ]
    rows: list[tuple[str, ...]] = []
    for depth, sentence, first, last in found.ends.drop("place").iter_rows():
        label = "\u2003" * depth + sentence if depth else "In the segment"
        rows.append((label, number(first), number(last), *_change(first, last)))
    if alone:
        columns, rows = columns[:2], [row[:2] for row in rows]
    return table(
        columns, rows[:-1], total=rows[-1], caption="Users by condition, on the first day and on the last"
    )


def _change(before: int, after: int) -> tuple[str, str]:
    if before == after:
        return "0", "0.0%" if before else "–"
    return f"{after - before:+,}", f"{(after - before) / before:+.1%}" if before else "–"


def _side(name: str, as_of: Any) -> str:
    return f"{name} as of {as_of:{INSTANT}}"


def _what(change: str | None) -> str:
    return f" ({change})" if change in {"added", "removed", "changed"} else ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _counted(found: Overlap | Diff | Curve | History) -> str:
    history = ", history as reconstructed" if found.reconstructed else ""
    return f"counted exactly in {found.seconds:.2f} s{history}"


def _more(rows: int, what: str, most: int = MOST_ROWS) -> str:
    return paragraph(f"{rows:,} {what} in all.", quiet=True) if rows > most else ""


SHOWN: dict[type, Shown] = {
    Overlap: (overlap_text, overlap_html, overlap_chart),
    Diff: (diff_text, diff_html, diff_chart),
    Curve: (curve_text, curve_html, curve_chart),
    History: (history_text, history_html, history_chart),
}
