"""What a lake holds, as plain rows with the names that the files had."""

from pathlib import Path
from typing import Any

from accounts import Account

from workbench.store import engine
from workbench.store.held import profiles_at

ASKED = {"events": "events", "profiles": f"({profiles_at()})", "devices": "device_versions"}


def rows(account: Account, kind: str = "events", as_of: object = None) -> list[dict[str, Any]]:
    """Rows of a kind as dicts by name, nulls left out, in the order of user, time and text."""
    version = account.workspace.lake.at()
    names = {item.column: item.name for item in version.columns.get(kind, {}).values()}
    connection = version.connect()
    query = f"SELECT u.user_id, t.* FROM {ASKED[kind]} t JOIN users u USING (user_code)"
    found = engine.frame(connection, query, {"as_of": as_of} if kind == "profiles" else {})
    connection.close()
    kept = [
        {
            names.get(key, key): value
            for key, value in row.items()
            if value is not None and key not in {"user_code", "seq"}
        }
        for row in found.to_dicts()
    ]
    return sorted(kept, key=lambda row: (row["user_id"], str(row.get("ts")), str(row)))


def values(account: Account, name: str, kind: str = "events", as_of: object = None) -> list[Any]:
    """One property of all rows, in the order of ``rows``."""
    return [row.get(name) for row in rows(account, kind, as_of)]


def write(account: Account, name: str, content: str | bytes) -> Path:
    """Write a file beside the account."""
    path = account.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rejects(account: Account) -> list[str]:
    """The lines of the newest rejects file, without its header."""
    newest = max(
        (account.workspace.settings.directory / "rejects").glob("*.csv"), key=lambda p: p.stat().st_mtime_ns
    )
    return newest.read_text(encoding="utf-8").splitlines()[1:]
