"""One ingest from end to end: codes, versions, and what a crash leaves behind."""

import sqlite3
import threading
from pathlib import Path

import pytest
from accounts import NOW, Account, people, purchases
from store.rows import rows, write

from workbench.errors import BusyError, IngestError, StoreError
from workbench.settings import Source
from workbench.store import engine
from workbench.store.ingest import Summary, ingest
from workbench.workspace import open_workspace

BUY = {"user_id": "1", "event": "Buy", "ts": "2026-06-30T12:00:00Z"}


def parquet(account: Account) -> set[Path]:
    """The files of the lake's folder."""
    return set(account.workspace.lake.directory.rglob("*.parquet"))


def known(account: Account) -> set[Path]:
    """The files of the newest version."""
    version = account.workspace.lake.at()
    return {version.lake / file.path for file in version.files}


def codes(account: Account) -> dict[str, int]:
    """Code by user id."""
    connection = account.workspace.lake.at().connect()
    found = engine.rows(connection, "SELECT user_id, user_code FROM users")
    connection.close()
    assert len({code for _, code in found}) == len(found)
    return dict(found)


def test_user_codes_are_dense_stable_and_unique(account: Account) -> None:
    """New users get the next codes in the order of their ids; a code never changes."""
    assert account.ingest("events", [{**BUY, "user_id": u} for u in ("c", "a", "b", "a")]).new_users == 3
    assert codes(account) == {"a": 0, "b": 1, "c": 2}
    assert account.ingest("profiles", [{"user_id": u} for u in ("z", "b", "A")]).new_users == 2
    assert codes(account) == {"a": 0, "b": 1, "c": 2, "A": 3, "z": 4}
    assert account.ingest("events", [{**BUY, "user_id": "y"}]).new_users == 1
    assert codes(account)["y"] == 5


def test_the_summary(account: Account) -> None:
    """Every number of a mixed ingest."""
    account.ingest("profiles", people(2))
    account.ingest("events", purchases(200))
    lines = (
        "".join(f"{n:05d},Purchase,2026-06-30T12:00:00Z,10\n" for n in range(150, 300))
        + "1,Purchase,never,10\n"
    )
    path = write(account, "a.csv", "user_id,event,ts,price\n" + lines)
    summary = account.ingest_file("events", path)
    assert summary == Summary(
        kind="events", read=151, added=100, duplicates=50, rejected=1, rejects_path=summary.rejects_path,
        reasons=(("ts: unreadable time (expected ISO 8601)", 1),), new_users=100, known_files=0,
        without_profile=298, version=3, recorded="now",
    )  # fmt: skip


class Stop(Exception):  # noqa: N818
    """Raised by a test in the middle of an ingest."""


def crash_at(step: tuple[str, int]):  # type: ignore[no-untyped-def]
    """A ``report`` that raises at a step."""

    def report(label: str, done: int, total: int) -> None:
        if (label, done) == step:
            raise Stop

    return report


@pytest.mark.parametrize("step", [("sorting", 0), ("sorting", 1), ("sorting", 2)])
def test_a_crash_before_the_commit_leaves_nothing(account: Account, step: tuple[str, int]) -> None:
    """The version, the codes and the answers are as before; the next ingest sweeps and takes the same file."""
    account.ingest("events", [BUY])
    path = write(account, "a.csv", "user_id,event,ts\n2,Buy,2026-06-30T12:00:00Z\n")
    workspace = account.workspace
    source = Source(kind="events")
    with pytest.raises(Stop):
        ingest(
            workspace.lake,
            workspace.settings,
            source,
            [str(path)],
            source_name="s",
            now=NOW,
            report=crash_at(step),
        )
    assert (workspace.lake.version(), len(rows(account)), codes(account)) == (1, 1, {"1": 0})
    assert list(workspace.lake.temporary.iterdir()) == []
    assert account.ingest_file("events", path).added == 1
    assert parquet(account) == known(account)
    assert codes(account) == {"1": 0, "2": 1}


def test_a_database_that_refuses_the_commit_leaves_nothing(account: Account) -> None:
    """The files were written and the rows of the version were not: nobody sees them, the next ingest sweeps."""
    account.ingest("events", [BUY])
    ledger = account.workspace.settings.directory / "ledger.db"
    with sqlite3.connect(ledger) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON ingests BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    with pytest.raises((StoreError, BusyError)):
        account.ingest("events", [{**BUY, "user_id": "2"}])
    assert (account.workspace.lake.version(), len(rows(account))) == (1, 1)
    assert parquet(account) > known(account)
    with sqlite3.connect(ledger) as connection:
        connection.execute("DROP TRIGGER full")
    connection.close()
    account.ingest("events", [{**BUY, "user_id": "2"}])
    assert parquet(account) == known(account)
    assert len(rows(account)) == 2


def test_what_a_killed_ingest_left_is_deleted(account: Account) -> None:
    """Staged people and unfinished files of a process that is gone do not stay on the disk."""
    lake = account.workspace.lake
    account.ingest("events", [BUY])
    left = lake.temporary / "ingest-left"
    left.mkdir()
    (left / "people.parquet").write_text("x")
    orphan = lake.new_path("events", "month=2026-01")
    orphan.write_text("half a file")
    account.ingest("events", [{**BUY, "user_id": "2"}])
    assert not left.exists()
    assert not orphan.exists()


def test_two_ingests_at_once(account: Account) -> None:
    """While one is at work the other is told so at once; nothing of either is lost."""
    first, second = (
        write(account, f"{n}.csv", f"user_id,event,ts\n{n},Buy,2026-06-30T12:00:00Z\n") for n in (1, 2)
    )
    at_work, told = threading.Event(), threading.Event()

    def report(label: str, done: int, total: int) -> None:
        if (label, done) == ("sorting", 1):
            at_work.set()
            assert told.wait(30)

    def work() -> None:
        mine = open_workspace(account.config)
        ingest(
            mine.lake,
            mine.settings,
            Source(kind="events"),
            [str(first)],
            source_name="s",
            now=NOW,
            report=report,
        )

    thread = threading.Thread(target=work)
    thread.start()
    assert at_work.wait(30)
    with pytest.raises(BusyError, match="another ingest or compaction is writing"):
        account.ingest_file("events", second)
    told.set()
    thread.join(30)
    account.ingest_file("events", second)
    assert [row["user_id"] for row in rows(account)] == ["1", "2"]


def test_an_ingest_from_another_machine_in_between(account: Account) -> None:
    """Where the lock does not reach, the version does: the later commit is refused and loses nothing."""
    lake = account.workspace.lake
    base = lake.at()
    account.ingest("events", [BUY])
    with pytest.raises(BusyError, match="another ingest finished first"), lake.database.transaction() as sql:
        lake.commit(sql, base=base.version, files=(), columns={}, now=NOW)
    assert lake.version() == 1


def test_an_input_that_vanishes_is_told_by_its_name(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be opened is an error of the input, not of the lake."""
    monkeypatch.chdir(account.home)
    path = write(account, "a.csv", "user_id,event,ts\n1,Buy,2026-06-30T12:00:00Z\n")
    workspace = account.workspace
    gone = threading.Event()

    def report(label: str, done: int, total: int) -> None:
        gone.set()

    (account.home / "b.csv").symlink_to(account.home / "nowhere.csv")
    with pytest.raises(IngestError, match="no file at"):
        ingest(
            workspace.lake,
            workspace.settings,
            Source(kind="events"),
            ["b.csv"],
            source_name="s",
            now=NOW,
            report=report,
        )
    assert not gone.is_set()
    assert account.ingest_file("events", path).added == 1
