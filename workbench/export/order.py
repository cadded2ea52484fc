"""The order in which runs were reserved: which is the newest of those that go to the same place."""

import sqlalchemy as sa

from workbench.export.records import Purpose
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
