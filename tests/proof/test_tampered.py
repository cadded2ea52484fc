"""Another value in any column of a run or of its requests is found, and so is a row or a file too many or too few."""

import hashlib
import json
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from proof.tampering import Tampered

from workbench import proof
from workbench.errors import NotFoundError
from workbench.export.frozen import AUDIENCE, BODIES
from workbench.export.members import LEAVING
from workbench.store import tables
from workbench.store.canonical import content_digest

LATER = "'2026-07-02T00:00:00.000000Z'"
RESERVED, ENDED = "as reserved", "as ended"

# For every column other values that it may well have, as SQL, and the check that finds them; none is left out.
RUNS: dict[str, tuple[str, list[str]]] = {
    "run_id": ("ledger", ["'club-20260101T000000Z'"]),
    "campaign_id": (RESERVED, ["'other'"]),
    "campaign_version": (RESERVED, ["2"]),
    "occurrence": (RESERVED, [LATER]),
    "as_of": (RESERVED, [LATER]),
    "lake_version": (RESERVED, ["1", "2"]),
    "environment": (RESERVED, ["'production'"]),
    "state": (ENDED, [
        "'running'", "'interrupted'", "'stopping'", "'stopped'", "'blocked by safety check'",
    ]),
    "audience_path": (RESERVED, ["(SELECT audience_path FROM runs WHERE run_id = :before)"]),
    "audience_digest": (RESERVED, ["(SELECT audience_digest FROM runs WHERE run_id = :before)"]),
    "bodies_path": (RESERVED, ["(SELECT bodies_path FROM runs WHERE run_id = :before)"]),
    "receiver": (RESERVED, ["'s2s.mparticle.com'"]),
    "key_digest": (RESERVED, ["salt_digest"]),
    "salt_digest": (RESERVED, ["key_digest"]),
    "qualified": (RESERVED, ["qualified + 1"]),
    "verdicts": (RESERVED, [
        "replace(verdicts, '193', '194')", "replace(verdicts, 'target', 'control')",
        "replace(verdicts, 'campaign', 'system')", "'[]'",
    ]),
    "created_at": (RESERVED, [LATER, "replace(created_at, '.000000', '.000001')"]),
    "created_by": (RESERVED, ["'somebody'"]),
    "finished_at": (ENDED, [LATER, "replace(finished_at, '.000000', '.000001')", "NULL"]),
    "note": (ENDED, ["'stopped by tester'", "''"]),
    "purpose": (RESERVED, ["'test'"]),
    "number": (RESERVED, ["1", "3", "0"]),
    "membership": (RESERVED, [
        "replace(membership, '57', '58')", "replace(membership, 'in_winback', 'in_other')", "NULL",
    ]),
    "leaving_digest": (RESERVED, ["audience_digest", "NULL"]),
}  # fmt: skip
REQUESTS: dict[str, tuple[str, list[str]]] = {
    "run_id": (RESERVED, ["'club-20260101T000000Z'"]),
    "number": (RESERVED, ["4"]),
    "state": (ENDED, ["'reserved'", "'sent'", "'unknown'", "CASE state WHEN 'accepted' THEN 'rejected' ELSE 'accepted' END"]),
    "offset": (RESERVED, ["offset + 1"]),
    "length": (RESERVED, ["length - 1"]),
    "digest": (RESERVED, ["(SELECT digest FROM requests WHERE run_id = :before AND number = 1)"]),
    "users": (RESERVED, ["users - 1"]),
    "attempts": (ENDED, ["attempts + 1", "0"]),
    "answer": (ENDED, ["'202 '", "'400 no such event'", "NULL"]),
    "answered_at": (ENDED, [LATER, "replace(answered_at, '.000000', '.000001')", "NULL"]),
    "batches": (RESERVED, ["batches + 1"]),
    "kind": (RESERVED, ["CASE kind WHEN 'leave' THEN 'message' ELSE 'leave' END"]),
}  # fmt: skip


@pytest.mark.parametrize("column", tables.runs.columns.keys())
def test_a_changed_column_of_a_run_is_found(tampered: Tampered, column: str) -> None:
    """Each column, by its check; one that the table has got since is not in the list, and fails."""
    check, values = RUNS[column]
    for value in values:
        with tampered.put("runs", column, value, "run_id = :run"):
            assert check in tampered.wrong(), value
    assert tampered.wrong() == set()


@pytest.mark.parametrize("column", tables.requests.columns.keys())
def test_a_changed_column_of_a_request_is_found(tampered: Tampered, column: str) -> None:
    """Each column, of a request that was accepted, of one that was rejected, and of one of leaves."""
    check, values = REQUESTS[column]
    for number, value in product((1, 2, 3), values):
        with tampered.put("requests", column, value, f"run_id = :run AND number = {number}"):
            assert check in tampered.wrong(), (number, value)
    assert tampered.wrong() == set()


def test_nothing_is_wrong_with_what_nobody_changed(tampered: Tampered) -> None:
    """Otherwise these tests would say nothing."""
    assert tampered.wrong() == tampered.wrong(tampered.before.run_id) == set()


SWAPPED = """UPDATE requests SET {0} = (SELECT {0} FROM requests other WHERE other.run_id = :run AND
    other.number = 3 - requests.number) WHERE run_id = :run AND number < 3"""

ADDED = """INSERT INTO requests SELECT run_id, 4, state, "offset", length, digest, users, attempts, answer, answered_at,
    batches, kind FROM requests WHERE run_id = :run AND number = 3"""


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        ("DELETE FROM requests WHERE run_id = :run AND number = 1", {RESERVED, ENDED, "requests", "frozen bodies", "built again"}),
        ("DELETE FROM requests WHERE run_id = :run AND number = 2", {RESERVED, ENDED, "requests", "frozen bodies", "built again"}),
        ("DELETE FROM requests WHERE run_id = :run AND kind = 'leave'", {RESERVED, ENDED, "leaving", "frozen bodies", "built again"}),
        (ADDED, {RESERVED, ENDED, "leaving", "frozen bodies", "built again"}),
        (SWAPPED.format("digest"), {RESERVED, ENDED, "frozen bodies", "built again"}),
        (SWAPPED.format("offset"), {RESERVED, "frozen bodies"}),
        (SWAPPED.format("answer"), {ENDED}),
        (SWAPPED.format("state"), {ENDED}),
        (SWAPPED.format("users"), {RESERVED, ENDED, "requests"}),
        ("UPDATE campaigns SET body = json_set(body, '$.control.share', 0.2)", {"campaign"}),
        ("DELETE FROM campaigns", {"campaign"}),
        ("UPDATE campaigns SET version = 2", {"campaign"}),
        ("UPDATE campaigns SET body = '{}'", {"campaign"}),
        ("UPDATE campaigns SET body = 'nonsense'", {"campaign"}),
        ("UPDATE campaigns SET created_at = 'nonsense'", {"campaign"}),
    ],
)  # fmt: skip
def test_rows_that_were_removed_added_and_swapped(
    tampered: Tampered, statement: str, checks: set[str]
) -> None:
    """Each by the checks that it concerns, and no other."""
    tampered.change(statement)
    assert tampered.wrong() == checks


def test_a_campaign_that_was_changed_with_its_digest(tampered: Tampered) -> None:
    """What the run was reserved with has another one."""
    saved = tampered.account.workspace.campaigns.get("club").stored
    body = {**saved.body, "control": {"share": 0.2}}
    tampered.change(
        "UPDATE campaigns SET body = :body, digest = :digest",
        body=json.dumps(body),
        digest=content_digest(body),
    )
    assert tampered.wrong() == {RESERVED}


def test_a_run_that_was_removed(tampered: Tampered) -> None:
    """The trail knows of it; a run that it does not know of either is unknown."""
    tampered.change("DELETE FROM requests WHERE run_id = :run", "DELETE FROM runs WHERE run_id = :run")
    (check,) = proof.verify(tampered.account.workspace, tampered.run.run_id).checks
    assert (check.name, check.holds) == ("ledger", False)
    assert check.sentence == (
        f"the ledger has no run {tampered.run.run_id}, and entry 7 of the audit trail is about it"
    )
    with pytest.raises(NotFoundError):
        proof.verify(tampered.account.workspace, "club-20260101T000000Z")


def test_a_run_that_was_renamed(tampered: Tampered) -> None:
    """With its requests: the trail has no entry of such a run."""
    for table in ("runs", "requests"):
        tampered.change(f"UPDATE {table} SET run_id = 'club-20260101T000000Z' WHERE run_id = :run")
    assert RESERVED in tampered.wrong("club-20260101T000000Z")
    assert tampered.wrong() == {"ledger"}


def rewritten(path: Path, whole: bytes) -> str:
    """Write a file anew; return its digest."""
    path.write_bytes(whole)
    return hashlib.sha256(whole).hexdigest()


def test_files_of_another_run(tampered: Tampered) -> None:
    """Snapshot, list of who left, and bodies, each in the place of the run's own."""
    mine, other = (tampered.directory / run.audience_path for run in (tampered.run, tampered.before))
    for name, check in ((AUDIENCE, "audience"), (LEAVING, "leaving"), (BODIES, "frozen bodies")):
        kept = mine.with_name(name).read_bytes()
        rewritten(mine.with_name(name), other.with_name(name).read_bytes())
        assert check in tampered.wrong()
        rewritten(mine.with_name(name), kept)
    assert tampered.wrong() == set()


@pytest.mark.parametrize(("name", "column"), [(AUDIENCE, "audience_digest"), (LEAVING, "leaving_digest")])
def test_a_file_with_its_digest(tampered: Tampered, name: str, column: str) -> None:
    """Of another run, of other columns, and no Parquet at all: the trail has another digest, whatever the file is."""
    mine, other = (
        (tampered.directory / run.audience_path).with_name(name) for run in (tampered.run, tampered.before)
    )
    strange = mine.with_name("strange.parquet")
    pl.DataFrame({"user_code": [1]}).write_parquet(strange)
    for whole in (other.read_bytes(), strange.read_bytes(), b"PAR1 nothing", b""):
        digest = rewritten(mine, whole)
        tampered.change(f"UPDATE runs SET {column} = :digest WHERE run_id = :run", digest=digest)
        assert RESERVED in tampered.wrong()


def test_bodies_that_were_cut_and_swapped(tampered: Tampered) -> None:
    """A byte, a request, everything; two of one length in each other's places; and with a row that says so."""
    path = tampered.directory / tampered.run.bodies_path
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in (whole[:-1], whole[:-2], b"".join(lines[:2]), b"", b"".join([lines[1], lines[0], lines[2]])):
        path.write_bytes(cut)
        assert tampered.wrong() == {"frozen bodies"}
    path.unlink()
    assert tampered.wrong() == {"frozen bodies"}
    path.write_bytes(whole)
    tampered.change("UPDATE requests SET length = :all WHERE run_id = :run AND number = 1", all=2**31 - 1)
    assert tampered.wrong() == {RESERVED, "frozen bodies"}
