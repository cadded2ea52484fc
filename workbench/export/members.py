"""Which runs have changed the audience that a campaign keeps, as the ledger says.

Only runs to the same receiver and environment count; a test changes nothing.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from workbench.campaigns.leavers import ANSWERS, Change, Changes
from workbench.export.order import newest_number, same_receiver
from workbench.export.records import Kind, RequestState, RunState
from workbench.store import tables
from workbench.store.database import Database

LEAVING = "leaving.parquet"
TAKEN = (RequestState.ACCEPTED, RequestState.SENT, RequestState.UNKNOWN)


def changes(
    database: Database,
    directory: Path,
    *,
    attribute: str,
    campaign_id: str,
    run_id: str,
    receiver: str,
    environment: str,
    before: int | None = None,
    until: datetime | None = None,
) -> Changes:
    """Return the runs by which users entered or left.

    A leave counts when it was accepted. A message counts as soon as it may have been taken, and stays open while
    it can still be sent again; of a stopped run nothing more is sent.

    Args:
        database: of the ledger.
        directory: the state folder, with the frozen files.
        attribute: the one that says who is in the audience.
        campaign_id: whose audience it is.
        run_id: the run itself, which does not count.
        receiver: to whom it goes.
        environment: at the receiver.
        before: only runs that were reserved before the one of this number.
        until: only answers that had come by then.

    Raises:
        StoreError: the ledger cannot be read.
    """
    run = tables.runs.c
    everywhere = [*same_receiver(receiver, environment), run.membership.is_not(None)]
    where = [*everywhere, run.campaign_id == campaign_id, run.run_id != run_id, run.state != RunState.BLOCKED]
    if before is not None:
        where.append(run.number < before)
    with database.reading() as sql:
        newest = newest_number(sql, receiver, environment, campaign_id)
        same = run.membership["attribute"].as_string() == attribute
        other = sa.select(run.campaign_id).where(*everywhere, run.campaign_id != campaign_id, same).limit(1)
        owner = sql.scalar(other)
        columns = (
            run.run_id, run.state, run.finished_at, run.created_at, run.audience_path, run.membership,
        )  # fmt: skip
        found = sql.execute(sa.select(*columns).where(*where).order_by(run.number)).all()
        runs = [
            Change(
                run_id=row.run_id,
                audience=directory / row.audience_path,
                leaving=(directory / row.audience_path).with_name(LEAVING),
                answers=_answers(sql, row, until),
            )
            for row in found
            if row.membership["attribute"] == attribute
        ]
    others = dict.fromkeys(row.membership["attribute"] for row in found)
    return Changes(
        runs=tuple(runs),
        newest=newest,
        others=tuple(name for name in others if name != attribute),
        owner=owner,
    )


def _answers(sql: sa.Connection, run: Any, until: datetime | None) -> pl.DataFrame:
    """Return the requests of a run that were, or may have been, taken."""
    request = tables.requests.c
    query = sa.select(request.number, request.kind, request.state, request.answered_at).where(
        request.run_id == run.run_id,
        request.state.in_(TAKEN),
        sa.or_(request.kind == Kind.MESSAGE, request.state == RequestState.ACCEPTED),
    )
    rows = []
    for number, kind, state, answered_at in sql.execute(query):
        if state == RequestState.ACCEPTED:
            at, is_open = answered_at or run.created_at, False
            if until is not None and at > until:
                continue
        else:
            at, is_open = run.finished_at or run.created_at, run.state != RunState.STOPPED
        rows.append((number, kind == Kind.LEAVE, at, is_open))
    return pl.DataFrame(rows, schema=ANSWERS, orient="row")
