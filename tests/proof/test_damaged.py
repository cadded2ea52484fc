"""A row that the workbench cannot have written is a failed check that names it, and one line on the command line."""

from contextlib import suppress

import pytest
import sqlalchemy as sa
from command_line import Run as Command
from proof.tampering import Tampered

from workbench import proof
from workbench.errors import DamagedError
from workbench.store import tables

WORDS = ("state", "purpose", "kind")
PATHS = ("audience_path", "bodies_path")
INSTANTS = [
    "'never'", "'2026-07-01'", "'2026-07-01T12:00:00.000000'", "'2026-07-01T12:00:00.0000000'", "'2026-07-01T12:00:00Z'",
    "'0001-01-01T00:00:00.000000Z'", "'9999-12-31T23:59:59.999999Z'", "'2026-07-01 12:00:00.000000Z'", "'2026-07-01T12:00:00.000000+02:00'", "'0001-01-01T00:00:00.000000+14:00'", "0",
]  # fmt: skip
DOCUMENTS = [
    "'nonsense'",
    "'{'",
    "''",
    "'5'",
    "'\"text\"'",
    "'[1]'",
    "'[{}]'",
    "'{}'",
    "'null'",
    f"'{'[' * 5000}'",
]
VERDICTS = [
    """'[{"verdict": "send", "reason": null, "arm": "target", "users": -1}]'""",
    """'[{"verdict": "send", "reason": null, "arm": "target", "users": "193"}]'""",
    """'[{"verdict": "send", "reason": null, "arm": "target", "users": 99999999999999999999}]'""",
    """'[{"verdict": "\\ud800", "reason": null, "arm": "target", "users": 193}]'""",
    """'[{"verdict": "send", "reason": null, "arm": "target", "users": 193, "also": 1}]'""",
]
MEMBERSHIP = [
    """'{"attribute": "a", "leaving": "delete"}'""",
    """'{"attribute": "a", "leaving": "delete", "users": [{"reason": "r", "kept": null}]}'""",
]


def damages(column: sa.Column[object]) -> list[str]:
    """What no row of the workbench has in a column, as SQL."""
    match column.type:
        case tables.Instant():
            found = INSTANTS
        case sa.JSON():
            found = [*DOCUMENTS, *(VERDICTS if column.name == "verdicts" else MEMBERSHIP)]
        case sa.Integer():
            found = ["'many'", "-1", "1.5", "9e999"]
        case _:
            found = (
                ["'strange'", "''"]
                if column.name in WORDS
                else ["''", "char(0)"]
                if column.name in PATHS
                else []
            )
    return [*found, "X'00ff'", "CAST(X'ff' AS TEXT)"]


def check(tampered: Tampered, run: Command, table: str, column: str, of: str) -> None:
    """Put each damage into a row, and look at the run in every way."""
    account, run_id = tampered.account, tampered.run.run_id
    first, *others = damages(tables.metadata.tables[table].c[column])
    for damage in (first, *others):
        with tampered.put(table, column, damage, of):
            (found,) = proof.verify(account.workspace, run_id).checks
            assert (found.name, found.holds, column in found.sentence) == ("ledger", False, True), damage
            with suppress(DamagedError):
                account.workspace.ledger.totals_of([run.run_id for run in account.workspace.ledger.newest()])
    with tampered.put(table, column, first, of):
        for command in ("verify", "show"):
            shown = run("runs", command, run_id, "-c", account.config)
            assert (shown.code, len(shown.err.splitlines()), column in shown.err) == (4, 1, command == "show")
        assert run("runs", "list", "-c", account.config).code in {0, 4}
    assert tampered.wrong() == set()


def columns(table: sa.Table) -> list[str]:
    """Its columns, without the one by which a run is found."""
    return [column.name for column in table.columns if column.name != "run_id"]


@pytest.mark.parametrize("column", columns(tables.runs))
def test_a_damaged_run(tampered: Tampered, run: Command, column: str) -> None:
    """Each column, with whatever cannot be in it."""
    check(tampered, run, "runs", column, "run_id = :run")


@pytest.mark.parametrize("column", columns(tables.requests))
def test_a_damaged_request(tampered: Tampered, run: Command, column: str) -> None:
    """Each column, of a leave."""
    check(tampered, run, "requests", column, "run_id = :run AND kind = 'leave'")


def test_a_damaged_alert(tampered: Tampered, run: Command) -> None:
    """No part of what is proven, and no trace either."""
    tampered.change("INSERT INTO alerts VALUES (:run, 'failed', 1, 'strange', '2026-07-01T12:00:00.000000Z')")
    shown = run("runs", "show", tampered.run.run_id, "-c", tampered.account.config)
    assert (shown.code, "an alert of" in shown.err) == (4, True)
    assert tampered.wrong() == set()
