"""What a run that is being sent writes down: in groups, before and after the bytes go out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.errors import BusyError, StoreError
from workbench.export import trail
from workbench.export.hold import Hold
from workbench.export.ledger import UNFINISHED, Kind, Request, RequestState, RunState, Seen
from workbench.export.order import is_outdated
from workbench.export.records import word
from workbench.store import tables
from workbench.store.audit import What

_RUN, _REQUEST = tables.runs.c, tables.requests.c
FINAL = (RequestState.ACCEPTED, RequestState.REJECTED)
DOUBTFUL = (RequestState.SENT, RequestState.UNKNOWN)
ENDED = (RunState.COMPLETED, RunState.BLOCKED, RunState.STOPPED)
# Statements of every tick, built once: building one takes longer than the database needs for it.
_STATE = sa.select(_RUN.state).where(_RUN.run_id == sa.bindparam("run"))
_LOCKED_STATE = _STATE.with_for_update()
_OF_RUN = _REQUEST.run_id == sa.bindparam("run")
_NUMBERED = _REQUEST.number.in_(sa.bindparam("numbers", expanding=True))
_NEXT = (
    tables.raw(tables.requests)
    .where(
        _OF_RUN, _REQUEST.number > sa.bindparam("after"), _REQUEST.state.in_(UNFINISHED),
        _REQUEST.kind.in_(sa.bindparam("kinds", expanding=True)),
    )
    .order_by(_REQUEST.number)
    .limit(sa.bindparam("room"))
    .with_for_update()
)  # fmt: skip
_TAKE = (
    tables.requests.update()
    .where(_OF_RUN, _NUMBERED)
    .values(state=RequestState.SENT, attempts=_REQUEST.attempts + 1)
)
_OPEN = tables.requests.update().where(_OF_RUN, _NUMBERED, _REQUEST.state.not_in(FINAL))
_ANSWERED = _OPEN.values(
    state=sa.bindparam("to"), answer=sa.bindparam("said"), answered_at=sa.bindparam("at")
)
_BACK = _OPEN.values(state=sa.bindparam("to"), answer=sa.bindparam("said"))
_NOT_BEGUN = _OPEN.values(state=sa.bindparam("to"), attempts=_REQUEST.attempts - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where a request stands now.

    Attributes:
        was_begun: whether any of its bytes may have gone out since it was marked ``sent``.
    """

    number: int
    state: RequestState
    answer: str | None = None
    was_begun: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one transaction has found and done.

    Attributes:
        state: of the run, as another process may have set it.
        known_at: by the monotonic clock; the run was in this state, and held, later than this.
        requests: marked ``sent``, to be sent now; as they were before.
        is_last: whether the run has no further ones.
    """

    state: RunState
    known_at: float
    requests: tuple[Request, ...] = ()
    is_last: bool = False


class Marks:
    """The marks of one run, by the process that holds it."""

    def __init__(self, hold: Hold, run_id: str, newer: str | None = None) -> None:
        """Begin before the first request.

        Args:
            hold: of the process.
            run_id: whose.
            newer: the run that has decided since who leaves, see ``Ledger.decided_since``: the leaves of this one would
                take out who is in again, so they are not taken.
        """
        self._hold = hold
        self._run_id = run_id
        self._newer = newer
        self._after = 0
        self._doubtful: frozenset[int] = frozenset()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The requests that are still sent."""
        return tuple(Kind) if self._newer is None else (Kind.MESSAGE,)

    def start(self) -> RunState:
        """Record that the run is being sent, unless it has ended or is to stop; return its state."""
        table = tables.requests
        with self._hold.transaction() as sql:
            state = found = self._state(sql)
            query = sa.select(table.c.number).where(
                table.c.run_id == self._run_id, table.c.state.in_(DOUBTFUL)
            )
            self._doubtful = frozenset(sql.scalars(query))
            if found in {RunState.RUNNING, RunState.INTERRUPTED}:
                state = RunState.RUNNING
                sql.execute(self._run().values(state=state, note=None, finished_at=None))
                trail.started(sql, self._run_id, found)
        return state

    def tick(self, marks: Sequence[Mark], *, room: int, now: datetime) -> Tick:
        """Record outcomes, and take the next requests unless the run is to stop; both or neither.

        Args:
            marks: outcomes of requests that this process has taken.
            room: how many requests may be taken.
            now: when the outcomes came.

        Raises:
            BusyError: another process has finished or is sending one of the requests. The other outcomes are
                recorded, and nothing is taken.
            StoreError: nothing of it is recorded.
        """
        with self._hold.transaction() as sql:
            state = self._state(sql)
            strangers = self._record(sql, marks, now)
            taken: list[Request] = []
            if room and not strangers and state is RunState.RUNNING:
                taken, strangers = self._take(sql, room)
        if strangers:
            raise BusyError(f"request {strangers[0]} of {self._run_id} was taken up by another process")
        if taken:
            self._after = taken[-1].number
        return Tick(
            state=state, requests=tuple(taken), is_last=len(taken) < room, known_at=self._hold.known_at
        )

    def look(self) -> Tick:
        """Read where the run stands."""
        with self._hold.looking() as sql:
            state = self._state(sql, writes=False)
        return Tick(state=state, known_at=self._hold.known_at)

    def rescue(self, marks: Iterable[Mark], now: datetime) -> None:
        """Record acceptances without the hold, which is lost: they are true whoever sends the run now."""
        with self._hold.database.transaction() as sql:
            state = self._state(sql)
            self._record(sql, [mark for mark in marks if mark.state is RequestState.ACCEPTED], now)
            if state in (*ENDED, RunState.INTERRUPTED):
                trail.stands(sql, self._run_id)

    def give_back(
        self, numbers: Sequence[int], *, note: str, because: str | None = None, seen: Seen | None = None
    ) -> None:
        """Let rejected requests be sent again; the run is interrupted until they are.

        Args:
            numbers: of the requests.
            note: what the run says of it until it has ended.
            because: a person's reason, for the audit trail.
            seen: the runs whose messages were counted; None where none are.

        Raises:
            BusyError: one of them is no longer rejected, the run is to stop, or there are messages that were not
                seen; nothing is changed then.
        """
        run, table = tables.runs.c, tables.requests
        where = (
            table.c.run_id == self._run_id, table.c.number.in_(numbers), table.c.state == RequestState.REJECTED,
        )  # fmt: skip
        place = sa.select(run.campaign_id, run.receiver, run.environment).where(run.run_id == self._run_id)
        with self._hold.transaction(alone=True) as sql:
            state = self._state(sql)
            if state in {RunState.STOPPING, RunState.STOPPED}:
                raise BusyError(f"{self._run_id} is {state}; nothing of it was given back")
            if seen is not None and is_outdated(sql, seen, *sql.execute(place).one()):
                raise BusyError(
                    f"another run was reserved meanwhile; nothing of {self._run_id} was given back, try again"
                )
            if sql.execute(table.update().where(*where).values(state=RequestState.RESERVED)).rowcount < len(
                numbers
            ):
                raise BusyError(f"requests of {self._run_id} were given back by another process")
            sql.execute(self._run().values(state=RunState.INTERRUPTED, finished_at=None, note=note))
            given = {"requests": len(numbers), "numbers": trail.ranges(numbers), "because": because}
            trail.stands(sql, self._run_id, What.GIVEN_BACK, given)

    def conclude(self, state: RunState, *, now: datetime, note: str | None = None) -> RunState:
        """Record how the sending ended; a run that is to stop is stopped then, unless it is complete.

        A run with nothing left but leaves that a newer run has decided anew is complete; they stay as they are.
        """
        table = tables.requests
        details: dict[str, Any] = {}
        with self._hold.transaction() as sql:
            found = self._state(sql)
            if found in ENDED:
                return found
            if state is RunState.COMPLETED:
                left = self._left(sql)
                if any(kind in self.kinds for kind in left):
                    raise StoreError(f"{self._run_id} has requests that were not sent; it is not complete")
                if left:
                    users = left[Kind.LEAVE]
                    are = "leave is" if users == 1 else "leaves are"
                    note = f"{users:,} {are} not sent any more: {self._newer} has decided since who leaves"
                    details = {"overtaken_by": self._newer}
            elif found is RunState.STOPPING:
                state = RunState.STOPPED
            if state in ENDED:
                where = (table.c.run_id == self._run_id, table.c.state == RequestState.SENT)
                sql.execute(table.update().where(*where).values(state=RequestState.UNKNOWN))
            finished = now if state in ENDED else None
            values: dict[str, Any] = {"state": state, "finished_at": finished}
            if found is not RunState.STOPPING or state is RunState.COMPLETED:
                values["note"] = note
            sql.execute(self._run().values(values))
            trail.stands(sql, self._run_id, details=details)
        return state

    def _left(self, sql: sa.Connection) -> dict[str, int]:
        """How many users the requests of each kind hold that are not finished."""
        table = tables.requests.c
        query = sa.select(table.kind, sa.func.sum(table.users)).where(
            table.run_id == self._run_id, table.state.in_(UNFINISHED)
        )
        return {kind: int(users) for kind, users in sql.execute(query.group_by(table.kind))}

    def _run(self) -> sa.Update:
        return tables.runs.update().where(tables.runs.c.run_id == self._run_id)

    def _state(self, sql: sa.Connection, *, writes: bool = True) -> RunState:
        query = _LOCKED_STATE if writes else _STATE
        state = sql.execute(query, {"run": self._run_id}).scalar_one()
        return word(RunState, state, f"run {self._run_id}")

    def _record(self, sql: sa.Connection, marks: Sequence[Mark], now: datetime) -> list[int]:
        """Write outcomes, those alike in one statement; return the requests that somebody else has finished."""
        alike: defaultdict[tuple[RequestState, str | None, bool], list[int]] = defaultdict(list)
        for mark in marks:
            alike[mark.state, mark.answer, mark.was_begun].append(mark.number)
        strangers: list[int] = []
        for (state, answer, was_begun), numbers in alike.items():
            values: dict[str, Any] = {"run": self._run_id, "numbers": numbers, "to": state}
            if not was_begun:
                update = _NOT_BEGUN
            elif state is RequestState.RESERVED:
                update, values = _BACK, values | {"said": answer}
            else:
                update, values = _ANSWERED, values | {"said": answer, "at": now}
            if sql.execute(update, values).rowcount < len(numbers):
                others = sa.select(_REQUEST.number).where(_OF_RUN, _NUMBERED, _REQUEST.state != state)
                found = sql.scalars(others, {"run": self._run_id, "numbers": numbers}).all()
                strangers += found or numbers[:1]
        return strangers

    def _take(self, sql: sa.Connection, room: int) -> tuple[list[Request], list[int]]:
        """Mark the next requests ``sent``; one that is being sent and was not at the start is a stranger's."""
        values = {"run": self._run_id, "after": self._after, "kinds": self.kinds, "room": room}
        found = [Request.of(row) for row in sql.execute(_NEXT, values).mappings()]
        strangers = [
            request.number
            for request in found
            if request.state in DOUBTFUL and request.number not in self._doubtful
        ]
        if strangers or not found:
            return [], strangers
        sql.execute(_TAKE, {"run": self._run_id, "numbers": [request.number for request in found]})
        return found, []
