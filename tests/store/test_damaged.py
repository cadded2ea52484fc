"""What the workbench cannot have written is refused: in any table, and by its row where that is read by itself."""

from datetime import UTC, datetime

import pytest
from accounts import NOW, Account

from workbench.errors import DamagedError
from workbench.store import tables


def test_an_instant_is_read_as_it_is_written() -> None:
    """In one way only, so that texts which are equal as instants are equal."""
    assert tables.instant("2026-07-01T12:00:00.000000Z") == NOW
    assert tables.written(NOW) == "2026-07-01T12:00:00.000000Z"
    assert tables.instant("0001-01-01T00:00:00.000000Z") == datetime(1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T12:00:00.0000000", "2026-07-01T12:00:00.000000+00:00", "2026-07-01T12:00:00.000000",
        "2026-07-01 12:00:00.000000Z", "2026-07-01T12:00:00Z", "2026-W27-3T12:00:00.000000Z",
        "0001-01-01T00:00:00.000000+14:00", "2026-07-01", "never", "", 0, b"2026-07-01T12:00:00.000000Z",
    ],
)  # fmt: skip
def test_an_instant_in_another_way_is_none(text: object) -> None:
    """Without a zone, with another one, shorter, longer."""
    with pytest.raises(ValueError, match=r"is not written as 2026-06-30T18:00:00\.000000Z"):
        tables.instant(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("created_at = replace(created_at, 'Z', '0')", "the ledger has an instant that is not written as"),
        ("created_at = X'00'", "the ledger has an instant that is not written as"),
        ("body = 'nonsense'", "the ledger has a text that is no JSON where it should have some"),
        (f"body = '{'[' * 5000}'", "the ledger has a text that is no JSON where it should have some"),
        (
            "created_by = CAST(X'ff' AS TEXT)",
            "a row of the ledger is damaged: created_by is no text in UTF-8",
        ),
    ],
)
def test_a_damaged_row_of_any_table(shop: Account, change: str, message: str) -> None:
    """An error of the store, not a trace; no value is in it."""
    with shop.workspace.database.transaction() as sql:
        sql.exec_driver_sql(f"UPDATE segments SET {change}")
    with pytest.raises(DamagedError, match=message):
        shop.workspace.segments.get("buyers")


def test_a_campaign_without_its_first_version(shop: Account) -> None:
    """When it was first saved is an occurrence, and cannot be told any more."""
    shop.save_campaign("hello", "buyers", cap={"per_run": 400})
    with shop.workspace.database.transaction() as sql:
        sql.exec_driver_sql("DELETE FROM campaigns WHERE version = 1")
    with pytest.raises(DamagedError, match='version 1 of campaign "hello" is gone from the database'):
        shop.workspace.campaigns.get("hello")
