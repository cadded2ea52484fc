"""History: what it says of its days; its numbers are tested where they are counted."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from workbench.reach import History

LAST = datetime(2026, 7, 1, 2, tzinfo=UTC)


def told(*users: int) -> History:
    """A history of so many users a day, the last at 22:00 of 30 June in New York; one of two conditions holds all."""
    at = [LAST - timedelta(days=len(users) - 1 - n) for n in range(len(users))]
    rows = [
        row
        for instant, count in zip(at, users, strict=True)
        for row in ((instant, 0, 1, "did x", 50), (instant, 1, 0, "did x and did y", count))
    ]
    return History(
        name="asked", sentence="did x and did y", zone=ZoneInfo("America/New_York"), reconstructed=False, seconds=0.1,
        sizes=pl.DataFrame({"as_of": at, "everyone": [90] * len(at), "qualified": list(users)}),
        conditions=pl.DataFrame(rows, schema=["as_of", "place", "depth", "sentence", "users"], orient="row"),
    )  # fmt: skip


def test_days_are_those_of_the_account() -> None:
    """Two in the morning of 1 July in UTC is still 30 June in New York."""
    assert told(40, 30).by_day.rows() == [
        (date(2026, 6, 29), 40, None, 90), (date(2026, 6, 30), 30, -10, 90),
    ]  # fmt: skip
    assert told(40, 30).as_of == LAST


def test_the_extremes_are_the_earliest_of_equal_days() -> None:
    """20 comes twice, and so does 40."""
    found = told(30, 20, 40, 20, 40)
    assert (found.lowest, found.highest) == ((date(2026, 6, 27), 20), (date(2026, 6, 28), 40))


def test_the_ends_of_each_condition() -> None:
    """One did not move, the segment did."""
    assert told(40, 10, 30).ends.rows() == [
        (0, 1, "did x", 50, 50), (1, 0, "did x and did y", 40, 30),
    ]  # fmt: skip


def test_the_summary_compares_the_last_day_with_the_first() -> None:
    """No percentage of nobody, nothing to compare on a single day."""
    extremes = "lowest 30 on 2026-06-30, highest 40 on 2026-06-29"
    assert told(40, 30).summary == f"30 users on 2026-06-30, -10 (-25.0%) since 2026-06-29; {extremes}"
    assert told(0, 30).summary.startswith("30 users on 2026-06-30, +30 since 2026-06-29; lowest 0")
    assert told(9, 8, 9).summary.startswith("9 users on 2026-06-30, as many as on 2026-06-28; ")
    assert told(7).summary == "7 users on 2026-06-30"
