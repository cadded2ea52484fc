"""Which runs were before, as the ledger says: whose messages frequency caps count.

Only runs to the same receiver and environment count, so that a rehearsal uses nothing up; tests never do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from workbench.campaigns.frequency import Earlier, Rules, since
from workbench.export.order import given_back, newest_number, same_receiver
from workbench.export.records import RequestState, RunState
from workbench.store import tables
from workbench.store.database import Database

# No message of a run goes out later than this after the run was made.
LATEST_SEND = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The runs before one.

    Attributes:
        runs: in the order in which they were reserved.
        newest: the number of the newest run that could have been among them; 0 without any.
        given_back: how often rejected requests had been given back.
    """

    runs: tuple[Earlier, ...] = ()
    newest: int = 0
    given_back: int = 0


def history(
    database: Database,
    directory: Path,
    rules: Rules,
    *,
    campaign_id: str,
    run_id: str,
    receiver: str,
    environment: str,
    now: datetime,
    until: datetime | None = None,
    before: int | None = None,
) -> History:
    """Return the runs whose messages may count for a run.

    Args:
        database: of the ledger.
        directory: the state folder, with the audiences.
        rules: what is counted.
        campaign_id: whose run it is.
        run_id: the run itself, which does not count.
        receiver: to whom it goes.
        environment: at the receiver.
        now: the instant of its send.
        until: only runs that were made by then.
        before: only runs that were reserved before the one of this number, with what was known of them ``now``.

    Raises:
        StoreError: the ledger cannot be read.
    """
    if not rules.any:
        return History()
    run, request = tables.runs.c, tables.requests.c
    where = [run.run_id != run_id, run.state != RunState.BLOCKED]
    where += same_receiver(receiver, environment)
    own, others = since(rules, now, own=True), since(rules, now, own=False)
    recent = sa.true() if own is None else run.created_at > own - LATEST_SEND
    if others is not None and rules.of_all:
        any_campaign = sa.and_(run.campaign_id != campaign_id, run.created_at > others - LATEST_SEND)
        where.append(sa.or_(sa.and_(run.campaign_id == campaign_id, recent), any_campaign))
    else:
        where.append(sa.and_(run.campaign_id == campaign_id, recent))
    if until is not None:
        where.append(run.created_at <= until)
    if before is not None:
        where.append(run.number < before)
    with database.reading() as sql:
        newest = newest_number(sql, receiver, environment, None if rules.of_all else campaign_id)
        given = given_back(sql)
        found = sql.execute(
            sa.select(run.run_id, run.campaign_id, run.audience_path).where(*where).order_by(run.number)
        ).all()
        rejected: dict[str, list[int]] = {}
        never = sa.and_(request.state == RequestState.RESERVED, run.state == RunState.STOPPED)
        query = (
            sa.select(request.run_id, request.number)
            .join(tables.runs, run.run_id == request.run_id)
            .where(
                sa.or_(request.state == RequestState.REJECTED, never),
                request.run_id.in_([row.run_id for row in found]),
            )
        )
        if before is not None:
            query = query.where(sa.func.coalesce(request.answered_at, run.finished_at) <= now)
        for row in sql.execute(query):
            rejected.setdefault(row.run_id, []).append(row.number)
    runs = [
        Earlier(
            run_id=row.run_id, audience=directory / row.audience_path, own=row.campaign_id == campaign_id,
            not_sent=tuple(sorted(rejected.get(row.run_id, ()))),
        )
        for row in found
    ]  # fmt: skip
    return History(runs=tuple(runs), newest=newest, given_back=given)
