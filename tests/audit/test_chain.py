"""The entries are a chain: tampering shows, two writers make one, and an older database begins it."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts import NOW, SETTINGS, Account, make_account
from audit.changes import AT, DONE, do_everything, do_run, said, unguarded

from workbench import proof, runs
from workbench.errors import InputError, StoreError
from workbench.export.sandbox import Receiver
from workbench.store import tables
from workbench.store.audit import GENESIS
from workbench.store.database import Database
from workbench.workspace import Workspace, open_workspace


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("number = 99 WHERE number = 23", "entries 23 to 98 are missing"),
        ("at = '2026-01-01T00:00:00.000000Z' WHERE number = 5", "entry 5 is not what was written"),
        ("at = 'never' WHERE number = 5", "entry 5 is not what was written"),
        ("who = 'somebody' WHERE number = 5", "entry 5 is not what was written"),
        ("what = 'campaign saved' WHERE number = 5", "entry 5 is not what was written"),
        ("subject = 'buyers' WHERE number = 5", "entry 5 is not what was written"),
        ("details = json_set(details, '$.version', 9) WHERE number = 5", "entry 5 is not what was written"),
        ("details = 'nonsense' WHERE number = 5", "entry 5 is not what was written"),
        ("previous = 'x' WHERE number = 5", "entry 5 does not follow entry 4"),
        (f"previous = '{'1' * 64}' WHERE number = 1", "entry 1 does not follow the beginning"),
        ("digest = 'x' WHERE number = 5", "entry 5 is not what was written"),
    ],
)
def test_a_changed_entry_is_found(lived: Account, change: str, fault: str) -> None:
    """Each field of an entry is in its digest."""
    unguarded(lived.workspace, f"UPDATE audit SET {change}")
    found = lived.workspace.trail.check()
    assert not found.holds
    assert found.faults[0] == fault


def test_a_missing_entry_is_found(lived: Account) -> None:
    """In the middle and at the beginning; at the end only with a digest that was kept elsewhere."""
    trail = lived.workspace.trail
    kept, middle = trail.check().digest, trail.entries()[9].digest
    assert trail.check(expect=middle).expected == 10
    unguarded(lived.workspace, "DELETE FROM audit WHERE number = 23")
    assert trail.check().holds
    assert trail.check(expect=middle).expected == 10
    assert trail.check(expect=kept).faults == (
        f"no entry has the digest {kept}: what was there was cut off or written anew",
    )
    unguarded(lived.workspace, "DELETE FROM audit WHERE number IN (7, 8)")
    assert trail.check().faults == ("entries 7 to 8 are missing",)
    unguarded(lived.workspace, "DELETE FROM audit WHERE number < 7")
    assert trail.check().faults == ("entries 1 to 8 are missing",)
    unguarded(lived.workspace, "DELETE FROM audit")
    assert trail.check().faults == ("entries from 1 on are missing",)
    for digest in ("abc", "G" * 64):
        with pytest.raises(InputError, match="is no digest"):
            trail.check(expect=digest)


REFUSED = "the audit trail is only ever appended to"


AGAINST = [
    ("UPDATE audit SET who = 'x' WHERE number = 1", REFUSED),
    ("DELETE FROM audit WHERE number = 1", REFUSED),
    ("INSERT INTO audit SELECT number + 5, at, who, what, subject, details, 'y', 'x' FROM audit WHERE number = 1",
     "an entry of the audit trail follows the newest one"),
    ("INSERT INTO audit SELECT number + 1, at, who, what, subject, details, 'y', 'x' FROM audit WHERE number = 1",
     "an entry of the audit trail follows the newest one"),
]  # fmt: skip


def check_refusals(database: Database, against: list[tuple[str, str]]) -> None:
    """The database itself refuses, and nothing is changed."""
    database.migrate()
    for statement, rule in against:
        with pytest.raises((StoreError, sa.exc.IntegrityError), match=rule), database.transaction() as sql:
            sql.exec_driver_sql(statement)
    with database.reading() as sql:
        assert sql.execute(sa.select(tables.audit.c.number, tables.audit.c.previous)).all() == [(1, GENESIS)]
    database.close()


def test_sqlite_lets_nobody_change_it(tmp_path: Path) -> None:
    """UPDATE, DELETE, an entry out of order, and REPLACE, which would remove without a removal."""
    replacing = "INSERT OR REPLACE INTO audit SELECT number, at, 'x', what, subject, details, previous, digest FROM audit"
    against = [*AGAINST, (replacing, "follows the newest one")]
    check_refusals(Database(f"sqlite:///{tmp_path / 'ledger.db'}"), against)


@pytest.mark.postgres
def test_postgres_lets_nobody_change_it(postgres_database: str) -> None:
    """The same, and TRUNCATE."""
    check_refusals(Database(postgres_database), [*AGAINST, ("TRUNCATE audit", REFUSED)])


WRITER = """
import sys
from datetime import UTC, datetime
from workbench.workspace import open_workspace
groups = open_workspace(sys.argv[1]).groups
for n in range(25):
    groups.flag(sys.argv[2], now=datetime.now(UTC))
    groups.unflag(sys.argv[2])
"""


def check_two_writers(home: Path, settings: str) -> None:
    """Two processes make 50 changes each at the same time: one chain of all, each process's own in its order."""
    account = make_account(home, settings)
    command = [sys.executable, "-c", WRITER, str(account.config)]
    writers = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    for writer in writers:
        _, told = writer.communicate(timeout=120)
        assert writer.returncode == 0, told
    workspace = account.workspace
    assert (workspace.trail.check().faults, workspace.trail.check().entries) == ((), 101)
    words = ["user flagged never in control", "user unflagged never in control"] * 25
    assert [what for what, _ in said(workspace, about="a")] == words
    assert [what for what, _ in said(workspace, about="b")] == words
    workspace.database.close()


def test_two_processes_write_one_chain_on_sqlite(tmp_path: Path) -> None:
    """Nothing is lost and nothing forks."""
    check_two_writers(tmp_path / "home", SETTINGS)


@pytest.mark.postgres
def test_two_processes_write_one_chain_on_postgres(tmp_path: Path, postgres_database: str) -> None:
    """The same where the server would let both append to the same entry."""
    check_two_writers(tmp_path / "home", SETTINGS + f'\n[store]\ndatabase = "{postgres_database}"\n')


@pytest.mark.postgres
def test_a_run_on_postgres(team: Account, receiver: Receiver) -> None:
    """The chain over every kind of change, and a run that agrees with it until a row is changed."""
    run = do_everything(team, receiver)
    assert said(team.workspace) == DONE
    assert team.workspace.trail.check().holds
    assert proof.verify(team.workspace, run).holds is True
    with team.workspace.database.transaction() as sql:
        sql.exec_driver_sql("UPDATE requests SET state = 'rejected' WHERE number = 1")
    assert proof.verify(team.workspace, run).holds is False


def test_a_campaign_that_was_changed_in_the_database_is_not_planned(shop: Account) -> None:
    """Its content has another digest than was saved: nothing is planned from it, nor from such a segment."""
    with shop.workspace.database.transaction() as sql:
        sql.exec_driver_sql("""UPDATE campaigns SET body = replace(body, '500', '900')""")
    with pytest.raises(StoreError, match='campaign "hello" version 1 is not what was saved'):
        runs.plan(shop.workspace, "hello", as_of=NOW)
    with shop.workspace.database.transaction() as sql:
        sql.exec_driver_sql("""UPDATE campaigns SET body = replace(body, '900', '500')""")
        sql.exec_driver_sql("""UPDATE segments SET body = replace(body, 'Purchase', 'Search')""")
    with pytest.raises(StoreError, match='segment "buyers" version 1 is not what was saved'):
        runs.plan(shop.workspace, "hello", as_of=NOW)


def before_the_trail(workspace: Workspace) -> None:
    """Take the database back to the version before the trail."""
    with workspace.database.transaction() as sql:
        sql.exec_driver_sql("DROP TABLE audit")
        for table, column in (("runs", "membership"), ("runs", "leaving_digest"), ("requests", "kind")):
            sql.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        if sql.dialect.name != "sqlite":
            sql.exec_driver_sql("DROP FUNCTION audit_only_appended, audit_in_order")
        sql.exec_driver_sql("UPDATE alembic_version SET version_num = '0005'")


def check_migration(shop: Account) -> None:
    """What was there before is counted; what is done to it afterwards is in the trail."""
    workspace = shop.workspace
    run = do_run(workspace)
    before_the_trail(workspace)
    workspace.database.migrate()
    (begun,) = workspace.trail.entries()
    assert (begun.what, begun.previous) == ("trail begun", "0" * 64)
    counted = {name: begun.details[name] for name in ("campaigns", "segments", "runs", "newest_run")}
    assert counted == {"campaigns": 1, "segments": 1, "runs": 1, "newest_run": 1}
    assert workspace.trail.check().holds
    found = proof.verify(workspace, run)
    assert found.holds is None
    assert {check.name: check.holds for check in found.checks if check.holds is not True} == {
        "as reserved": None, "as ended": None,
    }  # fmt: skip
    shop.save_campaign("second", "buyers", cap={"per_run": 100})
    later = runs.execute(workspace, runs.plan(workspace, "second", as_of=NOW, now=AT)).run.run_id
    assert proof.verify(workspace, later).holds is True


def test_an_older_database_begins_its_trail(shop: Account, receiver: Receiver) -> None:
    """On SQLite."""
    check_migration(shop)


@pytest.mark.postgres
def test_an_older_database_begins_its_trail_on_postgres(team: Account, receiver: Receiver) -> None:
    """On PostgreSQL."""
    check_migration(team)


def test_a_run_without_its_entries_is_found(shop: Account, receiver: Receiver) -> None:
    """A run that was written past the workbench has no entry; one of before the trail is told apart by its number."""
    workspace = shop.workspace
    run = do_run(workspace)
    unguarded(workspace, "DELETE FROM audit WHERE number > 3")
    answers = {check.name: check.holds for check in proof.verify(workspace, run).checks}
    assert (answers["audit trail"], answers["as reserved"], answers["as ended"]) == (True, False, None)


def test_a_broken_trail_is_found_by_a_run(shop: Account, receiver: Receiver) -> None:
    """Up to its own last entry it is wrong; behind it, whether an entry of the run is gone cannot be told."""
    run = do_run(shop.workspace)
    shop.save_campaign("other", "buyers")
    unguarded(shop.workspace, "UPDATE audit SET who = 'x' WHERE number = 7")
    found = proof.verify(shop.workspace, run)
    assert {check.name: check.holds for check in found.checks if not check.holds} == {"audit trail": None}
    assert found.checks[1].sentence == (
        "unbroken up to the run's last entry; whether one is gone since cannot be told: entry 7 is not what was written"
    )
    unguarded(shop.workspace, "UPDATE audit SET who = 'x' WHERE number = 2")
    found = proof.verify(shop.workspace, run)
    assert {check.name for check in found.checks if check.holds is False} == {"audit trail"}
    assert found.checks[1].sentence == "entry 2 is not what was written"


def test_a_dashboard_reads_the_trail(shop: Account) -> None:
    """Without the right to write."""
    dashboard = open_workspace(shop.config, read_only=True)
    assert dashboard.trail.check().holds
    dashboard.database.close()
