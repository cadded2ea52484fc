"""Whatever is changed has its entry, in the same transaction, and the entries are a chain that shows every tampering."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from accounts import BUYERS, NOW, SETTINGS, Account, make_account
from command_line import Run as Command
from export.sendable import RUN_ID, reserve

from workbench import proof, runs
from workbench.errors import DestinationError, InputError, StoreError
from workbench.export.ledger import RequestState, RunState
from workbench.export.marks import Mark, Marks
from workbench.export.sandbox import Receiver, parse_answers
from workbench.store import tables
from workbench.store.audit import GENESIS, What
from workbench.store.database import Database
from workbench.store.ingest import import_list
from workbench.workspace import Workspace, open_workspace

AT = datetime.now(UTC)
GUARDS = ("audit_not_changed", "audit_not_removed", "audit_in_order")


def said(workspace: Workspace, **filters: Any) -> list[tuple[str, str]]:
    """What was done, and to what."""
    return [(entry.what, entry.subject) for entry in workspace.trail.entries(**filters)]


def last(workspace: Workspace) -> tuple[str, str, dict[str, Any]]:
    """The newest entry: what, to what, details."""
    (entry,) = workspace.trail.entries(limit=1)
    return entry.what, entry.subject, dict(entry.details)


def unguarded(workspace: Workspace, *statements: str) -> None:
    """Change the table as somebody who may drop its triggers does."""
    with workspace.database.transaction() as sql:
        for guard in GUARDS:
            sql.exec_driver_sql(f"DROP TRIGGER IF EXISTS {guard}")
        for statement in statements:
            sql.exec_driver_sql(statement)


def everything(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with workspace.database.reading() as sql:
        return {
            table.name: [tuple(row) for row in sql.execute(sa.select(table))]
            for table in tables.metadata.sorted_tables
        }


def do_everything(shop: Account, receiver: Receiver) -> str:
    """Change whatever can be changed once; return the id of the run."""
    workspace = shop.workspace
    shop.save_segment("spare", BUYERS)
    workspace.segments.archive("spare", now=NOW)
    shop.save_campaign("other", "buyers", alert_to=["json://user:s3cret@127.0.0.1:9/"])
    workspace.campaigns.archive("other", now=NOW)
    (shop.home / "vips.csv").write_text("user_id\n00001\n00002\n", encoding="utf-8")
    import_list(workspace.lake, workspace.settings, "vips", str(shop.home / "vips.csv"), now=NOW)
    workspace.groups.add("system", 0.05, now=NOW)
    workspace.groups.add("vip", 0.03, custom=True, now=NOW)
    workspace.groups.remove("vip", now=NOW)
    workspace.groups.flag("00001", now=NOW)
    workspace.groups.unflag("00001")
    workspace.testers.add("00002", now=NOW)
    workspace.testers.remove("00002")
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW, now=AT))
    run = workspace.ledger.newest()[0].run_id
    receiver.play(parse_answers("ok, 400"))
    runs.resume(workspace, run)
    runs.redrive(workspace, run, runs.rejected(workspace, run), now=AT, because="the event is planned now")
    runs.stop(workspace, run, because="wrong text")
    return run


DONE = [
    ("trail begun", "trail"), ("segment saved", "buyers"), ("campaign saved", "hello"), ("segment saved", "spare"),
    ("segment archived", "spare"), ("campaign saved", "other"), ("campaign archived", "other"),
    ("list imported", "vips"), ("control group added", "system"), ("control group added", "vip"),
    ("control group removed", "vip"), ("user flagged never in control", "00001"),
    ("user unflagged never in control", "00001"), ("test profile flagged", "00002"),
    ("test profile unflagged", "00002"), ("run reserved", "hello-20260701T120000Z"),
    ("run started", "hello-20260701T120000Z"), ("run interrupted", "hello-20260701T120000Z"),
    ("run resumed", "hello-20260701T120000Z"), ("run ended", "hello-20260701T120000Z"),
    ("rejected given back", "hello-20260701T120000Z"), ("run stopped", "hello-20260701T120000Z"),
    ("run ended", "hello-20260701T120000Z"),
]  # fmt: skip


def test_every_kind_of_change_has_one_entry(shop: Account, receiver: Receiver) -> None:
    """In order, by whom, each with the digest of the one before, as anybody can compute it."""
    do_everything(shop, receiver)
    assert said(shop.workspace) == DONE
    chain = shop.workspace.trail.check()
    assert (chain.entries, chain.faults) == (len(DONE), ())
    previous = "0" * 64
    for number, entry in enumerate(shop.workspace.trail.entries(), 1):
        assert (entry.number, entry.who, entry.previous) == (number, "tester", previous)
        assert AT - timedelta(minutes=10) < entry.at < datetime.now(UTC)
        at = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        details = json.dumps(entry.details, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        text = (
            f'{{"at":"{at}","details":{details},"number":{number},"previous":"{previous}",'
            f'"subject":"{entry.subject}","what":"{entry.what}","who":"tester"}}'
        )
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert entry.digest == previous
    assert chain.digest == previous


def test_what_changed_is_told(shop: Account, receiver: Receiver) -> None:
    """Versions, digests before and after, the parts that differ, counts, and what a person said."""
    workspace = shop.workspace
    first = workspace.campaigns.get("hello").stored
    shop.save_campaign("hello", "buyers", control={"share": 0.2}, cap={"per_run": 500})
    second = workspace.campaigns.get("hello").stored
    assert last(workspace) == (
        "campaign saved", "hello",
        {"version": 2, "digest": second.digest, "before": first.digest, "changed": ["control"]},
    )  # fmt: skip
    shop.save_campaign("hello", "buyers", control={"share": 0.2}, cap={"per_run": 500})
    assert workspace.trail.check().entries == 4
    workspace.groups.add("system", 0.05, now=NOW)
    salt = hashlib.sha256(b"test-salt/group/system").hexdigest()
    assert last(workspace)[2] == {"kind": "system", "share": 0.05, "salt_digest": salt}
    run = do_run(workspace)
    reserved, _, ended = [entry.details for entry in workspace.trail.entries(about=run)]
    requests = workspace.ledger.requests(run)
    lines = "".join(
        f"{r.number} message {r.digest} {r.users} {r.batches} {r.offset} {r.length}\n" for r in requests
    )
    assert reserved["requests_digest"] == hashlib.sha256(lines.encode()).hexdigest()
    assert (reserved["campaign"], reserved["version"], reserved["campaign_digest"]) == (
        "hello",
        2,
        second.digest,
    )
    assert (reserved["lake_version"], reserved["environment"], reserved["receiver"]) == (
        2,
        "development",
        "localhost",
    )
    assert (reserved["qualified"], reserved["verdicts"]["send"], reserved["requests"]) == (1000, 500, 5)
    assert reserved["as_of"] == "2026-07-01T12:00:00.000000Z"
    lines = "".join(f"{request.number} accepted {request.digest}\n" for request in requests)
    assert ended == {
        "state": "completed", "outcomes_digest": hashlib.sha256(lines.encode()).hexdigest(),
        "users": {"reserved": 0, "sent": 0, "accepted": 500, "rejected": 0, "unknown": 0},
    }  # fmt: skip


def do_run(workspace: Workspace) -> str:
    """Send ``hello``; return the id of the run."""
    return runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW, now=AT)).run.run_id


def test_a_persons_reason_stays(shop: Account, receiver: Receiver) -> None:
    """Why requests were given back is in the trail after the run is complete, with who and how many."""
    workspace = shop.workspace
    receiver.play(parse_answers("ok, 400, 400, ok, 400"))
    run = do_run(workspace)
    chosen = runs.rejected(workspace, run)
    for reason in (" ", "two\nlines", "x" * 501):
        with pytest.raises(InputError, match="a reason has 1 to 500 printable characters"):
            runs.redrive(workspace, run, chosen, now=AT, because=reason)
    runs.redrive(workspace, run, chosen, now=AT, because="  the event is planned now ")
    assert (
        workspace.ledger.get(run).note
        == "rejected requests given back by tester: 3 (the event is planned now)"
    )
    assert runs.resume(workspace, run).run.note is None
    (given,) = workspace.trail.entries(what=["rejected given back"])
    assert (given.who, dict(given.details)) == (
        "tester", {"requests": 3, "numbers": "2-3, 5", "because": "the event is planned now"},
    )  # fmt: skip
    assert [entry.details["users"]["rejected"] for entry in workspace.trail.entries(what=["run ended"])] == [
        300,
        0,
    ]
    assert proof.verify(workspace, run).holds is True


def test_a_stop_keeps_its_reason(account: Account) -> None:
    """In the note of the run and in the trail; asking again, or for what has ended, is no second entry."""
    reserve(account, 3)
    workspace = account.workspace
    assert runs.stop(workspace, RUN_ID, because="wrong text").note == "stopped by tester: wrong text"
    runs.stop(workspace, RUN_ID, because="again")
    told = [(entry.what, dict(entry.details)) for entry in workspace.trail.entries(about=RUN_ID)]
    assert [what for what, _ in told] == ["run reserved", "run stopped", "run ended"]
    assert told[1][1] == {"because": "wrong text"}
    assert (told[2][1]["state"], told[2][1]["users"]["reserved"]) == ("stopped", 3)


def test_an_acceptance_after_the_end_supersedes_it(account: Account) -> None:
    """A process that had lost its hold records what arrived; the trail says so, and the ledger agrees with it."""
    reserve(account, 2)
    workspace = account.workspace
    with workspace.ledger.hold(RUN_ID) as held:
        marks = Marks(held, RUN_ID)
        marks.start()
        marks.tick([], room=1, now=AT)
        workspace.ledger.ask_to_stop(RUN_ID, "stopped")
        marks.conclude(RunState.STOPPED, now=AT)
        marks.rescue([Mark(number=1, state=RequestState.ACCEPTED)], AT)
    ended = [entry.details["users"] for entry in workspace.trail.entries(what=["run ended"])]
    assert [users["accepted"] for users in ended] == [0, 1]
    assert [users["unknown"] for users in ended] == [1, 0]


def test_another_key_is_told(shop: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on under another key is still the one that was reserved."""
    workspace = shop.workspace
    receiver.play(parse_answers("429*2"))
    with pytest.raises(DestinationError):
        do_run(workspace)
    run = workspace.ledger.newest()[0]
    with workspace.database.transaction() as sql:
        sql.execute(tables.runs.update().values(key_digest="another"))
    assert {check.name: check.holds for check in proof.verify(workspace, run.run_id).checks}[
        "as reserved"
    ] is False
    runs.resume(workspace, run.run_id)
    (changed,) = workspace.trail.entries(what=["run key changed"])
    assert dict(changed.details) == {"from": "another", "to": run.key_digest}
    assert proof.verify(workspace, run.run_id).holds is True


def test_no_person_and_no_secret_is_in_it(shop: Account, receiver: Receiver) -> None:
    """Neither an address for alerts, nor key, secret, salt or e-mail address of anybody."""
    do_everything(shop, receiver)
    with shop.workspace.database.reading() as sql:
        text = repr(sql.exec_driver_sql("SELECT * FROM audit").all())
    for secret in ("s3cret", "json://", "test-key", "test-secret", "test-salt", "@example.com", "user_id"):
        assert secret not in text


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
def test_a_changed_entry_is_found(shop: Account, receiver: Receiver, change: str, fault: str) -> None:
    """Each field of an entry is in its digest."""
    do_everything(shop, receiver)
    unguarded(shop.workspace, f"UPDATE audit SET {change}")
    found = shop.workspace.trail.check()
    assert not found.holds
    assert found.faults[0] == fault


def test_a_missing_entry_is_found(shop: Account, receiver: Receiver) -> None:
    """In the middle and at the beginning; at the end only with a digest that was kept elsewhere."""
    do_everything(shop, receiver)
    trail = shop.workspace.trail
    kept, middle = trail.check().digest, trail.entries()[9].digest
    assert trail.check(expect=middle).expected == 10
    unguarded(shop.workspace, "DELETE FROM audit WHERE number = 23")
    assert trail.check().holds
    assert trail.check(expect=middle).expected == 10
    assert trail.check(expect=kept).faults == (
        f"no entry has the digest {kept}: what was there was cut off or written anew",
    )
    unguarded(shop.workspace, "DELETE FROM audit WHERE number IN (7, 8)")
    assert trail.check().faults == ("entries 7 to 8 are missing",)
    unguarded(shop.workspace, "DELETE FROM audit WHERE number < 7")
    assert trail.check().faults == ("entries 1 to 8 are missing",)
    unguarded(shop.workspace, "DELETE FROM audit")
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


CHANGES: dict[str, Callable[[Account], object]] = {
    "reserved": lambda shop: do_run(shop.workspace),
    "segment": lambda shop: shop.save_segment("spare", BUYERS),
    "segment archived": lambda shop: shop.workspace.segments.archive("unused", now=NOW),
    "campaign": lambda shop: shop.save_campaign("hello", "buyers", cap={"per_run": 300}),
    "campaign archived": lambda shop: shop.workspace.campaigns.archive("hello", now=NOW),
    "group": lambda shop: shop.workspace.groups.add("vip", 0.03, custom=True, now=NOW),
    "group removed": lambda shop: shop.workspace.groups.remove("old", now=NOW),
    "flag": lambda shop: shop.workspace.groups.flag("00005", now=NOW),
    "unflag": lambda shop: shop.workspace.groups.unflag("00001"),
    "tester": lambda shop: shop.workspace.testers.add("00005", now=NOW),
    "tester removed": lambda shop: shop.workspace.testers.remove("00001"),
    "list": lambda shop: import_list(
        shop.workspace.lake, shop.workspace.settings, "vips", str(shop.home / "vips.csv"), now=NOW
    ),
    "key": lambda shop: shop.workspace.ledger.rekey(RUN_ID, "other"),
    "start": lambda shop: marked(shop, lambda marks: marks.start()),
    "end": lambda shop: marked(shop, lambda marks: marks.conclude(RunState.INTERRUPTED, now=AT)),
    "given back": lambda shop: marked(shop, lambda marks: marks.give_back([1], note="again")),
    "stop": lambda shop: shop.workspace.ledger.ask_to_stop(RUN_ID, "stopped"),
}  # fmt: skip


def marked(shop: Account, change: Callable[[Marks], object]) -> None:
    """Change a run as the process that holds it."""
    with shop.workspace.ledger.hold(RUN_ID) as held:
        change(Marks(held, RUN_ID))


def test_no_change_without_its_entry(shop: Account, receiver: Receiver) -> None:
    """Where the entry cannot be written nothing is: every table stays as it was, whatever was tried."""
    workspace = shop.workspace
    shop.save_segment("unused", BUYERS)
    workspace.groups.add("system", 0.05, now=NOW)
    workspace.groups.add("old", 0.03, custom=True, now=NOW)
    workspace.groups.flag("00001", now=NOW)
    workspace.testers.add("00001", now=NOW)
    (shop.home / "vips.csv").write_text("user_id\n00001\n", encoding="utf-8")
    reserve(shop, 2)
    with workspace.database.transaction() as sql:
        sql.exec_driver_sql("UPDATE requests SET state = 'rejected' WHERE number = 1")
        sql.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    before = everything(workspace)
    for name, change in CHANGES.items():
        with pytest.raises(Exception, match=r"no room|by others|by somebody else|another ingest"):
            change(shop)
        assert everything(workspace) == before, name
    with workspace.database.transaction() as sql:
        sql.exec_driver_sql("DROP TRIGGER full")
    for name, change in CHANGES.items():
        entries = workspace.trail.check().entries
        change(shop)
        assert workspace.trail.check().entries == entries + (3 if name == "reserved" else 1), name


def test_no_entry_without_its_change(shop: Account) -> None:
    """What the database refuses leaves no entry."""
    with shop.workspace.database.transaction() as sql:
        sql.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON requests BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(sa.exc.IntegrityError, match="no room"):
        reserve(shop, 2)
    assert said(shop.workspace) == DONE[:3]


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
    """Only up to its own last entry."""
    run = do_run(shop.workspace)
    shop.save_campaign("other", "buyers")
    unguarded(shop.workspace, "UPDATE audit SET who = 'x' WHERE number = 7")
    assert proof.verify(shop.workspace, run).holds is True
    unguarded(shop.workspace, "UPDATE audit SET who = 'x' WHERE number = 2")
    found = proof.verify(shop.workspace, run)
    assert {check.name for check in found.checks if check.holds is False} == {"audit trail"}
    assert found.checks[1].sentence == "entry 2 is not what was written"


def test_entries_are_found(shop: Account, receiver: Receiver) -> None:
    """By subject, by person, by word, by time, and the newest few; a campaign's runs come with it."""
    run = do_everything(shop, receiver)
    workspace = shop.workspace
    assert said(workspace, about="hello") == [("campaign saved", "hello"), *DONE[15:]]
    assert said(workspace, about=run) == DONE[15:]
    assert said(workspace, what=["segment saved", "segment archived"]) == [DONE[1], DONE[3], DONE[4]]
    assert said(workspace, limit=2) == DONE[-2:]
    assert said(workspace, who="nobody") == []
    assert said(workspace, who="tester", since=workspace.trail.entries()[20].at) == DONE[20:]


def test_the_command(run: Command, shop: Account, receiver: Receiver) -> None:
    """A table, JSON with which each digest can be computed again, and the errors of its options."""
    do_everything(shop, receiver)
    config = ("-c", shop.config)
    text = run("audit", *config, "--about", "hello")
    assert text.code == 0
    assert "the event is planned now" in text.out
    assert "campaign saved" in text.out
    shown = json.loads(run("audit", *config, "--json", "--limit", "2").out)
    assert [entry["what"] for entry in shown] == ["run stopped", "run ended"]
    for entry in shown:
        digest = entry.pop("digest")
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == digest
    assert run("audit", *config, "--about", "nothing").out == "no such entries\n"
    wrong = run("audit", *config, "--what", "run reservd")
    assert (wrong.code, 'Did you mean "run reserved"' in wrong.err) == (3, True)
    assert run("audit", *config, "--since", "yesterday").code == 3
    assert len(json.loads(run("audit", *config, "--json", "--since", "2026-01-01").out)) == len(DONE)
    assert json.loads(run("audit", *config, "--json", "--since", "2999-01-01T00:00:00Z").out) == []
    assert run("audit", *config, "--expect", "0" * 64).code == 3
    assert run("audit", *config, "--check", "--who", "tester").code == 3


def test_the_check_command(run: Command, shop: Account) -> None:
    """0 and the digest to keep, or 4 and what is wrong."""
    config = ("-c", shop.config)
    found = run("audit", "--check", *config)
    kept = shop.workspace.trail.check().digest
    assert found.code == 0
    assert found.out.splitlines()[1] == kept
    shop.save_campaign("other", "buyers")
    again = run("audit", "--check", "--expect", kept, *config)
    assert (again.code, "the digest is that of entry 3" in again.out) == (0, True)
    unguarded(shop.workspace, "DELETE FROM audit WHERE number > 2")
    assert run("audit", "--check", *config).code == 0
    cut = run("audit", "--check", "--expect", kept, "--json", *config)
    assert (cut.code, json.loads(cut.out)["holds"]) == (4, False)
    assert f"no entry has the digest {kept}" in cut.err


def test_a_damaged_entry_is_told(run: Command, shop: Account) -> None:
    """A list with an entry that cannot be read is an error, not a trace."""
    unguarded(shop.workspace, "UPDATE audit SET at = 'never' WHERE number = 2")
    found = run("audit", "-c", shop.config)
    assert found.code == 4
    assert "entry 2 of the audit trail cannot be read; see workbench audit --check" in found.err


def test_the_details_in_one_line(shop: Account) -> None:
    """Words for people; digests by their beginning, what is zero left out."""
    entry = replace(shop.workspace.trail.entries()[0], details={
        "version": 2, "salt_digest": "ab" * 32, "changed": ["cap", "name"], "users": {"sent": 0, "accepted": 5}, "share": 0.05,
    })  # fmt: skip
    assert (
        entry.told == "version 2, salt digest abababababab…, changed cap name, users (accepted 5), share 0.05"
    )


def test_the_words_are_pinned() -> None:
    """They are in databases for good: a word is added, never renamed."""
    assert {word for word, _ in DONE} | {"run key changed", "run settled"} == {word.value for word in What}


def test_a_dashboard_reads_the_trail(shop: Account) -> None:
    """Without the right to write."""
    dashboard = open_workspace(shop.config, read_only=True)
    assert dashboard.trail.check().holds
    dashboard.database.close()
