"""The order in which runs were reserved: which is the newest of those that go to the same place."""

import sqlalchemy as sa

from workbench.export.records import Purpose, RunState, Seen
from workbench.store import tables
from workbench.store.audit import What


def same_receiver(receiver: str, environment: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of the runs of campaigns that go to the same place."""
    run = tables.runs.c
    return (
        run.receiver == receiver, run.environment == environment, run.purpose == Purpose.CAMPAIGN,
    )  # fmt: skip


def newest_number(sql: sa.Connection, receiver: str, environment: str, campaign_id: str | None) -> int:
    """Return the number of the newest run to a receiver, of one campaign or of all; 0 without any."""
    run = tables.runs.c
    where = [*same_receiver(receiver, environment)]
    if campaign_id is not None:
        where.append(run.campaign_id == campaign_id)
    return int(sql.scalar(sa.select(sa.func.max(run.number)).where(*where)) or 0)


def is_outdated(sql: sa.Connection, seen: Seen, campaign_id: str, receiver: str, environment: str) -> bool:
    """Whether messages have come to count that a plan has not seen: of newer runs, or given back since."""
    newest = newest_number(sql, receiver, environment, campaign_id if seen.one_campaign else None)
    return newest != seen.newest or seen.given_back not in {None, given_back(sql)}


def given_back(sql: sa.Connection) -> int:
    """Return how often rejected requests have been given back to their runs."""
    entries = sa.select(sa.func.count()).where(tables.audit.c.what == What.GIVEN_BACK)
    return int(sql.scalar(entries) or 0)


def decided_since(sql: sa.Connection, run_id: str) -> str | None:
    """Return the newest run that has decided, after this one, who is in the audience that both keep; None for none.

    A blocked run decides nothing.
    """
    run = tables.runs.c
    this = sql.execute(
        sa.select(run.number, run.campaign_id, run.receiver, run.environment, run.membership).where(
            run.run_id == run_id
        )
    ).one()
    if this.membership is None:
        return None
    query = sa.select(run.run_id).where(
        *same_receiver(this.receiver, this.environment), run.campaign_id == this.campaign_id,
        run.number > this.number, run.state != RunState.BLOCKED,
        run.membership["attribute"].as_string() == this.membership["attribute"],
    )  # fmt: skip
    found: str | None = sql.scalar(query.order_by(run.number.desc()).limit(1))
    return found
