"""Why one user is, or is not, in a segment: the answer of each condition, and the rows that gave it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

import polars as pl

from workbench.errors import NotFoundError
from workbench.segments.behaviours import (
    ConstantProperty,
    Did,
    Interest,
    Milestone,
    Regularly,
    Selection,
    Sequence,
    selection,
)
from workbench.segments.check import check
from workbench.segments.model import AllOf, AnyOf, Behaviour, Condition, Not, Segment
from workbench.segments.scope import Scope, aware
from workbench.segments.sentence import sentence
from workbench.segments.sql import Query, compile_sql
from workbench.segments.sql.behaviours import rows_sql
from workbench.segments.sql.writer import Writer
from workbench.segments.traits import InSegment
from workbench.segments.windows import EVER, Window
from workbench.store import engine
from workbench.store.engine import quote

MOST_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one condition says of the user.

    Attributes:
        condition: as it stands in the tree.
        depth: 0 for the whole.
        holds: whether the user fits it.
        decides: whether the answer of the whole hangs on it.
        events: the newest matching events, at most 20: ``event, ts`` and the properties that any of them
            has; None for conditions that are not over events.
        matching: how many events match in all.
    """

    condition: Condition
    depth: int
    holds: bool
    decides: bool
    events: pl.DataFrame | None = None
    matching: int = 0

    @property
    def sentence(self) -> str:
        """What the condition says."""
        return sentence(self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One user, one segment, one instant; the answers parents first."""

    user_id: str
    as_of: datetime
    known: bool
    answers: tuple[Answer, ...]

    @property
    def holds(self) -> bool:
        """Whether the user is in the segment; nobody is without a profile."""
        return self.known and self.answers[0].holds


def explain(
    segment: Segment, user_id: str, as_of: datetime, *, scope: Scope, connection: engine.Connection
) -> Explanation:
    """Ask every condition of a segment about one user.

    Args:
        segment: to explain.
        user_id: the customer's own id.
        as_of: the instant of the question.
        scope: the account at the lake version of the connection.
        connection: with the views of that version.

    Raises:
        NotFoundError: no such user in the lake.
        SegmentError: the segment cannot be asked.
    """
    check(segment, scope, as_of)
    found = engine.rows(connection, "SELECT user_code FROM users WHERE user_id = $user", {"user": user_id})
    if not found:
        raise NotFoundError(f'no user "{user_id}" in the lake')
    asked = _Asked(as_of=aware(as_of), scope=scope, connection=connection, code=int(found[0][0]))
    answers = asked.answer(segment.condition, 0)
    return Explanation(user_id=user_id, as_of=asked.as_of, known=asked.known(), answers=_decided(answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    as_of: datetime
    scope: Scope
    connection: engine.Connection
    code: int

    def known(self) -> bool:
        """Whether the user has a profile at the instant."""
        everyone = AllOf(conditions=())
        query = compile_sql(Segment(name="everyone", condition=everyone), self.as_of, self.scope)
        return bool(self._among(query.sql, query.parameters))

    def answer(self, condition: Condition, depth: int) -> list[Answer]:
        """Answer a condition and all below it, parents first."""
        match condition:
            case AllOf() | AnyOf():
                below = [self.answer(part, depth + 1) for part in condition.conditions]
                each = [answers[0].holds for answers in below]
                holds = all(each) if isinstance(condition, AllOf) else any(each)
                return [
                    self._group(condition, depth, holds),
                    *(item for answers in below for item in answers),
                ]
            case Not():
                inner = self.answer(condition.condition, depth + 1)
                return [self._group(condition, depth, not inner[0].holds), *inner]
            case InSegment():
                found = self.scope.resolver.find(condition.segment, condition.version)
                if found is None:
                    raise LookupError(f'segment "{condition.segment}" was not checked')
                inner = self.answer(found.condition, depth + 1)
                return [self._group(condition, depth, inner[0].holds), *inner]
            case _:
                return [self._leaf(condition, depth)]

    @staticmethod
    def _group(condition: Condition, depth: int, holds: bool) -> Answer:
        return Answer(condition=condition, depth=depth, holds=holds, decides=False)

    def _leaf(self, condition: Condition, depth: int) -> Answer:
        query = compile_sql(Segment(name="leaf", condition=condition), self.as_of, self.scope)
        holds = bool(self._among(query.sql, query.parameters))
        answer = Answer(condition=condition, depth=depth, holds=holds, decides=False)
        if isinstance(condition, Did | Milestone | Interest | Regularly | Sequence | ConstantProperty):
            events, matching = self._events(condition)
            return replace(answer, events=events, matching=matching)
        return answer

    def _among(self, sql: str, parameters: object) -> int:
        query = f"SELECT count(*) FROM ({sql}) WHERE user_code = $this_user"
        values = {**dict(parameters), "this_user": self.code}  # type: ignore[call-overload]
        return int(engine.rows(self.connection, query, values)[0][0])

    def _events(self, condition: Behaviour) -> tuple[pl.DataFrame, int]:
        """Return the newest events that a condition looks at, and how many there are."""
        writer = Writer(as_of=self.as_of, scope=self.scope)
        names = {item.column: item.name for item in self.scope.catalogue.properties.values()}
        columns = ", ".join(["event", "ts", *(quote(column) for column in names)])
        sources = [
            rows_sql(writer, events, window, f"r{number}")
            for number, (events, window) in enumerate(_looked_at(condition), 1)
        ]
        each = " UNION ALL ".join(
            f"SELECT {columns} {source} AND user_code = $this_user" for source in sources
        )
        ctes = Query(steps=tuple(writer.steps), parameters={}).ctes
        sql = (
            f"{ctes}\nSELECT *, count(*) OVER () AS matching FROM ({each}) ORDER BY ts DESC LIMIT {MOST_ROWS}"
        )
        found = engine.frame(self.connection, sql, {**writer.parameters, "this_user": self.code})
        matching = int(found["matching"][0]) if found.height else 0
        shown = [column for column in names if found[column].null_count() < found.height]
        renamed = {
            column: f"{name} (property)" if name in {"event", "ts"} else name
            for column, name in names.items()
        }
        return found.select("event", "ts", *shown).rename(
            {column: renamed[column] for column in shown}
        ), matching


def _looked_at(condition: Behaviour) -> list[tuple[Selection, Window]]:
    """Return the events that a condition looks at, and in which window."""
    match condition:
        case Did() | Interest():
            return [(selection(condition), condition.window)]
        case Milestone() | Regularly():
            return [(selection(condition), EVER)]
        case Sequence():
            return [(condition.first, condition.window), (condition.then, EVER)]
        case ConstantProperty():
            return [(selection(part), part.window) for part in condition.parts]
        case _:
            assert_never(condition)


def _decided(answers: list[Answer]) -> tuple[Answer, ...]:
    """Mark what the answer of the whole hangs on: of a group those parts that give it."""
    marked = [replace(answers[0], decides=True)]
    above: list[Answer] = [marked[0]]
    for answer in answers[1:]:
        above = above[: answer.depth]
        parent = above[-1]
        gives = isinstance(parent.condition, Not | InSegment) or answer.holds == parent.holds
        marked.append(replace(answer, decides=parent.decides and gives))
        above.append(marked[-1])
    return tuple(marked)
