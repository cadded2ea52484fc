"""The workbench's own events: split by month, tallied where frequent, all of a batch or nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from accounts import NOW, Account, people

from workbench.errors import StoreError
from workbench.store import own, tallies

JUNE, JULY = datetime(2026, 6, 30, 23, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def batch(path: Path, users: int, instants: list[datetime]) -> own.Batch:
    """A batch of one event a user; the instants take turns."""
    codes = pl.int_range(users, eager=True).cast(pl.UInt32)
    pl.DataFrame(
        {
            "user_code": codes, "user_id": codes.cast(pl.String), "kept": [True] * users,
            "send_at": pl.Series([instants[n % len(instants)] for n in range(users)], dtype=pl.Datetime("us", "UTC")),
        }
    ).write_parquet(path)  # fmt: skip
    return own.Batch(
        name="b-1", event="Control Group", path=path, where="kept", rows=users,
        properties={"Run ID": "$batch"}, parameters={},
    )  # fmt: skip


def test_each_month_is_a_file(account: Account, tmp_path: Path) -> None:
    """Users of two instants around midnight: a file in each month, in the order of an ingest, marked as own."""
    account.ingest("profiles", people(5))
    lake = account.workspace.lake
    made = batch(tmp_path / "a.parquet", 5, [JULY, JUNE])
    with lake.writing():
        assert own.write(lake, made, now=NOW, memory="200MB") == 5
        assert own.write(lake, made, now=NOW, memory="200MB") == 0
    files = [file for file in lake.at().files if file.kind == "events"]
    found = {
        file.path.split("/")[1]: (file.rows, file.contents["own"], file.contents["latest"]) for file in files
    }
    assert found == {
        "month=2026-06": (2, True, "2026-07-01T12:00:00+00:00"),
        "month=2026-07": (3, True, "2026-07-01T12:00:00+00:00"),
    }
    assert own.is_written(lake, "b-1")
    assert not own.is_written(lake, "b-2")


def test_frequent_ones_are_tallied(account: Account, tmp_path: Path) -> None:
    """As those of an ingest: 100,000 rows or more."""
    lake = account.workspace.lake
    with lake.writing():
        own.write(lake, batch(tmp_path / "a.parquet", 100_000, [JULY]), now=NOW, memory="200MB")
    (file,) = [file for file in lake.at().files if file.kind == tallies.KIND]
    counts = tallies.read(lake.directory / file.path, file.contents["tallies"], "Control Group")
    assert (len(counts), int(counts.sum()), int(counts.max())) == (100_000, 100_000, 1)


def test_fewer_users_than_counted_are_refused(account: Account, tmp_path: Path) -> None:
    """The count comes from elsewhere; nothing is written, and no file stays."""
    lake = account.workspace.lake
    made = replace(batch(tmp_path / "a.parquet", 3, [JULY]), rows=4)
    with lake.writing(), pytest.raises(StoreError, match="of b-1 holds 3 users of the 4 that were counted"):
        own.write(lake, made, now=NOW, memory="200MB")
    assert lake.version() == 0
    assert not own.is_written(lake, "b-1")
    assert list(lake.directory.rglob("*.parquet")) == []


def test_a_batch_of_nobody_makes_no_version(account: Account, tmp_path: Path) -> None:
    """It is noted, so that nobody looks at it again."""
    lake = account.workspace.lake
    made = replace(batch(tmp_path / "a.parquet", 0, [JULY]), rows=0)
    with lake.writing():
        assert own.write(lake, made, now=NOW, memory="200MB") == 0
    assert lake.version() == 0
    assert own.is_written(lake, "b-1")
