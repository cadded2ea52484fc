"""What a cell shows of a rehearsal: one row a fault or kill."""

from collections.abc import Callable
from typing import Any

from workbench.rehearsal import Rehearsal, Row
from workbench.widgets.markup import block, heading, notice, number, paragraph, table

MARKS = {True: "✓", False: "✗", None: "?"}
COLUMNS = [
    ("", "text"), ("Fault", "text"), ("Arrived", "number"), ("Missing", "number"), ("Doubled", "number"),
    ("Held out", "number"), ("Rejected", "number"), ("Resumed", "number"), ("Verdict", "wrap"),
]  # fmt: skip
# Only where the campaign keeps an audience, behind those who arrived.
LEAVING, BEHIND = ("Leaving", "number"), 3


def _text(found: Rehearsal) -> str:
    held = sum(row.holds is True for row in found.rows)
    return (
        f"rehearsal of {found.plan.run_id}: {held} of {len(found.rows)} hold, {found.plan.to_send:,} users each, "
        f"nobody was sent to{_unfinished(found)}"
    )


def _html(found: Rehearsal) -> str:
    failed = [row for row in found.rows if row.holds is False]
    return block(
        heading(f"Rehearsal: {found.plan.campaign.campaign.name}"),
        paragraph(
            f"{found.plan.to_send:,} users in {found.requests:,} requests, {len(found.rows)} times; pacing off, "
            f"time-outs short, ledger on {found.database}, {found.seconds:.0f} s. Nobody was sent to"
            f"{_unfinished(found)}."
        ),
        *(notice(f"{row.name}: {row.verdict}.", error=True) for row in failed),
        table(_columns(found), [_cells(row) for row in found.rows], caption="What arrived, by fault"),
    )


def _unfinished(found: Rehearsal) -> str:
    if not found.ahead:
        return ""
    return f"; not finished: {len(found.rows):,} of {found.total:,}"


def _columns(found: Rehearsal) -> list[tuple[str, str]]:
    return [*COLUMNS[:BEHIND], LEAVING, *COLUMNS[BEHIND:]] if found.keeps_audience else COLUMNS


def _cells(row: Row) -> tuple[str, ...]:
    came = row.arrived
    counts = [
        number(n) for n in (came.users, came.missing, came.doubled, came.held_out, row.rejected, row.resumed)
    ]
    if row.leaves is not None:
        counts.insert(1, str(row.leaves))
    return (MARKS[row.holds], row.name, *counts, row.verdict)


SHOWN: dict[type, tuple[Callable[[Any], str], Callable[[Any], str], None]] = {
    Rehearsal: (_text, _html, None),
}
