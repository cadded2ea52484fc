"""A lake with many small files, and what tests of its compaction look at."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from accounts import NOW, Account
from store.rows import write

from workbench.store import engine
from workbench.store.compact import Compacted, compact
from workbench.store.ingest import import_list
from workbench.store.layout import parts
from workbench.store.pinned import VIEWS, LakeVersion

DAY = timedelta(days=1)
BUY = {"user_id": "b", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "price": 5}


def merged(account: Account, now: datetime = NOW) -> Compacted:
    """Compact the lake of an account."""
    return compact(account.workspace.lake, account.workspace.settings, now=now)


def contents(version: LakeVersion) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every view, in an order of its own."""
    connection = version.connect()
    found = {view: engine.rows(connection, f"SELECT * FROM {view} ORDER BY ALL") for view in VIEWS.values()}
    connection.close()
    return found


def files(version: LakeVersion) -> dict[tuple[str, str], int]:
    """How many files each part has."""
    return {(part.kind, part.month): len(part.files) for part in parts(version)}


def known(account: Account) -> set[Path]:
    """The files of the newest version."""
    return {Path(path) for kind in VIEWS for path in account.workspace.lake.at().paths(kind)}


def on_disk(account: Account) -> set[Path]:
    """The files of the lake's folder."""
    return set(account.workspace.lake.directory.rglob("*.parquet"))


def crowd_up(account: Account) -> None:
    """Four ingests of events in two months, late ones among them; two of profiles, three of devices, two lists."""
    account.ingest("events", [BUY, {**BUY, "user_id": "a", "ts": "2026-06-01T00:00:00Z"}], recorded="history")
    account.ingest("events", [{**BUY, "ts": "2026-06-10T00:00:00Z", "Colour": "red", "event": "View"}])
    account.ingest(
        "events", [{"user_id": "c", "event": "Add", "ts": f"2026-{d}", "tags": ["x", "y"]} for d in ("05-02T00:00Z", "06-29T00:00Z")]
    )  # fmt: skip
    account.ingest("events", [{**BUY, "user_id": "a", "ts": "2026-05-31T23:59:59Z", "event_id": "e1"}])
    account.ingest("profiles", [{"user_id": u, "plan": "free"} for u in "cba"])
    account.ingest("profiles", [{"user_id": "b", "plan": "paid"}, {"user_id": "d", "age": 5}], now=NOW + DAY)
    account.ingest("devices", [{"user_id": "b", "device_id": d, "os": "iOS"} for d in "21"])
    account.ingest("devices", [{"user_id": "b", "device_id": "1", "os": "Android"}], now=NOW + DAY)
    account.ingest("devices", [{"user_id": "a", "device_id": "9", "browser": "Firefox"}], now=NOW + DAY)
    for names in ("a\n", "a\nb\n"):
        path = write(account, "list.csv", f"user_id\n{names}")
        import_list(account.workspace.lake, account.workspace.settings, "vips", str(path), now=NOW + DAY)
