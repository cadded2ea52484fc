"""Time and peak memory of importing a custom list against 200,000 profiles.

python benchmarks/lists.py [--rows 1000000 8000000]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workbench.settings import Settings, Source
from workbench.store.ingest import import_list, ingest
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

PEOPLE = 200_000
SETTINGS = """\
[account]
name = "lists"
timezone = "UTC"
salt = "lists-bench"
"""


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 8_000_000])
    parser.add_argument("--one", type=int)
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    print("| rows | file | seconds | peak |\n|---:|---:|---:|---:|")
    for rows in options.rows:
        subprocess.run([sys.executable, __file__, "--one", str(rows)], check=True)


def measure(rows: int) -> None:
    """Import one list and print its row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "workbench.toml").write_text(SETTINGS)
        workspace = open_workspace(home / "workbench.toml")
        settings: Settings = workspace.settings
        people = "".join(f"{n:07d},user{n}@example.com\n" for n in range(PEOPLE))
        (home / "people.csv").write_text(f"user_id,email\n{people}")
        source = Source(kind="profiles")
        ingest(
            workspace.lake, settings, source, [str(home / "people.csv")], source_name="people", now=utc_now()
        )
        path = home / "list.csv"
        with path.open("w") as stream:
            stream.write("Type,Identity\n")
            for n in range(rows):
                stream.write(f"g,{n % 300_000:07d}\n" if n % 2 else f"i,User{n % 400_000}@example.com\n")
        began = time.perf_counter()
        found = import_list(workspace.lake, settings, "big", str(path), now=utc_now())
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        size = path.stat().st_size
    print(f"| {found.read:,} | {size / 1e6:,.0f} MB | {seconds:.1f} | {peak / 1e6:,.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
