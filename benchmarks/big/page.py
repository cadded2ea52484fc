"""Write what `targets.py --json` measured into the page: `python benchmarks/big/page.py JSON docs/performance.md`.

Only the part between the two marks is replaced.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from targets import TARGETS, figure

BEGIN, END = "<!-- measured -->", "<!-- measured until here -->"
HANDS = ("DuckDB", "Polars", "chDB")


def main() -> None:
    """Replace the tables of the page."""
    measured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    path = Path(sys.argv[2])
    page = path.read_text(encoding="utf-8")
    path.write_text(replaced(page, measured), encoding="utf-8")


def replaced(page: str, measured: dict[str, Any]) -> str:
    """Return the page with new tables."""
    parts = [BEGIN, machine(measured["machine"]), targets(measured["targets"])]
    if "1" in measured["targets"]:
        parts.append(segments(measured["targets"]["1"]))
    parts.append(END)
    return re.sub(f"{BEGIN}.*{END}", lambda _: "\n\n".join(parts), page, flags=re.DOTALL)


def machine(facts: dict[str, Any]) -> str:
    """Return a sentence on data and machine."""
    versions = ", ".join(f"{name} {facts[name]}" for name in ("duckdb", "polars", "chdb"))
    return (
        f"{facts['users']:,} users, {facts['events']:,} events; {facts['cores']} cores, "
        f"{facts['memory'] / 2**30:.0f} GB of memory; Python {facts['python']}, {versions}; medians of {facts['repeat']}."
    )


def targets(found: dict[str, Any]) -> str:
    """Return the table of targets, in their order."""
    lines = ["| | measure | must | aim | measured | verdict | made of |", "|---|---|---:|---:|---:|---|---|"]
    for number, target in TARGETS.items():
        item = found.get(number, {"value": None, "verdict": "not measured", "note": ""})
        limits = [f"≤ {figure(limit, target.unit)}" if limit else "" for limit in (target.must, target.aim)]
        cells = [
            number,
            target.measure,
            *limits,
            figure(item["value"], target.unit),
            item["verdict"],
            item["note"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def segments(item: dict[str, Any]) -> str:
    """Return the times of each reference segment, in milliseconds."""
    hands = [hand for hand in HANDS if f"S1 {hand}" in item["seconds"]]
    lines = [f"| ms | users | product | {' | '.join(f'{hand} by hand' for hand in hands)} |"]
    lines.append("|---|---:|---:|" + "---:|" * len(hands))
    for name, users in item["facts"]["users"].items():
        times = [item["seconds"][f"{name} {who}"]["median"] * 1e3 for who in ("product", *hands)]
        lines.append(f"| {name} | {users:,} | {' | '.join(f'{time:.0f}' for time in times)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
