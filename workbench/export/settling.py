"""A person's word for requests whose outcome nobody will learn any more."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from workbench.errors import InputError
from workbench.export import trail
from workbench.export.hold import Hold
from workbench.export.marks import DOUBTFUL
from workbench.export.records import UNFINISHED, RequestState, RunState
from workbench.store import tables
from workbench.store.audit import What


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many users a word was given for.

    Attributes:
        doubtful: those whose requests may have arrived: they have the outcome that the person gave.
        unsent: those to whom nothing was ever sent: they are rejected, or stay as they are in a stopped run.
    """

    doubtful: int
    unsent: int


def settle(
    hold: Hold, run_id: str, outcome: RequestState, *, answer: str, because: str, now: datetime
) -> Settled:
    """Give the doubtful requests of a run an outcome and end it, in one transaction with its entry.

    What is ``reserved`` was certainly not taken, so no word makes it accepted.

    Args:
        hold: of the process that holds the run.
        run_id: whose.
        outcome: of the doubtful ones.
        answer: what the requests, and the run, say of it.
        because: the person's reason, for the audit trail.
        now: the instant.

    Raises:
        InputError: no request is open; nothing is changed.
    """
    run, table = tables.runs, tables.requests
    of_run = table.c.run_id == run_id
    with hold.transaction() as sql:
        query = sa.select(run.c.state).where(run.c.run_id == run_id).with_for_update()
        is_stopped = sql.execute(query).scalar_one() in {RunState.STOPPING, RunState.STOPPED}
        counted = {
            row.state: row
            for row in sql.execute(
                sa.select(
                    table.c.state,
                    sa.func.count().label("requests"),
                    sa.func.sum(table.c.users).label("users"),
                )
                .where(of_run, table.c.state.in_(UNFINISHED))
                .group_by(table.c.state)
            )
        }
        words = dict.fromkeys(DOUBTFUL, (outcome, answer))
        if not is_stopped:
            words[RequestState.RESERVED] = (RequestState.REJECTED, f"not sent; {answer}")
        told = {state.value: int(counted[state].requests) for state in words if state in counted}
        if not told:
            raise InputError(f"{run_id} has no request whose outcome is open")
        for before, (value, text) in words.items():
            values = {"state": value, "answer": text, "answered_at": now}
            sql.execute(table.update().where(of_run, table.c.state == before).values(values))
        state = RunState.STOPPED if is_stopped else RunState.COMPLETED
        note = {} if is_stopped else {"note": answer}
        sql.execute(run.update().where(run.c.run_id == run_id).values(state=state, finished_at=now, **note))
        details = {"as": outcome.value, "because": because, "requests": told}
        trail.stands(sql, run_id, What.RUN_SETTLED, details)
    users = {state: int(row.users) for state, row in counted.items()}
    return Settled(
        doubtful=sum(users.get(state, 0) for state in DOUBTFUL), unsent=users.get(RequestState.RESERVED, 0)
    )
