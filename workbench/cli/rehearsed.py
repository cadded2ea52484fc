"""What the command line prints of a rehearsal: what will be done, each row as it is finished, and the sum."""

from collections.abc import Sequence

from rich.markup import escape

from workbench import progress
from workbench.cli.output import err, out
from workbench.rehearsal import FAULTS, Rehearsal, Row
from workbench.rehearsal.faults import NONE
from workbench.rehearsal.results import ONCE

MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
NUMBERS = ("arrived", "missing", "doubled", "held out", "rejected", "resumed")
LEAVING = "leaving"
MENU = frozenset(fault.name for fault in FAULTS) - {NONE.name}
FAULT = max(map(len, MENU))
POINT = len("kill before request 999")
VERDICT = 20


class Shown:
    """Prints a rehearsal while it goes on, and keeps it as far as it has come."""

    def __init__(self, *, silent: bool) -> None:
        """Have seen nothing yet.

        Args:
            silent: print nothing; what has come is kept all the same.
        """
        self.found: Rehearsal | None = None
        self.line = progress.Line(silent=silent)
        self._silent = silent
        self._wide = POINT

    def report(self, label: str, done: int, total: int) -> None:
        """Draw the live line of a terminal again."""
        ahead = self.found.ahead[:1] if self.found else ()
        self.line.show(ahead[0] if ahead else label, done, total)

    def told(self, found: Rehearsal) -> None:
        """Print what will be done, then each row as it is finished."""
        self.found = found
        if self._silent:
            return
        with self.line.above():
            if not found.rows:
                self._begin(found)
                return
            self._row(found, found.rows[-1])
        if len(found.rows) == 1 and found.ahead:
            with self.line.above():
                err.print(f"[dim]{escape(left(found))}[/]", soft_wrap=True)

    def sum(self, *, interrupted: bool) -> None:
        """Print what was sent how often, and what is left of it."""
        found = self.found
        if found is None:
            return
        planned = found.plan
        count = many(len(found.rows), "time")
        if interrupted:
            count = f"{len(found.rows):,} of {many(found.total, 'time')}"
        out.print()
        out.print(
            f"{planned.run_id}: {_users(found)} in {many(found.requests, 'request')}, {count}, "
            f"ledger on {found.database}, {found.seconds:.0f} s",
            soft_wrap=True,
        )
        out.print(
            "[dim]pacing off, time-outs short; nobody was sent to and nothing of the account was changed[/]",
            soft_wrap=True,
        )
        if found.folder:
            out.print(f"[dim]kept in {escape(str(found.folder))}[/]", soft_wrap=True)

    def _begin(self, found: Rehearsal) -> None:
        known = found.total == len(found.ahead)
        self._wide = max([FAULT if known else POINT, *map(len, found.ahead)])
        out.print(f"{escape(found.plan.run_id)}: {escape(plan(found))}", soft_wrap=True)
        names = [name for name, _ in self._columns(found)]
        if self._is_narrow(found):
            over = [" ".join(name.split()[:-1]) for name in names]
            self._line(found, " ", "", over, "")
            names = [name.split()[-1] for name in names]
        self._line(found, " ", "fault", names, "verdict")

    def _row(self, found: Rehearsal, row: Row) -> None:
        came = row.arrived
        counts = [came.users, came.missing, came.doubled, came.held_out, row.rejected, row.resumed]
        cells = [f"{count:,}" for count in counts]
        if found.keeps_audience:
            cells.insert(1, str(row.leaves or ""))
        self._line(found, MARKS[row.holds], row.name, cells, row.verdict)
        if self._is_narrow(found) and row.verdict != ONCE:
            out.print(f"  [dim]{escape(row.verdict)}[/]", soft_wrap=True)

    def _line(self, found: Rehearsal, mark: str, name: str, cells: Sequence[str], verdict: str) -> None:
        """Print a line whose cells stand below those of the lines before; nothing is wrapped, a log is read by lines."""
        narrow = self._is_narrow(found)
        numbers = [f"{cell:>{width}}" for cell, (_, width) in zip(cells, self._columns(found), strict=True)]
        parts = [mark, escape(f"{name:<{self._wide}}"), *numbers, *([] if narrow else [escape(verdict)])]
        out.print((" " if narrow else "  ").join(parts).rstrip(), soft_wrap=True)

    def _columns(self, found: Rehearsal) -> list[tuple[str, int]]:
        """Each column of numbers with its width; in a narrow terminal a heading of two words takes two lines."""
        widest = len(f"{found.plan.qualified:,}")
        narrow = self._is_narrow(found)
        names = [NUMBERS[0], LEAVING, *NUMBERS[1:]] if found.keeps_audience else list(NUMBERS)
        return [(name, max(widest, *map(len, name.split() if narrow else [name]))) for name in names]

    def _is_narrow(self, found: Rehearsal) -> bool:
        """Whether a terminal has no room for a column of verdicts."""
        wide = self._wide + sum(2 + len(name) for name in NUMBERS) + len(MARKS) + VERDICT
        return out.is_terminal and out.width < wide + (2 + len(LEAVING) if found.keeps_audience else 0)


def plan(found: Rehearsal) -> str:
    """Say what will be done, before it is begun."""
    undisturbed = found.total == len(found.ahead)
    faults = sum(name in MENU for name in found.ahead)
    kills = found.total - 1 - faults
    parts = ["undisturbed", many(faults, "fault"), many(kills, "kill")]
    which = ", ".join(part for part, count in zip(parts, (1, faults, kills), strict=True) if count)
    up_to = "" if undisturbed else "up to "
    return (
        f"{up_to}{many(found.total, 'send')} of the whole plan to a receiver on this machine ({which}), each of "
        f"{_users(found)} in {many(found.requests, 'request')}; how long is known once the first is done"
    )


def left(found: Rehearsal) -> str:
    """Say how long the rest will take, by what the finished rows took."""
    more = found.total - len(found.rows)
    took = found.rows[0].seconds
    return f"{took:.1f} s for the first: about {_duration(found.seconds_left or 0)} for the {more:,} to come"


def interrupted(found: Rehearsal) -> str:
    """Say where a person stopped it."""
    at = f', while "{found.ahead[0]}" was at work' if found.ahead else ""
    kept = "what there is stays in that folder" if found.folder else "its copy of the account is deleted"
    return f"interrupted after {len(found.rows):,} of {many(found.total, 'send')}{at}; {kept}"


def many(count: int, noun: str) -> str:
    """Return ``1 send``, ``28 sends``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _users(found: Rehearsal) -> str:
    planned = found.plan
    leaving = planned.leaving
    also = f" and {leaving.told.height:,} who leave its audience" if leaving and leaving.told.height else ""
    return f"{planned.to_send:,} of {planned.qualified:,} users{also}"


def _duration(seconds: float) -> str:
    return f"{max(seconds, 1):.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
