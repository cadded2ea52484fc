"""Conditions over events as SQL: every behaviour reads its own rows once."""

from datetime import time, timedelta
from typing import assert_never

from workbench.segments.behaviours import (
    WEEKDAYS,
    Clock,
    ConstantPart,
    ConstantProperty,
    Did,
    Interest,
    Milestone,
    Regularly,
    Selection,
    Sequence,
    selection,
    selections,
)
from workbench.segments.measures import comparisons, holds_at_zero, share_of
from workbench.segments.model import Behaviour
from workbench.segments.offsets import offsets
from workbench.segments.predicates import ONCE, Function, Measure, Operator
from workbench.segments.sentence import events_sentence
from workbench.segments.sql import compare
from workbench.segments.sql.query import EVERYONE
from workbench.segments.sql.writer import Writer
from workbench.segments.windows import EVER, Span, Window, midnight, span
from workbench.store.catalogue import ANY_EVENT
from workbench.store.engine import quote


def behaviour(writer: Writer, condition: Behaviour, depth: int) -> str:
    """Append the steps of a condition over events and return the name of the one that answers it."""
    if any(events.clock and events.clock.zone == "user" for events in selections(condition)):
        writer.user_zones()
    match condition:
        case Did():
            sql, slug = _did(writer, condition), f"did_{condition.events[0]}"
        case Milestone():
            sql, slug = _milestone(writer, condition), f"{condition.which}_{condition.events[0]}"
        case Interest():
            sql, slug = _interest(writer, condition), f"interest_{condition.property}"
        case Regularly():
            sql, slug = _regularly(writer, condition), f"regularly_{condition.events[0]}"
        case Sequence():
            sql, slug = _sequence(writer, condition), f"sequence_{condition.first.events[0]}"
        case ConstantProperty():
            sql, slug = _constant(writer, condition), f"constant_{condition.name}"
        case _:
            assert_never(condition)
    return writer.condition(condition, sql, depth, slug=slug)


def _did(writer: Writer, did: Did) -> str:
    prefix = writer.name("did")
    source = rows_sql(writer, selection(did), did.window, prefix)
    if did.measure == ONCE:
        sql = f"  SELECT DISTINCT user_code {source}"
    else:
        sql = f"  SELECT user_code {source}\n  GROUP BY user_code\n  HAVING {_measure(writer, did.measure, prefix)}"
    if did.include_zero and holds_at_zero(did.measure):
        sql += f"\n  UNION\n  (SELECT user_code FROM {EVERYONE}\n  EXCEPT\n  SELECT user_code {source})"
    return sql


def _milestone(writer: Writer, condition: Milestone) -> str:
    prefix = writer.name("milestone")
    source = rows_sql(writer, selection(condition), EVER, prefix)
    extreme = "min(ts)" if condition.which == "first" else "max(ts)"
    window = span(condition.window, writer.as_of, writer.scope.zone)
    limits = times(writer, window, prefix, extreme) or [f"{extreme} IS NOT NULL"]
    return f"  SELECT user_code {source}\n  GROUP BY user_code\n  HAVING {' AND '.join(limits)}"


def _interest(writer: Writer, condition: Interest) -> str:
    prefix = writer.name("interest")
    source = rows_sql(writer, selection(condition), condition.window, prefix)
    column = quote(writer.scope.catalogue.properties[condition.property].column)
    values = ", ".join(writer.bind(f"{prefix}_v{n}", value) for n, value in enumerate(condition.values, 1))
    if condition.percent is not None:
        share = share_of(condition.percent)
        part, whole = (
            writer.bind(f"{prefix}_part", share.numerator),
            writer.bind(f"{prefix}_whole", share.denominator),
        )
        return (
            f"  SELECT user_code {source}\n  GROUP BY user_code\n"
            f"  HAVING {whole} * count(*) FILTER (WHERE {column} IN ({values})) >= {part} * count(*)"
        )
    return (
        f"  SELECT user_code FROM (\n  SELECT user_code, {column} AS value, count(*) AS times {source}\n"
        f"    AND {column} IS NOT NULL\n  GROUP BY user_code, value\n  )\n  GROUP BY user_code\n"
        f"  HAVING max(times) FILTER (WHERE value IN ({values}))\n"
        f"    > coalesce(max(times) FILTER (WHERE value NOT IN ({values})), 0)"
    )


def _regularly(writer: Writer, condition: Regularly) -> str:
    prefix, zone = writer.name("regularly"), writer.scope.zone
    tomorrow = writer.today + timedelta(days=1)
    starts = [
        writer.bind(f"{prefix}_start{n}", midnight(tomorrow - timedelta(days=n * condition.days), zone))
        for n in range(condition.periods, 0, -1)
    ]
    source = rows_sql(writer, selection(condition), EVER, prefix)
    period = " + ".join(f"(ts >= {start})::INTEGER" for start in starts[1:]) or "0"
    least_times = writer.bind(f"{prefix}_times", condition.times)
    least = writer.bind(f"{prefix}_least", condition.at_least)
    return (
        f"  SELECT user_code FROM (\n  SELECT user_code, {period} AS period {source}\n"
        f"    AND ts >= {starts[0]}\n  GROUP BY user_code, period\n  HAVING count(*) >= {least_times}\n  )\n"
        f"  GROUP BY user_code\n  HAVING count(*) >= {least}"
    )


def _sequence(writer: Writer, condition: Sequence) -> str:
    parts = []
    for word, events, window in (
        ("first", condition.first, condition.window),
        ("then", condition.then, EVER),
    ):
        prefix = writer.name(word)
        sql = f"  SELECT user_code, ts {rows_sql(writer, events, window, prefix)}"
        parts.append(writer.step(f"{word}: {events_sentence(events)}", sql, slug=word))
    first, then = parts
    prefix = writer.name("sequence")
    within = f"to_microseconds({writer.bind(f'{prefix}_within', condition.within.elapsed // timedelta(microseconds=1))})"
    later = f"{then} b ON a.user_code = b.user_code AND a.ts < b.ts"
    if condition.followed:
        return (
            f"  SELECT DISTINCT a.user_code FROM {first} a ASOF JOIN {later}\n  WHERE b.ts <= a.ts + {within}"
        )
    return (
        f"  SELECT DISTINCT a.user_code FROM {first} a ASOF LEFT JOIN {later}\n"
        f"  WHERE a.ts + {within} <= $as_of AND (b.ts IS NULL OR b.ts > a.ts + {within})"
    )


def _constant(writer: Writer, condition: ConstantProperty) -> str:
    done: list[str] = []
    undone: list[str] = []
    for part in condition.parts:
        name = _part(writer, part)
        (done if part.did else undone).append(name)
    sql = "\n  INTERSECT\n".join(f"  SELECT user_code, value FROM {name}" for name in done)
    sql += "".join(f"\n  EXCEPT\n  SELECT user_code, value FROM {name}" for name in undone)
    values = writer.step(f"values of {condition.name}", sql, slug=f"values_{condition.name}")
    newest = "\n  UNION ALL\n".join(f"  SELECT user_code, value, newest FROM {name}" for name in done)
    writer.matched[condition.name] = (
        f"SELECT user_code, value, max(newest) AS newest FROM (\n{newest}\n)\n"
        f"SEMI JOIN {values} USING (user_code, value)\nGROUP BY user_code, value"
    )
    writer.limits[condition.name] = condition.limit
    return f"  SELECT DISTINCT user_code FROM {values}"


def _part(writer: Writer, part: ConstantPart) -> str:
    prefix = writer.name("part")
    column = quote(writer.scope.catalogue.properties[part.property].column)
    source = rows_sql(writer, selection(part), part.window, prefix)
    having = "" if part.measure == ONCE else f"\n  HAVING {_measure(writer, part.measure, prefix)}"
    sql = (
        f"  SELECT user_code, {column} AS value, max(ts) AS newest {source}\n"
        f"    AND {column} IS NOT NULL\n  GROUP BY user_code, value{having}"
    )
    text = f"{events_sentence(selection(part))}, by {part.property}"
    return writer.step(text, sql, slug=f"part_{part.events[0]}")


def rows_sql(writer: Writer, events: Selection, window: Window, prefix: str) -> str:
    """Return FROM and WHERE of the chosen events in a window, as they were recorded by ``as_of``."""
    parts = [
        names(writer, events, prefix),
        *recorded(),
        *times(writer, span(window, writer.as_of, writer.scope.zone), prefix),
    ]
    parts += filters(writer, events, prefix)
    return f"FROM {source(writer, events)}\n  WHERE " + "\n    AND ".join(parts)


def source(writer: Writer, events: Selection, rows: str = "events") -> str:
    """Return the SQL of the table of a selection: with the user's zone where the clock needs it."""
    if events.clock is not None and events.clock.zone == "user":
        return f"{rows} JOIN {writer.user_zones()} USING (user_code)"
    return rows


def names(writer: Writer, events: Selection, prefix: str) -> str:
    """Return the SQL of the names of a selection."""
    if ANY_EVENT in events.events:
        return "true"
    bound = [writer.bind(f"{prefix}_e{n}", event) for n, event in enumerate(events.events, 1)]
    return f"event = {bound[0]}" if len(bound) == 1 else f"event IN ({', '.join(bound)})"


def recorded() -> list[str]:
    """Return the SQL of what had happened and was recorded by ``as_of``."""
    return ["ts <= $as_of", "coalesce(received_at, ts) <= $as_of"]


def filters(writer: Writer, events: Selection, prefix: str) -> list[str]:
    """Return the SQL of the filters and of the clock of a selection."""
    known = writer.scope.catalogue.properties
    found = [
        compare.predicate(writer, item, known, f"{prefix}_f{number}")
        for number, item in enumerate(events.where, 1)
    ]
    if events.clock is not None:
        local = "timezone(zone, ts)" if events.clock.zone == "user" else _account_time(writer)
        found += _clock(writer, events.clock, local, prefix)
    return found


def times(writer: Writer, limits: Span, prefix: str, ts: str = "ts") -> list[str]:
    """Return the SQL of a window's bounds."""
    found = []
    if limits.start is not None:
        found.append(f"{ts} >= {writer.bind(f'{prefix}_from', limits.start)}")
    if limits.end is not None:
        found.append(f"{ts} < {writer.bind(f'{prefix}_to', limits.end)}")
    return found


def _clock(writer: Writer, clock: Clock, local: str, prefix: str) -> list[str]:
    found = []
    if clock.end is not None or clock.start != time():
        found.append(f"{local}::TIME >= {writer.bind(f'{prefix}_after', clock.start)}")
    if clock.end is not None:
        before = f"{local}::TIME < {writer.bind(f'{prefix}_before', clock.end)}"
        found = [f"({found[0]} {'OR' if clock.end <= clock.start else 'AND'} {before})"]
    if clock.weekdays:
        days = ", ".join(str(WEEKDAYS[day]) for day in clock.weekdays)
        found.append(f"isodow({local}) IN ({days})")
    return found


def _account_time(writer: Writer) -> str:
    """Return the SQL of an event's local time by the offsets of the account's zone."""
    *changes, newest = offsets(writer.scope.zone, *writer.scope.span(writer.as_of))
    cases = [
        f"WHEN ts < {writer.bind(f'zone_until{n}', change.until)} THEN {change.seconds}"
        for n, change in enumerate(changes, 1)
    ]
    seconds = f"CASE {' '.join(cases)} ELSE {newest.seconds} END" if cases else f"{newest.seconds}"
    return f"(timezone('UTC', ts) + to_seconds({seconds}))"


def _measure(writer: Writer, measure: Measure, prefix: str) -> str:
    column = quote(writer.scope.catalogue.properties[measure.property].column) if measure.property else ""
    match measure.function:
        case Function.COUNT:
            value = "count(*)"
        case Function.SUM:
            return _with_room(writer, measure, f"coalesce(sum({column}), 0)", prefix)
        case Function.AVERAGE:
            return _with_room(writer, measure, f"coalesce(sum({column}), 0) / count(*)", prefix)
        case Function.MINIMUM:
            value = f"min({column})"
        case Function.MAXIMUM:
            value = f"max({column})"
        case Function.DISTINCT:
            value = f"count(DISTINCT {column})"
        case _:
            assert_never(measure.function)
    return compare.compare(writer, value, measure.operator, measure.values, f"{prefix}_m")


def _with_room(writer: Writer, measure: Measure, value: str, prefix: str) -> str:
    parts = [
        f"{value} {operator} {writer.bind(f'{prefix}_m{n}', limit)}"
        for n, (operator, limit) in enumerate(comparisons(measure), 1)
    ]
    fits = " AND ".join(parts)
    return f"NOT ({fits})" if measure.operator is Operator.NOT_EQUALS else fits
