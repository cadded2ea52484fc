"""The durable record: runs and their requests. No HTTP and no scan happens inside a transaction."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from workbench.errors import DamagedError, NotFoundError, nearest
from workbench.export import trail
from workbench.export.hold import Hold, holding
from workbench.export.order import decided_since, is_outdated
from workbench.export.records import (
    UNFINISHED,
    Alert,
    AlertOutcome,
    Kind,
    Purpose,
    Request,
    RequestState,
    Reservation,
    Run,
    RunState,
    Seen,
    word,
)
from workbench.store import audit, tables
from workbench.store.audit import What
from workbench.store.database import Database

__all__ = [
    "UNFINISHED", "Alert", "AlertOutcome", "Kind", "Ledger", "Purpose", "Request", "RequestState", "Reservation", "Run",
    "RunState", "Seen",
]  # fmt: skip


class Ledger:
    """Reads and writes runs and requests."""

    def __init__(self, database: Database, directory: Path) -> None:
        """Keep the database and the folder of run locks."""
        self._database = database
        self._directory = directory

    def find(
        self, campaign_id: str, occurrence: datetime, *, purpose: Purpose = Purpose.CAMPAIGN
    ) -> Run | None:
        """Return the run of an occurrence, or None."""
        table = tables.runs
        query = tables.raw(table).where(
            table.c.campaign_id == campaign_id, table.c.occurrence == occurrence, table.c.purpose == purpose
        )
        with self._database.reading() as sql:
            row = sql.execute(query).mappings().one_or_none()
        return None if row is None else Run.of(row)

    def get(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            NotFoundError: no such run; the message names near ones.
        """
        with self._database.reading() as sql:
            query = tables.raw(tables.runs).where(tables.runs.c.run_id == run_id)
            row = sql.execute(query).mappings().one_or_none()
            if row is None:
                known = sql.scalars(sa.select(tables.runs.c.run_id)).all()
                raise NotFoundError(f'unknown run "{run_id}".{nearest(run_id, known)}')
        return Run.of(row)

    def newest(self, limit: int = 50, *, tests: bool = False) -> list[Run]:
        """Return the newest runs first, test sends among them only where asked for."""
        query = tables.raw(tables.runs).order_by(tables.runs.c.created_at.desc()).limit(limit)
        if not tests:
            query = query.where(tables.runs.c.purpose == Purpose.CAMPAIGN)
        with self._database.reading() as sql:
            return [Run.of(row) for row in sql.execute(query).mappings()]

    def reserve(self, run: Run, requests: Sequence[Request], *, seen: Seen | None = None) -> Reservation:
        """Take the occurrence and all its requests in one transaction; no two processes reserve at once.

        Args:
            run: its number is given here.
            requests: all of them.
            seen: the runs whose messages were counted; None where none are.

        Returns:
            ``taken`` when another process took the occurrence first, ``outdated`` when there are messages that were
            not seen; nothing was written then.

        Raises:
            ValueError: an occurrence that is not one of the run's purpose.
        """
        if (run.occurrence.microsecond == 0) != (run.purpose is Purpose.CAMPAIGN):
            raise ValueError(f"{run.occurrence.isoformat()} is not an occurrence of a {run.purpose} run")
        try:
            with self._database.transaction(alone=True) as sql:
                where = (
                    tables.runs.c.campaign_id == run.campaign_id,
                    tables.runs.c.occurrence == run.occurrence,
                )
                if sql.scalar(sa.select(tables.runs.c.run_id).where(*where)) is not None:
                    return Reservation.TAKEN
                if seen is not None and is_outdated(
                    sql, seen, run.campaign_id, run.receiver, run.environment
                ):
                    return Reservation.OUTDATED
                newest = sql.scalar(sa.select(sa.func.max(tables.runs.c.number))) or 0
                run = replace(run, number=newest + 1)
                values = {name: getattr(run, name) for name in tables.runs.columns.keys()}  # noqa: SIM118
                sql.execute(tables.runs.insert().values(**values))
                if requests:
                    sql.execute(
                        tables.requests.insert(),
                        [
                            {
                                "run_id": run.run_id, "number": request.number, "state": request.state,
                                "offset": request.offset, "length": request.length, "digest": request.digest,
                                "users": request.users, "batches": request.batches, "attempts": 0,
                                "kind": request.kind,
                            }
                            for request in requests
                        ],
                    )  # fmt: skip
                trail.reserved(sql, run, requests)
        except sa.exc.IntegrityError:
            if self.find(run.campaign_id, run.occurrence, purpose=run.purpose) is None:
                raise
            return Reservation.TAKEN
        return Reservation.DONE

    def requests(self, run_id: str, states: Sequence[RequestState] | None = None) -> list[Request]:
        """Return a run's requests by number, only those in ``states`` where given."""
        table = tables.requests
        query = tables.raw(table).where(table.c.run_id == run_id).order_by(table.c.number)
        if states is not None:
            query = query.where(table.c.state.in_(states))
        with self._database.reading() as sql:
            return [Request.of(row) for row in sql.execute(query).mappings()]

    def ask_to_stop(self, run_id: str, note: str, *, because: str | None = None) -> tuple[RunState, bool]:
        """Record that a run is to stop, if it has not ended; from this commit on no request is taken up.

        Args:
            run_id: whose.
            note: what the run says of it.
            because: a person's reason, for the audit trail.

        Returns:
            Its state now, ``stopping`` or the one in which it has ended; and whether this changed it.
        """
        table = tables.runs
        with self._database.transaction() as sql:
            where = (table.c.run_id == run_id, table.c.state.in_((RunState.RUNNING, RunState.INTERRUPTED)))
            stops = sql.execute(table.update().where(*where).values(state=RunState.STOPPING, note=note))
            state = sql.execute(sa.select(table.c.state).where(table.c.run_id == run_id)).scalar_one()
            if stops.rowcount:
                trail.stopped(sql, run_id, because=because)
            return word(RunState, state, f"run {run_id}"), bool(stops.rowcount)

    def latest(self, campaign_id: str) -> Run | None:
        """Return the newest run of a campaign, or None; test sends are none."""
        table = tables.runs
        query = tables.raw(table).where(
            table.c.campaign_id == campaign_id, table.c.purpose == Purpose.CAMPAIGN
        )
        query = query.order_by(table.c.created_at.desc(), table.c.occurrence.desc()).limit(1)
        with self._database.reading() as sql:
            row = sql.execute(query).mappings().one_or_none()
        return None if row is None else Run.of(row)

    def previous(self, campaign_id: str, occurrence: datetime) -> Run | None:
        """Return the run of the last occurrence before this one that no safety check blocked, or None.

        Test sends are none.
        """
        table = tables.runs
        query = tables.raw(table).where(
            table.c.campaign_id == campaign_id, table.c.occurrence < occurrence,
            table.c.state != RunState.BLOCKED, table.c.purpose == Purpose.CAMPAIGN,
        )  # fmt: skip
        with self._database.reading() as sql:
            row = sql.execute(query.order_by(table.c.occurrence.desc()).limit(1)).mappings().one_or_none()
        return None if row is None else Run.of(row)

    def unwritten(self, written: str) -> list[Run]:
        """Return the runs of campaigns, not blocked ones, whose own events are not in the lake, oldest first.

        Args:
            written: the ``mapping_digest`` under which ``ingests`` notes a run whose events are there.
        """
        run, note = tables.runs, tables.ingests
        noted = sa.exists().where(note.c.mapping_digest == written, note.c.file_name == run.c.run_id)
        query = tables.raw(run).where(
            run.c.purpose == Purpose.CAMPAIGN, run.c.state != RunState.BLOCKED, ~noted
        )
        with self._database.reading() as sql:
            return [
                Run.of(row) for row in sql.execute(query.order_by(run.c.created_at, run.c.run_id)).mappings()
            ]

    def decided_since(self, run_id: str) -> str | None:
        """Return the newest run that has decided, after a run, who leaves its audience; None for none."""
        with self._database.reading() as sql:
            return decided_since(sql, run_id)

    def between(self, first: datetime, last: datetime) -> list[Run]:
        """Return the runs that were made in a time, both ends included, tests too, in their order."""
        table = tables.runs
        query = tables.raw(table).where(table.c.created_at.between(first, last)).order_by(table.c.number)
        with self._database.reading() as sql:
            return [Run.of(row) for row in sql.execute(query).mappings()]

    def answers(self, run_id: str, kind: Kind = Kind.MESSAGE) -> list[tuple[RequestState, str, int]]:
        """Return how many users each answer to requests of a kind stands for, by state; accepted ones left out."""
        table = tables.requests
        query = (
            sa.select(table.c.state, table.c.answer, sa.func.sum(table.c.users))
            .where(
                table.c.run_id == run_id,
                table.c.state != RequestState.ACCEPTED,
                table.c.answer.is_not(None),
                table.c.kind == kind,
            )
            .group_by(table.c.state, table.c.answer)
            .order_by(table.c.state, table.c.answer)
        )
        with self._database.reading() as sql:
            return [
                (_state(run_id, state), answer, _users(run_id, total))
                for state, answer, total in sql.execute(query)
            ]

    def rekey(self, run_id: str, key_digest: str) -> None:
        """Record under which key a run goes on; only while no outcome under another one is open."""
        table = tables.runs
        with self._database.transaction() as sql:
            query = sa.select(table.c.key_digest).where(table.c.run_id == run_id).with_for_update()
            before = sql.scalar(query)
            sql.execute(table.update().where(table.c.run_id == run_id).values(key_digest=key_digest))
            audit.append(sql, What.RUN_KEY_CHANGED, run_id, {"from": before, "to": key_digest})

    def totals(self, run_id: str, kind: Kind = Kind.MESSAGE) -> dict[RequestState, int]:
        """Return how many users stand in each state of the requests of a kind."""
        return self.totals_of([run_id], kind)[run_id]

    def totals_of(
        self, run_ids: Sequence[str], kind: Kind = Kind.MESSAGE
    ) -> dict[str, dict[RequestState, int]]:
        """Return how many users stand in each state of the requests of a kind, for many runs in one query."""
        table = tables.requests
        query = (
            sa.select(table.c.run_id, table.c.state, sa.func.sum(table.c.users))
            .where(table.c.run_id.in_(run_ids), table.c.kind == kind)
            .group_by(table.c.run_id, table.c.state)
        )
        found = {run_id: dict.fromkeys(RequestState, 0) for run_id in run_ids}
        with self._database.reading() as sql:
            for run_id, state, total in sql.execute(query):
                found[run_id][_state(run_id, state)] = _users(run_id, total)
        return found

    def alerts(self, run_id: str) -> list[Alert]:
        """Return who was told about a run, by place."""
        table = tables.alerts
        query = sa.select(table).where(table.c.run_id == run_id).order_by(table.c.about, table.c.number)
        with self._database.reading() as sql:
            return [
                Alert(
                    about=row.about, number=row.number, told_at=row.told_at,
                    outcome=word(AlertOutcome, row.outcome, f"an alert of {run_id}"),
                )
                for row in sql.execute(query)
            ]  # fmt: skip

    def record_alert(self, run_id: str, alert: Alert) -> None:
        """Record what became of an alert; a later try replaces the earlier one."""
        table = tables.alerts
        where = (table.c.run_id == run_id, table.c.about == alert.about, table.c.number == alert.number)
        with self._database.transaction() as sql:
            sql.execute(table.delete().where(*where))
            sql.execute(
                table.insert().values(
                    run_id=run_id, about=alert.about, number=alert.number, outcome=alert.outcome.value,
                    told_at=alert.told_at,
                )
            )  # fmt: skip

    def hold(self, run_id: str) -> AbstractContextManager[Hold]:
        """Be the only process that sends a run; the hold ends with the process.

        Raises:
            BusyError: another process holds it.
        """
        return holding(self._database, self._directory, run_id)


def _state(run_id: str, value: str) -> RequestState:
    return word(RequestState, value, f"a request of {run_id}")


def _users(run_id: str, total: Any) -> int:
    """Return a sum of users, which is whole unless one of them is no number."""
    if not isinstance(total, int):
        raise DamagedError(
            f"a request of {run_id} is damaged in the ledger: its users should be a whole number"
        )
    return total
