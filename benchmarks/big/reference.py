"""What all peers share: the names of the reference segments, the time they are asked at, and the files."""

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
PEERS = {"DuckDB": "peers_duckdb", "Polars": "peers_polars", "chDB": "peers_chdb"}
NAMES = ("S1", "S2", "S3", "S4", "S5", "S6", "S7")
# A sum of doubles depends on the order of its terms, and one user of BIG spent 500.00 to the cent.
SPEND = 500.000001


def since(days: int) -> datetime:
    """Return where "the last N days" begin."""
    return AS_OF - timedelta(days=days)


def month_of(path: str) -> str:
    """Return the month, as `2026-06`, of an event file."""
    return Path(path).parent.name.removeprefix("month=")


def event_files(lake: Path) -> list[str]:
    """Return the event files in the order of their months."""
    return sorted((str(path) for path in lake.glob("events/month=*/*.parquet")), key=month_of)


def profile_files(lake: Path) -> list[str]:
    """Return the profile files; together they have one row a user."""
    return [str(path) for path in sorted(lake.glob("profiles/*.parquet"))]


def open_peers(lake: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Open every peer that is installed; return why the others are not there."""
    opened, missing = {}, {}
    for name, module in PEERS.items():
        try:
            opened[name] = importlib.import_module(module).open_peer(lake)
        except ImportError:
            missing[name] = f"pip install {name.lower()}"
    return opened, missing
