"""Attributes in literals; that they are what the SQL says, for any tree, is a property test."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from accounts import make_account

from workbench.segments import codec
from workbench.store import engine

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("predicate", [("city", "=", ["Oslo"]), ("client", ">=", ["1.9"])])
def test_new_people_come_in_several_ways(tmp_path: Path, predicate: tuple[str, str, list[str]]) -> None:
    """Three files of 200 people: of history, of a day, and with times of their own; every other one fits."""
    account = make_account(tmp_path)

    def people(first: int, **more: str) -> list[dict[str, str]]:
        return [
            {"user_id": f"{n}", "city": "Rome" if n % 2 else "Oslo", "client": "1.2" if n % 2 else "1.10", **more}
            for n in range(first, first + 200)
        ]  # fmt: skip

    types = {"client": "version"}
    account.ingest("profiles", people(0), recorded="history", types=types)
    account.ingest("profiles", people(200), recorded="now", now=datetime(2026, 1, 1, tzinfo=UTC))
    account.ingest("profiles", people(400, seen="2026-02-01T00:00:00Z"), recorded="seen")
    lake = account.workspace.lake.at()
    assert lake.single_profiles(AS_OF)
    name, operator, values = predicate
    condition = {"kind": "user", "predicate": {"property": name, "operator": operator, "values": values}}
    asked = account.workspace.ask(codec.from_json({"name": "asked", "condition": condition}), lake, AS_OF)
    ids = dict(engine.rows(lake.connect(), "SELECT user_code, user_id FROM users"))
    assert sorted(int(ids[code]) for code in asked.users["user_code"]) == list(range(0, 600, 2))
