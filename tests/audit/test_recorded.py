"""Whatever is changed has its entry, in the same transaction, and the entry says what a reader asks."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from accounts import BUYERS, NOW, Account
from audit.changes import AT, DONE, do_run, said
from export.sendable import RUN_ID, reserve

from workbench import proof, runs
from workbench.errors import DestinationError, InputError
from workbench.export.ledger import RequestState, RunState
from workbench.export.ledger import Run as Sent
from workbench.export.marks import Mark, Marks
from workbench.export.sandbox import Receiver, parse_answers
from workbench.store import tables
from workbench.store.audit import What
from workbench.store.ingest import import_list
from workbench.workspace import Workspace

WRITTEN = "%Y-%m-%dT%H:%M:%S.%fZ"


def test_every_kind_of_change_has_one_entry(lived: Account) -> None:
    """In order, by whom, each with the digest of the one before, as anybody can compute it."""
    assert said(lived.workspace) == DONE
    chain = lived.workspace.trail.check()
    assert (chain.entries, chain.faults) == (len(DONE), ())
    previous = "0" * 64
    for number, entry in enumerate(lived.workspace.trail.entries(), 1):
        assert (entry.number, entry.who, entry.previous) == (number, "tester", previous)
        assert AT - timedelta(minutes=10) < entry.at < datetime.now(UTC)
        at = entry.at.strftime(WRITTEN)
        details = json.dumps(entry.details, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        text = (
            f'{{"at":"{at}","details":{details},"number":{number},"previous":"{previous}",'
            f'"subject":"{entry.subject}","what":"{entry.what}","who":"tester"}}'
        )
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert entry.digest == previous
    assert chain.digest == previous


def last(workspace: Workspace) -> tuple[str, str, dict[str, Any]]:
    """The newest entry: what, to what, details."""
    (entry,) = workspace.trail.entries(limit=1)
    return entry.what, entry.subject, dict(entry.details)


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
    at = [f"{request.answered_at:{WRITTEN}}" for request in requests]
    answers = "".join(f'[{n},1,"{instant}","202"]\n' for n, instant in enumerate(at, 1))
    assert ended == {
        "state": "completed", "finished_at": f"{workspace.ledger.get(run).finished_at:{WRITTEN}}", "note_digest": None,
        "outcomes_digest": hashlib.sha256(lines.encode()).hexdigest(),
        "answers_digest": hashlib.sha256(answers.encode()).hexdigest(),
        "users": {"reserved": 0, "sent": 0, "accepted": 500, "rejected": 0, "unknown": 0},
    }  # fmt: skip


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
    (resumed,) = workspace.trail.entries(what=["run resumed"])
    assert dict(resumed.details) == {"after": "rejected given back"}
    assert resumed.told == "after rejected given back"
    (given,) = workspace.trail.entries(what=["rejected given back"])
    assert given.who == "tester"
    assert given.told.startswith(
        "requests 3, numbers 2-3, 5, because the event is planned now, state interrupted"
    )
    assert [entry.details["users"]["rejected"] for entry in workspace.trail.entries(what=["run ended"])] == [
        300,
        0,
    ]
    assert proof.verify(workspace, run).holds is True


def test_what_a_run_is_resumed_from(shop: Account, receiver: Receiver) -> None:
    """Broken off: its state before. Given back, also under another key: that; broken off after it: its state again."""
    workspace = shop.workspace
    receiver.play(parse_answers("ok, 503*2, ok, 400"))
    with pytest.raises(DestinationError):
        do_run(workspace)
    run = workspace.ledger.newest()[0].run_id
    runs.resume(workspace, run)
    runs.redrive(workspace, run, runs.rejected(workspace, run), now=AT)
    workspace.ledger.rekey(run, "0" * 64)
    receiver.play(parse_answers("503*2"))
    with pytest.raises(DestinationError):
        runs.resume(workspace, run)
    runs.resume(workspace, run)
    resumed = [dict(entry.details) for entry in workspace.trail.entries(what=["run resumed"])]
    assert resumed == [{"from": "interrupted"}, {"after": "rejected given back"}, {"from": "interrupted"}]


def test_a_stop_keeps_its_reason(account: Account) -> None:
    """In the note of the run and in the trail; asking again, or for what has ended, is no second entry."""
    reserve(account, 3)
    workspace = account.workspace
    assert runs.stop(workspace, RUN_ID, because="wrong text").note == "stopped by tester: wrong text"
    before: list[Sent] = []
    runs.stop(workspace, RUN_ID, because="again", already=before.append)
    assert [run.note for run in before] == ["stopped by tester: wrong text"]
    told = [(entry.what, dict(entry.details)) for entry in workspace.trail.entries(about=RUN_ID)]
    assert [what for what, _ in told] == ["run reserved", "run stopped", "run ended"]
    assert (told[1][1]["because"], told[1][1]["state"]) == ("wrong text", "stopping")
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


def test_no_person_and_no_secret_is_in_it(lived: Account) -> None:
    """Neither an address for alerts, nor key, secret, salt or e-mail address of anybody."""
    with lived.workspace.database.reading() as sql:
        text = repr(sql.exec_driver_sql("SELECT * FROM audit").all())
    for secret in ("s3cret", "json://", "test-key", "test-secret", "test-salt", "@example.com", "user_id"):
        assert secret not in text


def everything(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with workspace.database.reading() as sql:
        return {
            table.name: [tuple(row) for row in sql.execute(sa.select(table))]
            for table in tables.metadata.sorted_tables
        }


def marked(shop: Account, change: Callable[[Marks], object]) -> None:
    """Change a run as the process that holds it."""
    with shop.workspace.ledger.hold(RUN_ID) as held:
        change(Marks(held, RUN_ID))


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
        sql.exec_driver_sql("UPDATE runs SET state = 'interrupted'")
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


def test_entries_are_found(lived: Account) -> None:
    """By subject, by person, by word, by time, and the newest few; a campaign's runs come with it."""
    workspace = lived.workspace
    run = workspace.ledger.newest()[0].run_id
    assert said(workspace, about="hello") == [("campaign saved", "hello"), *DONE[15:]]
    assert said(workspace, about=run) == DONE[15:]
    assert said(workspace, what=["segment saved", "segment archived"]) == [DONE[1], DONE[3], DONE[4]]
    assert said(workspace, limit=2) == DONE[-2:]
    assert said(workspace, who="nobody") == []
    assert said(workspace, who="tester", since=workspace.trail.entries()[20].at) == DONE[20:]


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
