"""The rows of one event are read from the row groups that hold its window."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import make_account

from workbench.segments import codec
from workbench.store import parquet


@pytest.mark.parametrize("start", ["1969-11-02", "1969-12-02", "1970-01-02", "2026-03-02"])
def test_windows_end_in_any_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    """Ann views once a minute for five days, then Ben does; another event shares the first of the row groups.

    Each holds 2,048 rows: a day's end lies in any of them, after 1970 or before.
    """
    monkeypatch.setattr(parquet, "OPTIONS", parquet.OPTIONS.replace(str(parquet.ROW_GROUP), "2048"))
    account = make_account(tmp_path)
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    account.ingest("profiles", [{"user_id": user} for user in ("ann", "ben")], recorded="history")
    viewed = [
        {"user_id": "ann" if minute < 7_200 else "ben", "event": "Viewed", "text": f"{minute}",
         "ts": (first + timedelta(minutes=minute)).isoformat()}
        for minute in range(14_400)
    ]  # fmt: skip
    opened = [{**viewed[0], "event": "Opened"}] * 100
    account.ingest("events", [*opened, *viewed], recorded="history", types={"text": "text"})
    lake = account.workspace.lake.at()

    def users(days: int, **measure: object) -> int:
        last = (first + timedelta(days=days - 1)).date().isoformat()
        condition = {
            "kind": "did", "events": ["Viewed"], "window": {"kind": "dates", "last": last},
            "measure": {"operator": "=", **measure},
        }  # fmt: skip
        asked = codec.from_json({"name": "asked", "condition": condition})
        return account.workspace.ask(asked, lake, first + timedelta(days=20)).users.height

    midnight = 300  # minutes after it New York's day ends
    for days in (1, 2, 3, 4):
        whole = days * 1_440 + midnight
        assert users(days, values=[whole]) == 1
        assert users(days, function="distinct", property="text", values=[whole]) == 1
    assert users(9, values=[7_200]) == 1
