"""What the tests of tampering share: a run with everything that a run may have, and its database changed from outside."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from accounts import Account

from workbench import proof
from workbench.export.ledger import Run


@dataclass(frozen=True)
class Tampered:
    """An account to tamper with.

    Attributes:
        run: two requests of messages, the second one rejected, and one of leaves; users held out.
        before: the run of the day before: three requests of messages.
    """

    account: Account
    run: Run
    before: Run

    @property
    def directory(self) -> Path:
        """Of the frozen files."""
        return self.account.workspace.settings.directory

    def change(self, *statements: str, **values: object) -> None:
        """Change the ledger as whoever has its file can: past the workbench, its guards and its foreign keys.

        ``:run`` and ``:before`` are the ids of the runs.
        """
        with closing(sqlite3.connect(self._path)) as sql, sql:
            for guard in ("audit_not_changed", "audit_not_removed", "audit_in_order"):
                sql.execute(f"DROP TRIGGER IF EXISTS {guard}")
            for statement in statements:
                assert sql.execute(statement, {**self._named, **values}).rowcount > 0, statement

    @contextmanager
    def put(self, table: str, column: str, value: str, of: str) -> Iterator[None]:
        """Put a value, given as SQL, into one row, and after that what it had."""
        row = self.value(f"SELECT rowid FROM {table} WHERE {of}")
        whole = self.value(f'SELECT "{column}" FROM {table} WHERE rowid = {row}')
        self.change(
            f'UPDATE {table} SET "{column}" = {value} WHERE rowid = {row} AND "{column}" IS NOT {value}'
        )
        yield
        self.change(f'UPDATE {table} SET "{column}" = :whole WHERE rowid = {row}', whole=whole)

    def value(self, query: str) -> object:
        """One value as it lies in the ledger."""
        with closing(sqlite3.connect(self._path)) as sql:
            (found,) = sql.execute(query, self._named).fetchone()
        return found

    @property
    def _path(self) -> str:
        return str(self.account.workspace.database.url.database)

    @property
    def _named(self) -> dict[str, object]:
        return {"run": self.run.run_id, "before": self.before.run_id}

    def wrong(self, run: str | None = None) -> set[str]:
        """The names of the checks that fail, which the whole agrees with."""
        found = proof.verify(self.account.workspace, run or self.run.run_id)
        names = {check.name for check in found.checks if check.holds is False}
        assert (found.holds is False) is bool(names)
        return names
