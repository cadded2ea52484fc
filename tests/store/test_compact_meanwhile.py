"""What happens while files are merged: readers, ingests, a kill, a damaged file."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from accounts import NOW, Account, make_account
from store.crowded import BUY, DAY, contents, crowd_up, files, known, merged, on_disk

from workbench.errors import BusyError, StoreError
from workbench.store import engine
from workbench.store.compact import compact
from workbench.store.reader import Reader, stream
from workbench.workspace import open_workspace


@pytest.fixture
def crowded(account: Account) -> Account:
    """The account with many small files."""
    crowd_up(account)
    return account


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
