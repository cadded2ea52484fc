"""Measure the targets and print one table.

    python benchmarks/big/targets.py WORKSPACE [--small WORKSPACE] [--repeat 7] [--only 1 4 9] [--json OUT]

Steps that are compared take turns. What was answered is forgotten before each repetition, except where the
target is that memory; the operating system's cache is warm. The workspaces are only read.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from account import Account
from measures import MEASURES, Bench, Found
from process import machine
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from timing import Times


@dataclass(frozen=True, slots=True)
class Target:
    """What a value is held against; bytes where ``unit`` says so, else ratios. No ``must``: for information."""

    measure: str
    must: float | None = None
    aim: float | None = None
    unit: str = "×"


TARGETS: Mapping[str, Target] = {
    "1": Target("S1 to S7 against DuckDB by hand, geometric mean", 1.2, 0.8),
    "1b": Target("the same, the lake opened anew each time"),
    "2": Target("S4 against DuckDB by hand", 0.6, 0.15),
    "3": Target("S1 to S7 against the fastest by hand, geometric mean", 1.3, 1.0),
    "4": Target("threshold, operator or user filter moved, against the first answer", 1 / 10, 1 / 30),
    "5": Target("one of four windows moved, against all four from nothing", 1 / 2.5, 1 / 3.5),
    "6": Target("events × 20", 24, 20),
    "7": Target("unrelated events doubled", 1.15, 1.05),
    "8": Target("eight behaviours against one", 9, 6),
    "9": Target("history of 28 days against one day, geometric mean", 8, 4),
    "14": Target("size of the lake against Parquet in time order", 1.1, 0.85),
    "memory": Target("peak memory of S1 to S7", 4e9, None, "MB"),
    "ingest": Target("peak memory of an ingest", None, None, "MB"),
}


def main() -> None:
    """Measure, print, and exit with 1 if a `must` is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--small", type=Path, help="a smaller workspace of the same shape")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="NUMBER")
    parser.add_argument("--json", type=Path, help="where everything that was measured goes")
    options = parser.parse_args()
    small = Account(options.small) if options.small else None
    bench = Bench(big=Account(options.workspace), small=small, repeat=options.repeat)
    facts = {**machine(), "users": bench.big.users, "events": bench.big.rows, "repeat": options.repeat}
    found: dict[str, Found] = {}
    for measure, numbers in MEASURES.items():
        if not set(numbers) & set(options.only):
            continue
        print(f"measuring {measure.__name__.replace('_', ' ')}", file=sys.stderr, flush=True)
        found |= measure(bench)
        if options.json:
            options.json.write_text(json.dumps(raw(facts, found), indent=2) + "\n")
    show(facts, found)
    sys.exit(any(verdict(TARGETS[number], item.value) == "missed" for number, item in found.items()))


def verdict(target: Target, value: float | None) -> str:
    """Say how a value stands against its target."""
    if value is None:
        return "not measured"
    if target.must is None:
        return "for information"
    if target.aim is not None and value <= target.aim:
        return "aim met"
    return "must met" if value <= target.must else "missed"


def show(facts: Mapping[str, str | int], found: Mapping[str, Found]) -> None:
    """Print one row a target, and below it what each value is made of."""
    console = Console(highlight=False)
    styles = {"aim met": "green", "must met": "green", "missed": "red"}
    table = Table(title=about(facts), title_justify="left")
    for head in ("", "measure", "must", "aim", "value", "noise", "verdict"):
        table.add_column(head, justify="right" if head in {"must", "aim", "value", "noise"} else "left")
    for number, item in found.items():
        target = TARGETS[number]
        told = verdict(target, item.value)
        limits = [f"≤ {figure(limit, target.unit)}" if limit else "" for limit in (target.must, target.aim)]
        style = styles.get(told, "dim")
        table.add_row(
            number, target.measure, *limits, figure(item.value, target.unit), noise(item.times),
            f"[{style}]{told}[/]",
        )  # fmt: skip
    console.print(table)
    for number, item in found.items():
        if item.note:
            console.print(f"[bold]{number}[/]: {escape(item.note)}", soft_wrap=True)


def about(facts: Mapping[str, str | int]) -> str:
    """Say what was measured, and where."""
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", "duckdb", "polars", "chdb"))
    return (
        f"{facts['users']:,} users, {facts['events']:,} events; {facts['cores']} cores, "
        f"{int(facts['memory']) / 1e9:.0f} GB; medians of {facts['repeat']}; {versions}"
    )


def figure(value: float | None, unit: str) -> str:
    """Write a ratio or a size.

    >>> figure(0.0333, "×"), figure(1.2, "×"), figure(4e9, "MB")
    ('0.033 ×', '1.20 ×', '4,000 MB')
    """
    if value is None:
        return ""
    if unit == "MB":
        return f"{value / 1e6:,.0f} MB"
    return f"{value:.3f} ×" if value < 0.1 else f"{value:.2f} ×"


def noise(times: Mapping[str, Times]) -> str:
    """Return how far the repetitions of a step lie apart: the middle of their inter-quartile ranges."""
    return f"± {statistics.median(item.noise for item in times.values()) / 2:.0%}" if times else ""


def raw(facts: Mapping[str, str | int], found: Mapping[str, Found]) -> dict[str, object]:
    """Return everything that was measured as JSON values."""
    return {
        "machine": facts,
        "targets": {
            number: {
                **asdict(TARGETS[number]), "value": item.value, "verdict": verdict(TARGETS[number], item.value),
                "note": item.note, "facts": item.facts,
                "seconds": {
                    name: {"median": times.median, "noise": times.noise, "all": times.seconds}
                    for name, times in item.times.items()
                },
            }
            for number, item in found.items()
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
