"""A compaction moves rows into fewer files and changes no answer, whatever happens around it."""

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from accounts import BUYERS, NOW, SETTINGS, Account, make_account
from store.rows import write

from workbench.errors import BusyError, StoreError
from workbench.export.ledger import Run, RunState
from workbench.segments import codec
from workbench.settings import Source
from workbench.store import engine
from workbench.store.compact import Compacted, compact
from workbench.store.ingest import import_list, ingest
from workbench.store.lake import VIEWS, LakeVersion
from workbench.store.layout import parts
from workbench.store.reader import Reader, stream
from workbench.store.sweep import sweep
from workbench.workspace import open_workspace

DAY = timedelta(days=1)
BUY = {"user_id": "b", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "price": 5}
WEEK = codec.from_json({"name": "s", "condition": {**BUYERS, "events": ["Buy"]}})


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


@pytest.fixture
def crowded(account: Account) -> Account:
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
    assert (before.recorded_until, after.recorded_until) == (NOW, NOW)
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


def test_an_old_version_is_read_for_the_kept_days(account: Account) -> None:
    """Seven days by default; then the next writer deletes the files, and the version says so."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    lake = account.workspace.lake
    old = lake.at()
    rows = contents(old)
    merged(account, NOW)
    account.ingest("events", [{**BUY, "user_id": "3"}], now=NOW + 7 * DAY - timedelta(microseconds=1))
    assert contents(lake.at(2)) == rows
    assert lake.oldest() == 0
    account.ingest("events", [{**BUY, "user_id": "4"}], now=NOW + 7 * DAY)
    for version in (1, 2):
        with pytest.raises(StoreError) as caught:
            lake.at(version)
        assert str(caught.value) == (
            f"lake version {version} was compacted away on 2026-07-08; the oldest that can be read is 3"
        )
    assert lake.oldest() == 3
    assert len(contents(lake.at(3))["events"]) == 2
    assert len(contents(lake.at())["events"]) == 4
    assert on_disk(account) == known(account)
    with pytest.raises(StoreError, match="cannot be read"):
        old.connect()


@pytest.mark.postgres
def test_versions_go_alike_beside_postgres(tmp_path: Path, postgres_database: str) -> None:
    """Merge, keep, delete, and the sentence of the version that is gone."""
    settings = SETTINGS + f'\n[store]\ndatabase = "{postgres_database}"\n'
    account = make_account(tmp_path / "home", settings)
    lake = account.workspace.lake
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    rows = contents(lake.at())
    merged(account, NOW)
    assert contents(lake.at()) == contents(lake.at(2)) == rows
    sweep(lake, now=NOW + 7 * DAY, keep_days=7)
    with pytest.raises(StoreError, match="lake version 2 was compacted away on 2026-07-08"):
        lake.at(2)
    assert contents(lake.at()) == rows
    assert on_disk(account) == known(account)
    account.workspace.database.close()


def test_the_kept_days_are_a_setting(tmp_path: Path) -> None:
    """One day."""
    account = make_account(tmp_path / "home", SETTINGS + "\n[store]\nkeep_removed_days = 1\n")
    for user in "ab":
        account.ingest("events", [{**BUY, "user_id": user}])
    merged(account, NOW)
    assert len(on_disk(account)) == 6
    account.ingest("events", [{**BUY, "user_id": "c"}], now=NOW + DAY)
    assert on_disk(account) == known(account)


def test_a_run_that_is_not_complete_keeps_its_version(account: Account) -> None:
    """The files that a run reads stay, however old; those that none reads go. With the run's end all go."""
    lake = account.workspace.lake
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    merged(account, NOW)
    account.ingest("events", [{**BUY, "user_id": "3"}])
    merged(account, NOW)
    reserve(account, lake_version=2)
    sweep(lake, now=NOW + 30 * DAY, keep_days=7)
    assert len(contents(lake.at(2))["events"]) == 2
    with pytest.raises(StoreError, match=r"lake version 3 was compacted away on 2026-07-31; .* read is 5"):
        lake.at(3)
    with lake.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE runs SET finished_at = '2026-08-01T00:00:00.000000Z'")
    sweep(lake, now=NOW + 31 * DAY, keep_days=7)
    with pytest.raises(StoreError, match="lake version 2 was compacted away on 2026-08-01"):
        lake.at(2)
    assert on_disk(account) == known(account)


def reserve(account: Account, lake_version: int) -> None:
    """Record a run that was reserved and sent nothing yet."""
    run = Run(
        run_id="r-1", campaign_id="r", campaign_version=1, occurrence=NOW, as_of=NOW,
        lake_version=lake_version, environment="development", state=RunState.RUNNING, audience_path="a",
        audience_digest="d", bodies_path="b", receiver="localhost", key_digest="k", salt_digest="s",
        qualified=0, verdicts=[], created_at=NOW, created_by="t",
    )  # fmt: skip
    assert account.workspace.ledger.reserve(run, []) == "done"


def test_a_reader_in_the_middle_is_not_disturbed(account: Account) -> None:
    """It has the first batch, the files are merged and swept; it reads on to the last row, and asks again."""
    for part in range(4):
        account.ingest("events", [{**BUY, "user_id": f"{part}-{n:04d}"} for n in range(2000)])
    reader = Reader(account.workspace.lake.at())
    with reader.cursor() as cursor:
        batches = stream(cursor, "SELECT user_code FROM events", {}, rows=100)
        first = next(batches)
        worker = threading.Thread(target=merged, args=(account, NOW))
        worker.start()
        worker.join(60)
        assert account.workspace.lake.version() == 5
        account.ingest("events", [{**BUY, "user_id": "late"}], now=NOW + 6 * DAY)
        codes = first["user_code"].to_pylist() + [
            code for batch in batches for code in batch["user_code"].to_pylist()
        ]
    assert sorted(codes) == list(range(8000))
    with reader.cursor() as cursor:
        assert engine.rows(cursor, "SELECT count(DISTINCT user_code), sum(p_price) FROM events") == [
            (8000, 40000.0)
        ]
    reader.close()


def test_readers_ask_while_files_are_merged(account: Account) -> None:
    """Three threads ask the newest version over and over, through ingests and compactions: no error, no row lost."""
    account.ingest("events", [BUY])
    done, wrong = threading.Event(), []

    def ask() -> None:
        mine = open_workspace(account.config)
        least = 0
        try:
            while not done.is_set():
                found = len(contents(mine.lake.at())["events"])
                if found < least:
                    wrong.append((found, least))
                least = found
        except Exception as error:
            wrong.append(error)
        finally:
            mine.database.close()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(4):
        account.ingest("events", [{**BUY, "user_id": f"u{n}"}])
        merged(account)
    done.set()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(contents(account.workspace.lake.at())["events"]) == 5


def test_an_ingest_meanwhile_is_told(crowded: Account) -> None:
    """While files are merged an ingest is refused at once, and goes through afterwards; nothing is lost."""
    at_work, told = threading.Event(), threading.Event()

    def report(label: str, done: int, total: int) -> None:
        at_work.set()
        assert told.wait(30)

    def work() -> None:
        mine = open_workspace(crowded.config)
        compact(mine.lake, mine.settings, now=NOW + 2 * DAY, report=report)
        mine.database.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert at_work.wait(30)
    with pytest.raises(BusyError):
        crowded.ingest("events", [{**BUY, "user_id": "z"}])
    with pytest.raises(BusyError):
        merged(crowded)
    told.set()
    thread.join(60)
    crowded.ingest("events", [{**BUY, "user_id": "z"}])
    assert len(contents(crowded.workspace.lake.at())["events"]) == 7


def test_an_ingest_from_elsewhere_wins(crowded: Account) -> None:
    """Where the lock does not reach, the later commit is refused: the merged files go, the new rows stay."""
    lake = crowded.workspace.lake

    def report(label: str, done: int, total: int) -> None:
        if done:
            with lake.database.transaction() as connection:
                newest = connection.exec_driver_sql("SELECT max(version) FROM lake_versions").scalar_one()
                if newest == 11:
                    lake.commit(connection, base=11, files=(), columns={}, now=NOW)

    with pytest.raises(BusyError, match="another ingest finished first"):
        compact(lake, crowded.workspace.settings, now=NOW, report=report)
    assert files(lake.at())["events", "2026-06"] == 3
    merged(crowded)
    assert files(lake.at())["events", "2026-06"] == 1


KILLED = """
import sys
from datetime import UTC, datetime
from workbench.store.compact import compact
from workbench.workspace import open_workspace

def report(label, done, total):
    if done:
        print("one file is written", flush=True)
        sys.stdin.readline()

workspace = open_workspace(sys.argv[1])
compact(workspace.lake, workspace.settings, now=datetime(2026, 7, 3, 12, tzinfo=UTC), report=report)
"""


def test_a_killed_compaction_leaves_the_lake_as_it_was(crowded: Account) -> None:
    """The process dies between two files: the version and its rows stay, the next writer sweeps and merges."""
    lake = crowded.workspace.lake
    before, there = lake.at(), on_disk(crowded)
    rows = contents(before)
    command = [sys.executable, "-c", KILLED, str(crowded.config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "one file is written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert lake.at().files == before.files
    assert contents(lake.at()) == rows
    assert len(on_disk(crowded) - there) == 1
    assert [path.name[:7] for path in lake.temporary.iterdir()] == ["ingest-"]
    merged(crowded, NOW + 2 * DAY)
    assert on_disk(crowded) == known(crowded) | {lake.directory / file.path for file in before.files}
    assert list(lake.temporary.iterdir()) == []
    assert contents(lake.at()) == rows


def test_a_damaged_file_is_not_merged(crowded: Account) -> None:
    """A file that was cut, or spoilt within its size: an error, no new version, nothing left behind."""
    lake = crowded.workspace.lake
    before, there = lake.at(), on_disk(crowded)
    path = Path(before.paths("events")[-1])
    whole = path.read_bytes()
    for damaged in (whole[:-10], whole[:4] + b"\xff" * (len(whole) - 600) + whole[-596:]):
        path.write_bytes(damaged)
        with pytest.raises(StoreError):
            merged(crowded)
        assert lake.at().files == before.files
        assert on_disk(crowded) == there
        assert list(lake.temporary.iterdir()) == []


def test_a_file_with_fewer_rows_than_noted_is_not_merged(account: Account) -> None:
    """The lake's own count is compared before anything is replaced."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    with account.workspace.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE lake_files SET row_count = 2 WHERE kind = 'events' AND added = 2")
    account = make_account(account.home)
    with pytest.raises(StoreError, match="the files of events 2026-06 do not hold what the lake says"):
        merged(account)
    assert on_disk(account) == known(account)


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
