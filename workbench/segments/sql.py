"""The condition tree as DuckDB SQL: one named CTE a condition, values bound, identifiers from the catalogue.

The query reads the views ``events`` and ``profile_versions`` of a lake version and answers with one
column, ``user_code``. Sets are combined with INTERSECT, UNION and EXCEPT, which mean the same on every
engine; a user without a profile at ``as_of`` is in no segment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from workbench.errors import InputError
from workbench.segments.model import (
    AllOf,
    AnyOf,
    Condition,
    Did,
    Function,
    InSegment,
    Measure,
    Not,
    Operator,
    Predicate,
    Segment,
    UserProperty,
)
from workbench.segments.resolve import Resolver
from workbench.segments.sentence import sentence
from workbench.segments.windows import Span, Window, span
from workbench.store.catalogue import ANY_EVENT, Catalogue, Property
from workbench.store.engine import quote
from workbench.store.lake import profiles_at

EVERYONE = "everyone"
DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One named CTE: the condition that it answers and where that condition stands in the tree."""

    name: str
    sentence: str
    depth: int
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A compiled segment.

    Attributes:
        steps: one a condition, children before parents; the last one is the whole tree.
        parameters: the bound values by name.
    """

    steps: tuple[Step, ...]
    parameters: Mapping[str, Any]

    @property
    def sql(self) -> str:
        """The query for the users: one column, ``user_code``, without order."""
        root = self.steps[-1].name
        return f"{self._with()}\nSELECT user_code FROM {root}\nINTERSECT\nSELECT user_code FROM {EVERYONE}"

    @property
    def counts_sql(self) -> str:
        """The query for the size of every condition: columns ``name, users``; ``everyone`` is one of them."""
        selects = [f"SELECT '{EVERYONE}' AS name, count(*) AS users FROM {EVERYONE}"]
        selects += [
            f"SELECT '{step.name}', count(*) FROM (SELECT user_code FROM {step.name} "
            f"INTERSECT SELECT user_code FROM {EVERYONE})"
            for step in self.steps
        ]
        return f"{self._with()}\n" + "\nUNION ALL\n".join(selects)

    def _with(self) -> str:
        ctes = [
            f"profiles AS (\n  {profiles_at()}\n)",
            f"{EVERYONE} AS (\n  SELECT user_code FROM profiles\n)",
        ]
        ctes += [f"-- {_comment(step.sentence)}\n{step.name} AS (\n{step.sql}\n)" for step in self.steps]
        return "WITH\n" + ",\n".join(ctes)


def compile_sql(
    segment: Segment, as_of: datetime, *, catalogue: Catalogue, zone: ZoneInfo, resolver: Resolver
) -> Query:
    """Compile a checked segment.

    Args:
        segment: without problems (``check.check`` has passed).
        as_of: the instant of the question; rows recorded later are not seen.
        catalogue: where identifiers and types come from.
        zone: of the account, for the boundaries of days.
        resolver: finds the segments that this one names.

    Raises:
        InputError: ``as_of`` is naive.
    """
    if as_of.tzinfo is None:
        raise InputError(f"as_of {as_of} has no time zone")
    compiler = _Compiler(as_of=as_of.astimezone(UTC), catalogue=catalogue, zone=zone, resolver=resolver)
    compiler.add(segment.condition, depth=0)
    return Query(steps=tuple(compiler.steps), parameters=compiler.parameters)


@dataclass(slots=True, kw_only=True)
class _Compiler:
    as_of: datetime
    catalogue: Catalogue
    zone: ZoneInfo
    resolver: Resolver
    steps: list[Step] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parameters["as_of"] = self.as_of

    def add(self, condition: Condition, depth: int) -> str:
        """Append the CTEs of a condition and return the name of the one that answers it."""
        match condition:
            case AllOf():
                wanted = [c for c in condition.conditions if not isinstance(c, Not)]
                refused = [c.condition for c in condition.conditions if isinstance(c, Not)]
                base = [self.add(part, depth + 1) for part in wanted] or [EVERYONE]
                minus = [self.add(part, depth + 1) for part in refused]
                sql = _combine(base, "INTERSECT") + "".join(f"\n  EXCEPT\n{_select(name)}" for name in minus)
            case AnyOf():
                sql = _combine([self.add(part, depth + 1) for part in condition.conditions], "UNION")
            case Not():
                sql = _combine([EVERYONE, self.add(condition.condition, depth + 1)], "EXCEPT")
            case Did(match="all") if len(condition.events) > 1:
                each = [self._did(condition, (event,), depth + 1) for event in condition.events]
                sql = _combine(each, "INTERSECT")
            case Did():
                return self._did(condition, condition.events, depth)
            case UserProperty():
                fits = self._predicate(condition.predicate, self.catalogue.attributes, self._next("user"))
                sql = f"  SELECT user_code FROM {self._profiles(condition.predicate)}\n  WHERE {fits}"
            case InSegment():
                found = self.resolver.find(condition.segment, condition.version)
                if found is None:
                    raise LookupError(f'segment "{condition.segment}" was not checked')
                sql = _select(self.add(found.condition, depth + 1))
            case _:
                assert_never(condition)
        return self._step(condition, sql, depth)

    def _step(self, condition: Condition, sql: str, depth: int) -> str:
        name = self._next(_slug(condition))
        self.steps.append(Step(name=name, sentence=sentence(condition), depth=depth, sql=sql))
        return name

    def _next(self, slug: str) -> str:
        return f"c{len(self.steps) + 1}_{slug}"

    def _did(self, did: Did, events: tuple[str, ...], depth: int) -> str:
        shown = Did(
            events=events,
            where=did.where,
            measure=did.measure,
            window=did.window,
            include_zero=did.include_zero,
        )
        prefix = self._next("did")
        filters = [self._events(events, prefix), *self._times(did.window, prefix)]
        for number, item in enumerate(did.where, 1):
            filters.append(self._predicate(item, self.catalogue.properties, f"{prefix}_f{number}"))
        rows = "  SELECT user_code FROM events\n  WHERE " + "\n    AND ".join(filters)
        if did.measure == Measure():
            sql = rows.replace("SELECT user_code", "SELECT DISTINCT user_code", 1)
        else:
            sql = f"{rows}\n  GROUP BY user_code\n  HAVING {self._measure(did.measure, prefix)}"
        if did.include_zero and _holds_at_zero(did.measure):
            sql += f"\n  UNION\n  (SELECT user_code FROM {EVERYONE}\n  EXCEPT\n{rows})"
        return self._step(shown, sql, depth)

    def _events(self, events: tuple[str, ...], prefix: str) -> str:
        if ANY_EVENT in events:
            return "true"
        names = [self._bind(f"{prefix}_e{n}", event) for n, event in enumerate(events, 1)]
        return f"event = {names[0]}" if len(names) == 1 else f"event IN ({', '.join(names)})"

    def _times(self, window: Window, prefix: str) -> list[str]:
        limits: Span = span(window, self.as_of, self.zone)
        times = ["ts <= $as_of", "coalesce(received_at, ts) <= $as_of"]
        if limits.start is not None:
            times.append(f"ts >= {self._bind(f'{prefix}_from', limits.start)}")
        if limits.end is not None:
            times.append(f"ts < {self._bind(f'{prefix}_to', limits.end)}")
        return times

    def _measure(self, measure: Measure, prefix: str) -> str:
        column = quote(self.catalogue.properties[measure.property].column) if measure.property else ""
        match measure.function:
            case Function.COUNT:
                value = "count(*)"
            case Function.SUM:
                value = f"round(coalesce(sum({column}), 0), {DECIMALS})"
            case Function.AVERAGE:
                value = f"round(sum(coalesce({column}, 0)) / count(*), {DECIMALS})"
            case Function.MINIMUM:
                value = f"min({column})"
            case Function.MAXIMUM:
                value = f"max({column})"
            case Function.DISTINCT:
                value = f"count(DISTINCT {column})"
            case _:
                assert_never(measure.function)
        return self._compare(value, measure.operator, measure.values, f"{prefix}_m")

    def _predicate(self, item: Predicate, known: Mapping[str, Property], prefix: str) -> str:
        return self._compare(quote(known[item.property].column), item.operator, item.values, f"{prefix}_v")

    def _compare(self, left: str, operator: Operator, values: tuple[Any, ...], prefix: str) -> str:
        bound = [self._bind(f"{prefix}{n}", value) for n, value in enumerate(values, 1)]
        any_of = " OR ".join
        match operator:
            case Operator.EXISTS:
                return f"{left} IS NOT NULL"
            case Operator.NOT_EXISTS:
                return f"{left} IS NULL"
            case Operator.BETWEEN:
                return f"{left} BETWEEN {bound[0]} AND {bound[1]}"
            case Operator.EQUALS | Operator.IN:
                return f"{left} = {bound[0]}" if len(bound) == 1 else f"{left} IN ({', '.join(bound)})"
            case Operator.NOT_EQUALS | Operator.NOT_IN:
                return f"{left} <> {bound[0]}" if len(bound) == 1 else f"{left} NOT IN ({', '.join(bound)})"
            case Operator.GREATER | Operator.AT_LEAST | Operator.LESS | Operator.AT_MOST:
                return f"{left} {operator} {bound[0]}"
            case Operator.CONTAINS:
                return f"({any_of(f'contains({left}, {value})' for value in bound)})"
            case Operator.NOT_CONTAINS:
                return f"NOT ({any_of(f'contains({left}, {value})' for value in bound)})"
            case Operator.STARTS_WITH:
                return f"({any_of(f'starts_with({left}, {value})' for value in bound)})"
            case Operator.ENDS_WITH:
                return f"({any_of(f'ends_with({left}, {value})' for value in bound)})"
            case _:
                assert_never(operator)

    def _profiles(self, item: Predicate) -> str:
        if self.catalogue.attributes[item.property].column == "user_id":
            return "profiles JOIN users USING (user_code)"
        return "profiles"

    def _bind(self, name: str, value: Any) -> str:
        self.parameters[name] = value
        return f"${name}"


def _combine(names: list[str], operator: str) -> str:
    return f"\n  {operator}\n".join(_select(name) for name in names)


def _select(name: str) -> str:
    return f"  SELECT user_code FROM {name}"


def _holds_at_zero(measure: Measure) -> bool:
    first, *rest = measure.values
    match measure.operator:
        case Operator.EQUALS:
            return first == 0
        case Operator.NOT_EQUALS:
            return first != 0
        case Operator.GREATER:
            return first < 0
        case Operator.AT_LEAST:
            return first <= 0
        case Operator.LESS:
            return first > 0
        case Operator.AT_MOST:
            return first >= 0
        case _:
            return first <= 0 <= rest[0]


def _slug(condition: Condition) -> str:
    text = {
        Did: lambda c: "did_" + c.events[0], UserProperty: lambda c: "user_" + c.predicate.property,
        InSegment: lambda c: "segment_" + c.segment,
    }.get(type(condition), lambda c: c.kind)(condition)  # fmt: skip
    return (re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "x")[:40]


def _comment(text: str) -> str:
    return re.sub(r"[^\w .,:;<>=%'\"()&+/-]", "?", text)
