"""A compaction moves rows into fewer files and changes no answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from accounts import BUYERS, NOW, SETTINGS, Account, make_account
from store.crowded import BUY, DAY, contents, crowd_up, files, known, merged, on_disk
from store.rows import write

from workbench.segments import codec
from workbench.settings import Source
from workbench.store.compact import Compacted
from workbench.store.ingest import ingest

WEEK = codec.from_json({"name": "s", "condition": {**BUYERS, "events": ["Buy"]}})


@pytest.fixture
def crowded(account: Account) -> Account:
    """The account with many small files."""
    crowd_up(account)
    return account


def test_every_row_of_every_view_stays(crowded: Account) -> None:
    """Users, events, all versions of profiles and devices, and lists: the same rows, from one file each."""
    before = crowded.workspace.lake.at()
    assert files(before) == {
        ("devices", ""): 3, ("events", "2026-05"): 2, ("events", "2026-06"): 3, ("lists", ""): 2,
        ("profiles", ""): 2, ("users", ""): 3,
    }  # fmt: skip
    found = merged(crowded, NOW + 2 * DAY)
    after = crowded.workspace.lake.at()
    assert files(after) == {
        ("devices", ""): 1, ("events", "2026-05"): 1, ("events", "2026-06"): 1, ("lists", ""): 2,
        ("profiles", ""): 1, ("users", ""): 1,
    }  # fmt: skip
    rows = contents(after)
    assert rows == contents(before)
    assert {view: len(found) for view, found in rows.items()} == {
        "users": 4, "events": 6, "profile_versions": 5, "device_versions": 4, "lists": 3,
    }  # fmt: skip
    assert (before.version, found.version, after.version) == (11, 12, 12)
    assert [(item.kind, item.month, item.rows, item.files_before) for item in found.merged] == [
        ("devices", "", 4, 3), ("events", "2026-05", 2, 2), ("events", "2026-06", 4, 3),
        ("profiles", "", 5, 2), ("users", "", 4, 3),
    ]  # fmt: skip
    assert sum(item.bytes_after for item in found.merged) == sum(
        file.bytes for file in after.files if file.kind != "lists"
    )


def test_the_catalogue_stays(crowded: Account) -> None:
    """Rows by event, properties of each event, types, lists, the span, and the facts of the files."""
    before = crowded.workspace.lake.at()
    merged(crowded, NOW + 2 * DAY)
    after = crowded.workspace.lake.at()
    assert replace(after.catalogue, version=before.version) == before.catalogue
    named = {
        name: (item.rows, sorted(item.properties))
        for name, item in after.catalogue.events.items()
        if item.rows
    }
    assert named == {
        "Add": (2, ["tags"]), "Buy": (3, ["price"]), "View": (1, ["Colour", "price"]),
    }  # fmt: skip
    assert after.catalogue.first_ts == datetime(2026, 5, 2, tzinfo=UTC)
    assert after.catalogue.last_ts == datetime(2026, 6, 30, 12, tzinfo=UTC)
    assert (before.reconstructed, after.reconstructed) == (True, True)
    recorded = [{f.contents["latest"] for f in at.files if f.kind == "events"} for at in (before, after)]
    assert [max(found) for found in recorded] == ["2026-07-01T12:00:00+00:00"] * 2
    held = {(f.kind, f.contents.get("event_ids"), f.contents.get("one_each")) for f in after.files}
    assert held == {
        ("devices", None, None), ("events", True, None), ("events", False, None), ("lists", None, None),
        ("profiles", None, False), ("users", None, None),
    }  # fmt: skip


def test_facts_are_those_of_all_rows(account: Account) -> None:
    """Two loads of profiles without a second version: single before, and in one file."""
    account.ingest("profiles", [{"user_id": u} for u in "ab"])
    account.ingest("profiles", [{"user_id": "c"}], now=NOW)
    merged(account, NOW)
    (file,) = [file for file in account.workspace.lake.at().files if file.kind == "profiles"]
    assert {name: file.contents[name] for name in ("latest", "codes", "one_each", "reconstructed")} == {
        "latest": "2026-07-01T12:00:00+00:00", "codes": [0, 2], "one_each": True, "reconstructed": True,
    }  # fmt: skip
    version = account.workspace.lake.at()
    assert [version.single_profiles(NOW - at) for at in (DAY, timedelta())] == [False, True]


def test_a_merged_file_is_sorted(crowded: Account) -> None:
    """As an ingest writes it: events by name, time and user, the others by user; late rows in their places."""
    merged(crowded, NOW + 2 * DAY)
    version = crowded.workspace.lake.at()

    def rows(kind: str, columns: str, month: str = "") -> list[tuple[Any, ...]]:
        (path,) = [path for path in version.paths(kind) if month in path]
        with duckdb.connect() as connection:
            return connection.sql(f"SELECT {columns} FROM read_parquet('{path}')").fetchall()

    assert rows("events", "event, strftime(ts AT TIME ZONE 'UTC', '%d'), user_code", "2026-06") == [
        ("Add", "29", 2), ("Buy", "01", 0), ("Buy", "30", 1), ("View", "10", 1),
    ]  # fmt: skip
    assert rows("users", "user_code, user_id") == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    assert rows("profiles", "user_code, p_plan, p_age") == [
        (0, "free", None), (1, "paid", None), (1, "free", None), (2, "free", None), (3, None, 5.0),
    ]  # fmt: skip
    assert rows("devices", "user_code, device_id, p_os") == [
        (0, "9", None), (1, "1", "Android"), (1, "1", "iOS"), (1, "2", "iOS"),
    ]  # fmt: skip


def test_answers_stay(crowded: Account) -> None:
    """A segment asked at both versions, from what a process keeps and from the files."""
    workspace, lake = crowded.workspace, crowded.workspace.lake
    before = lake.at()
    asked = [workspace.ask(WEEK, before, NOW).users["user_code"].to_list()]
    merged(crowded, NOW + 2 * DAY)
    asked += [workspace.ask(WEEK, lake.at(), NOW).users["user_code"].to_list()]
    asked += [workspace.ask(WEEK, lake.at(before.version), NOW).users["user_code"].to_list()]
    assert asked == [[1], [1], [1]]


def test_nothing_to_merge_makes_no_version(crowded: Account) -> None:
    """A second compaction, and one of an empty lake, write nothing."""
    merged(crowded, NOW + 2 * DAY)
    there = on_disk(crowded)
    assert merged(crowded, NOW + 3 * DAY) == Compacted(version=12, merged=())
    assert on_disk(crowded) == there
    empty = make_account(crowded.home.parent / "empty")
    assert merged(empty) == Compacted(version=0, merged=())


def test_rows_that_came_before_are_known_after(account: Account) -> None:
    """Content identity and event_id are found in the merged file; a later and an older row are added."""
    rows = [BUY, {**BUY, "event_id": "e1"}, BUY]
    account.ingest("events", rows)
    account.ingest("events", [{**BUY, "ts": "2026-06-20T00:00:00Z"}])
    merged(account)
    again = account.ingest("events", [*rows, {**BUY, "ts": "2026-06-20T00:00:00Z", "note": None}])
    assert (again.added, again.duplicates) == (0, 4)
    late = account.ingest("events", [{**BUY, "ts": f"2026-06-{day}T00:00:00Z"} for day in ("01", "25")])
    assert (late.added, late.duplicates) == (2, 0)
    assert files(account.workspace.lake.at())["events", "2026-06"] == 2
    assert merged(account).merged[0].rows == 6


def test_a_file_that_was_read_before_is_known_after(account: Account) -> None:
    """By its digest, before it is opened."""
    path = write(account, "a.csv", "user_id,event,ts\n1,Buy,2026-06-30T12:00:00Z\n")
    account.ingest_file("events", path)
    account.ingest("events", [BUY])
    merged(account)
    assert account.ingest_file("events", path).known_files == 1


def crowd(account: Account, times: int) -> None:
    """One event of a new user, so many times."""
    for n in range(times):
        account.ingest("events", [{**BUY, "user_id": f"u{n:02d}"}])


def test_an_ingest_merges_where_there_are_too_many(tmp_path: Path) -> None:
    """With at most three files a part, the fourth ingest merges, as a version of its own after its rows'."""
    account = make_account(tmp_path / "home", SETTINGS + "\n[store]\ncompact_files = 3\n")
    crowd(account, 3)
    assert account.workspace.lake.version() == 3
    summary = account.ingest("events", [{**BUY, "user_id": "z"}])
    assert (summary.version, summary.added, summary.merged, summary.not_merged) == (4, 1, 8, None)
    lake = account.workspace.lake
    assert files(lake.at(4)) == {("events", "2026-06"): 4, ("users", ""): 4}
    assert (lake.version(), files(lake.at())) == (5, {("events", "2026-06"): 1, ("users", ""): 1})
    assert len(contents(lake.at())["events"]) == 4


def test_zero_means_never(tmp_path: Path) -> None:
    """The setting switches it off."""
    account = make_account(tmp_path / "home", SETTINGS + "\n[store]\ncompact_files = 0\n")
    crowd(account, 18)
    assert files(account.workspace.lake.at())["events", "2026-06"] == 18


def test_sixteen_files_are_few(account: Account) -> None:
    """By default the seventeenth makes it one."""
    crowd(account, 17)
    assert files(account.workspace.lake.at(16))["events", "2026-06"] == 16
    assert files(account.workspace.lake.at())["events", "2026-06"] == 1


def test_an_ingest_whose_compaction_fails_is_an_ingest(tmp_path: Path) -> None:
    """An older file is cut after the commit: the rows are in, the summary says why nothing was merged."""
    account = make_account(tmp_path / "home", SETTINGS + "\n[store]\ncompact_files = 1\n")
    crowd(account, 1)
    lake = account.workspace.lake
    (old,) = map(Path, lake.at().paths("events"))

    def report(label: str, done: int, total: int) -> None:
        if label == "compacting":
            old.write_bytes(old.read_bytes()[:-10])

    path = write(account, "b.csv", "user_id,event,ts\nz,Buy,2026-06-05T00:00:00Z\n")
    summary = ingest(
        lake, account.workspace.settings, Source(kind="events"), [str(path)],
        source_name="s", now=NOW, report=report,
    )  # fmt: skip
    assert (summary.version, summary.added, summary.merged) == (2, 1, 0)
    assert summary.not_merged is not None
    assert "is damaged" in summary.not_merged
    assert lake.version() == 2
    assert on_disk(account) == known(account)
