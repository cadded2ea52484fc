"""The order in which runs were reserved: which is the newest of those that go to the same place."""

import sqlalchemy as sa

from workbench.export.records import Purpose, RunState
from workbench.store import tables


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
