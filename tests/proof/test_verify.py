"""A run that is as it was recorded is found so; whatever is tampered with is found too."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from accounts import NOW, Account
from command_line import Run as Command

from workbench import proof, runs
from workbench.errors import NotFoundError
from workbench.export.ledger import Run
from workbench.export.sandbox import Receiver
from workbench.proof import Verified

AT = datetime.now(UTC)


@pytest.fixture
def sent(shop: Account, receiver: Receiver) -> Run:
    """The run of ``hello`` with an attribute and a template: 500 of 1,000 users in five requests."""
    content = {"attributes": ["country"], "values": {"hi": "Hi {{ Profile.email | upcase }}"}}
    shop.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500}, content=content)
    return runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=AT)).run


def checked(shop: Account, run: Run) -> tuple[Verified, dict[str, bool | None]]:
    """What is found, and each answer by name."""
    found = proof.verify(shop.workspace, run.run_id)
    return found, {check.name: check.holds for check in found.checks}


def change(shop: Account, sql: str) -> None:
    """Change the ledger behind its back."""
    with shop.workspace.database.transaction() as connection:
        connection.exec_driver_sql(sql)


def test_a_run_is_built_again_byte_by_byte(shop: Account, sent: Run) -> None:
    """Also after later ingests, another version of the campaign, and its edit back."""
    people = [{"user_id": f"{n:05d}", "email": f"other{n}@example.com", "country": "CA"} for n in range(1000)]
    shop.ingest("profiles", people, now=NOW + timedelta(days=1), recorded="now")
    shop.save_campaign("hello", "buyers", cap={"per_run": 100})
    found, answers = checked(shop, sent)
    assert found.holds is True
    assert list(answers) == [
        "campaign", "audit trail", "as reserved", "as ended", "audience", "verdicts", "arms and cap", "requests", "frozen bodies", "built again",
    ]  # fmt: skip
    assert found.checks[-1].sentence == "5 requests from lake version 2, each byte the same"
    assert found.checks[6].sentence == "500 sent to, each once, none of them held out, none over the cap"


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("UPDATE runs SET qualified = 999", {"verdicts", "as reserved"}),
        (
            "UPDATE runs SET as_of = '2026-06-30T00:00:00.000000Z', verdicts = '[]'",
            {"verdicts", "as reserved"},
        ),
        ("UPDATE runs SET created_at = '2026-07-01T12:00:00.000000Z'", {"built again", "as reserved"}),
        ("UPDATE requests SET users = 99 WHERE number = 3", {"requests", "as reserved", "as ended"}),
        (
            "UPDATE requests SET digest = 'x' WHERE number = 3",
            {"frozen bodies", "built again", "as reserved", "as ended"},
        ),
        (
            "DELETE FROM requests WHERE number = 3",
            {"requests", "frozen bodies", "built again", "as reserved", "as ended"},
        ),
        (
            "UPDATE campaigns SET body = json_set(body, '$.name', 'Other') WHERE version = 2",
            {"campaign", "built again"},
        ),
        ("UPDATE requests SET state = 'rejected' WHERE number = 3", {"as ended"}),
        ("UPDATE runs SET state = 'interrupted'", {"as ended"}),
        ("UPDATE runs SET receiver = 'elsewhere'", {"as reserved"}),
        ("UPDATE runs SET created_by = 'somebody'", {"as reserved"}),
        ("UPDATE requests SET batches = 99 WHERE number = 3", {"as reserved"}),
        ("UPDATE runs SET audience_digest = 'x'", {"audience", "as reserved"}),
    ],
)
def test_a_row_that_was_changed_is_found(shop: Account, sent: Run, sql: str, wrong: set[str]) -> None:
    """Each change of the ledger fails the checks that it concerns, and no other."""
    change(shop, sql)
    found, answers = checked(shop, sent)
    assert found.holds is False
    assert {name for name, holds in answers.items() if holds is False} == wrong


def test_a_file_that_was_changed_is_found(shop: Account, sent: Run) -> None:
    """One byte of a body, one byte behind the last, one user of the snapshot."""
    directory = shop.workspace.settings.directory
    bodies, audience = directory / sent.bodies_path, directory / sent.audience_path
    whole = bodies.read_bytes()
    bodies.write_bytes(whole.replace(b"USER1@", b"USER2@", 1) if b"USER1@" in whole else b"x" + whole[1:])
    _, answers = checked(shop, sent)
    assert {name for name, holds in answers.items() if holds is False} == {"frozen bodies"}
    bodies.write_bytes(whole + b"\n")
    assert checked(shop, sent)[1]["frozen bodies"] is False
    bodies.write_bytes(whole)
    assert checked(shop, sent)[0].holds is True
    frame = pl.read_parquet(audience)
    frame.with_columns(verdict=pl.lit("send")).write_parquet(audience)
    assert checked(shop, sent)[1] == {
        "campaign": True, "audit trail": True, "as reserved": True, "as ended": True, "audience": False,
    }  # fmt: skip


def test_a_held_out_user_among_the_sent_is_found(shop: Account, sent: Run) -> None:
    """Even where snapshot, digest and counts were all made to fit."""
    audience = shop.workspace.settings.directory / sent.audience_path
    frame = pl.read_parquet(audience)
    frame = frame.with_columns(arm=pl.when(pl.col("request") == 1).then(pl.lit("control")).otherwise("arm"))
    frame.write_parquet(audience)
    digest = hashlib.sha256(audience.read_bytes()).hexdigest()
    change(shop, f"UPDATE runs SET audience_digest = '{digest}'")
    found, answers = checked(shop, sent)
    assert answers["arms and cap"] is False
    assert "100 held-out users among the sent" in found.checks[6].sentence


def test_what_cannot_be_told_is_not_said_to_hold(shop: Account, sent: Run) -> None:
    """Without a file of the lake version the bodies cannot be built again; the rest holds."""
    for path in (shop.workspace.lake.directory / "profiles").rglob("*.parquet"):
        path.unlink()
    found, answers = checked(shop, sent)
    assert found.holds is None
    assert answers["built again"] is None
    assert found.checks[-1].sentence.startswith("cannot be: the lake file")


def test_an_unknown_run(shop: Account) -> None:
    """Is an error, not a failed check."""
    with pytest.raises(NotFoundError, match="unknown run"):
        proof.verify(shop.workspace, "hello-1")


def test_the_command_says_what_is_wrong(run: Command, shop: Account, sent: Run, tmp_path: Path) -> None:
    """Exit code 0 and the checks, or 4 and the names of those that fail."""
    config = ("-c", shop.config)
    found = run("runs", "verify", sent.run_id, *config)
    assert found.code == 0
    assert "5 requests from lake version 2, each byte the same" in found.out
    change(shop, "UPDATE requests SET users = 99 WHERE number = 3")
    found = run("runs", "verify", sent.run_id, "--json", *config)
    assert found.code == 4
    assert json.loads(found.out)["holds"] is False
    assert f"{sent.run_id} is not what was recorded: as reserved, as ended, requests" in found.err
