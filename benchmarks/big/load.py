"""Load generated data into a workspace of its own, and say how long it took and how much memory.

    python benchmarks/big/load.py RAW WORKSPACE

What it says is kept as `ingest.json` in the workspace.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from process import peak

SETTINGS = """\
[account]
name = "big"
timezone = "UTC"
salt = "big-2026"

[identities]
customer_id = "user_id"
email = "email"

[consent]
unsubscribed = "unsubscribed"

[mparticle]
url = "http://127.0.0.1:8787/v2"
environment = "development"
"""


def main() -> None:
    """Load the files of the folder that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("workspace", type=Path)
    options = parser.parse_args()
    print(json.dumps(load(options.raw, options.workspace)))


def load(raw: Path, workspace: Path) -> dict[str, float]:
    """Load `profiles.parquet` and `events-*.parquet`, a month an ingest.

    Returns:
        ``rows`` of events, ``seconds``, and ``peak`` memory in bytes.
    """
    from workbench.settings import Source
    from workbench.store.ingest import ingest
    from workbench.store.lake import utc_now
    from workbench.workspace import open_workspace

    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / "workbench.toml").write_text(SETTINGS)
    opened = open_workspace(workspace / "workbench.toml")
    began, rows = time.perf_counter(), 0
    for path in [raw / "profiles.parquet", *sorted(raw.glob("events-*.parquet"))]:
        kind = "profiles" if path.stem == "profiles" else "events"
        source = Source(kind=kind, recorded="history")
        done = ingest(opened.lake, opened.settings, source, [str(path)], source_name=kind, now=utc_now())
        rows += done.added if kind == "events" else 0
        print(f"{path.name}: {done.added:,} rows", file=sys.stderr, flush=True)
    found = {"rows": rows, "seconds": time.perf_counter() - began, "peak": peak()}
    (workspace / "ingest.json").write_text(json.dumps(found))
    return found


def load_apart(raw: Path, workspace: Path) -> None:
    """Load in a process of its own, which leaves its memory to nobody."""
    subprocess.run([sys.executable, __file__, str(raw), str(workspace)], check=True, capture_output=True)


if __name__ == "__main__":
    main()
