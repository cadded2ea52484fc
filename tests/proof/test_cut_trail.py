"""What a trail that was cut, written anew, or begun by an older workbench still says of a run."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from accounts import Account
from audit.changes import do_run, unguarded
from proof.tampering import Tampered

from workbench import proof
from workbench.export.sandbox import Receiver
from workbench.store.audit import GENESIS, entry_digest, text

RESERVED, ENDED = "as reserved", "as ended"
# What entries have had since; those of before are in databases for good.
SINCE = {"number", "audience_path", "bodies_path", "finished_at", "note_digest", "answers_digest"}


def written_anew(tampered: Tampered, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Write the whole trail as one chain, with other details, and without the entries that have none."""
    entries = tampered.account.workspace.trail.entries()
    previous, number = GENESIS, 0
    tampered.change("DELETE FROM audit")
    for entry in entries:
        details = change({"what": entry.what, **entry.details})
        if details is None:
            continue
        details.pop("what")
        number += 1
        values = {
            "number": number, "at": text(entry.at), "who": entry.who, "what": entry.what, "subject": entry.subject,
            "details": details, "previous": previous,
        }  # fmt: skip
        previous = entry_digest(values)
        tampered.change(
            "INSERT INTO audit VALUES (:number, :at, :who, :what, :subject, :details, :previous, :digest)",
            **{**values, "details": json.dumps(details), "digest": previous},
        )


def older(details: dict[str, Any]) -> dict[str, Any]:
    """An entry as it was before it had more."""
    return {name: value for name, value in details.items() if name not in SINCE}


def sentences(tampered: Tampered) -> dict[str, str]:
    """What is said, by check."""
    checks = proof.verify(tampered.account.workspace, tampered.run.run_id).checks
    return {check.name: check.sentence for check in checks}


def test_entries_of_an_older_workbench(tampered: Tampered) -> None:
    """They hold, what they have is compared, and what they have not is told."""
    written_anew(tampered, older)
    assert tampered.wrong() == tampered.wrong(tampered.before.run_id) == set()
    said = sentences(tampered)
    assert said[RESERVED].endswith(
        "; an older workbench wrote the entry, without number, audience_path, bodies_path"
    )
    assert said[ENDED].endswith(
        "; an older workbench wrote the entry, without finished_at, note_digest, answers_digest"
    )
    tampered.change("UPDATE requests SET state = 'accepted' WHERE run_id = :run")
    tampered.change("UPDATE runs SET qualified = 219 WHERE run_id = :run")
    assert tampered.wrong() == {RESERVED, ENDED, "verdicts"}


def test_an_end_that_was_cut_off(tampered: Tampered) -> None:
    """The run says that it has ended, and the trail does not."""
    tampered.change("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)")
    assert tampered.wrong() == {ENDED}
    assert (
        sentences(tampered)[ENDED]
        == "the ledger says completed, entry 8 running; finished_at: not as in entry 8"
    )
    tampered.change("DELETE FROM audit WHERE number > 6")
    assert tampered.wrong() == {RESERVED}
    assert sentences(tampered)[RESERVED] == "the audit trail has no entry of its reservation"
    tampered.change("DELETE FROM audit")
    assert tampered.wrong() == {"audit trail", RESERVED}


def test_an_end_that_was_cut_out(shop: Account, receiver: Receiver) -> None:
    """Later entries are there: with the row made to fit, whether there was an end cannot be told."""
    workspace, run = shop.workspace, do_run(shop.workspace)
    shop.save_campaign("other", "buyers")
    number = next(entry.number for entry in workspace.trail.entries(what=["run ended"]))
    unguarded(workspace, f"DELETE FROM audit WHERE number = {number}")
    checks = {check.name: check.holds for check in proof.verify(workspace, run).checks if not check.holds}
    assert checks == {"audit trail": None, ENDED: False}
    unguarded(workspace, "UPDATE runs SET state = 'running', finished_at = NULL")
    checks = {check.name: check.holds for check in proof.verify(workspace, run).checks if not check.holds}
    assert checks == {"audit trail": None}


def test_what_cannot_be_seen(tampered: Tampered) -> None:
    """A trail that is cut at its end with rows that were made to fit; a digest that was kept elsewhere shows it."""
    trail = tampered.account.workspace.trail
    kept = trail.check().digest
    tampered.change(
        "DELETE FROM audit WHERE number > 8",
        "UPDATE runs SET state = 'running', finished_at = NULL WHERE run_id = :run",
        "UPDATE requests SET state = 'reserved', attempts = 0, answer = NULL, answered_at = NULL WHERE run_id = :run",
    )
    assert tampered.wrong() == set()
    assert (
        sentences(tampered)[ENDED]
        == "running, as entry 8 says; what became of its requests is in no entry yet"
    )
    assert not trail.check(expect=kept).holds


@pytest.mark.parametrize(
    "damage", ["details = '5'", "details = 'nonsense'", "at = 'never'", "what = X'00'", "subject = X'ff'"]
)
@pytest.mark.parametrize("number", [1, 7, 9], ids=["begun", "reserved", "ended"])
def test_an_entry_that_was_damaged(tampered: Tampered, number: int, damage: str) -> None:
    """Of the run, or of another: a check that fails, whatever is left of it."""
    tampered.change(f"UPDATE audit SET {damage} WHERE number = {number}")
    assert tampered.wrong()


@pytest.mark.parametrize("number", [1, 7, 9])
def test_an_entry_without_its_details(tampered: Tampered, number: int) -> None:
    """What is not there is not compared, and the chain is broken."""
    tampered.change(f"UPDATE audit SET details = '{{}}' WHERE number = {number}")
    assert "audit trail" in tampered.wrong()


RESTORED = (
    "DELETE FROM requests", "DELETE FROM runs", "INSERT INTO runs SELECT * FROM kept_runs",
    "INSERT INTO requests SELECT * FROM kept_requests",
)  # fmt: skip


@pytest.mark.postgres
def test_on_postgresql(team: Account, receiver: Receiver) -> None:
    """The same checks of the rows of another database; what it refuses by itself cannot be damaged."""
    workspace, run = team.workspace, do_run(team.workspace)
    with workspace.database.transaction() as sql:
        for name in ("runs", "requests"):
            sql.exec_driver_sql(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}")
    for statement, check in (
        ("UPDATE runs SET number = 2", RESERVED),
        ("UPDATE runs SET bodies_path = audience_path", RESERVED),
        ("UPDATE runs SET finished_at = NULL", ENDED),
        ("UPDATE runs SET note = 'all is well'", ENDED),
        ("UPDATE runs SET created_at = replace(created_at, 'Z', '0')", "ledger"),
        ("UPDATE runs SET state = 'strange'", "ledger"),
        ("UPDATE runs SET verdicts = '{}'", "ledger"),
        ("UPDATE requests SET attempts = 2 WHERE number = 3", ENDED),
        ("UPDATE requests SET answer = NULL WHERE number = 3", ENDED),
        ("UPDATE requests SET answered_at = '2026-01-01T00:00:00.000000Z' WHERE number = 3", ENDED),
        ("UPDATE requests SET answered_at = replace(answered_at, 'Z', '0') WHERE number = 3", "ledger"),
        ("UPDATE requests SET kind = 'strange' WHERE number = 3", "ledger"),
        ("DELETE FROM requests WHERE number = 3", RESERVED),
    ):
        with workspace.database.transaction() as sql:
            sql.exec_driver_sql(statement)
        wrong = {item.name for item in proof.verify(workspace, run).checks if item.holds is False}
        assert check in wrong, statement
        with workspace.database.transaction() as sql:
            for restoring in RESTORED:
                sql.exec_driver_sql(restoring)
        assert proof.verify(workspace, run).holds is True
