"""Conditions over events as lazy frames of ``user_code``."""

from datetime import timedelta
from typing import assert_never

import polars as pl

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
)
from workbench.segments.frames import compare
from workbench.segments.frames.reader import Reader, instant, one_of
from workbench.segments.measures import comparisons, holds_at_zero, share_of
from workbench.segments.model import Behaviour
from workbench.segments.offsets import offsets
from workbench.segments.predicates import Function, Measure, Operator
from workbench.segments.windows import EVER, Window, midnight, span
from workbench.store.catalogue import ANY_EVENT

USER = "user_code"


def behaviour(reader: Reader, condition: Behaviour) -> pl.LazyFrame:
    """Return the users whom a condition over events holds."""
    match condition:
        case Did():
            return _did(reader, condition)
        case Milestone():
            return _milestone(reader, condition)
        case Interest():
            return _interest(reader, condition)
        case Regularly():
            return _regularly(reader, condition)
        case Sequence():
            return _sequence(reader, condition)
        case ConstantProperty():
            return values(reader, condition).select(USER).unique()
        case _:
            assert_never(condition)


def values(reader: Reader, condition: ConstantProperty) -> pl.LazyFrame:
    """Return the values that fit every part: ``user_code, value, newest``."""
    done = [_part(reader, part) for part in condition.parts if part.did]
    undone = [_part(reader, part) for part in condition.parts if not part.did]
    found = done[0].select(USER, "value")
    for part in done[1:]:
        found = found.join(part, on=[USER, "value"], how="semi")
    for part in undone:
        found = found.join(part, on=[USER, "value"], how="anti")
    newest = pl.concat(done).group_by(USER, "value").agg(pl.col("newest").max())
    return newest.join(found, on=[USER, "value"], how="semi")


def _did(reader: Reader, did: Did) -> pl.LazyFrame:
    rows = _rows(reader, selection(did), did.window)
    found = _measured(reader, rows, did.measure, [USER]).select(USER)
    if did.include_zero and holds_at_zero(did.measure):
        without = reader.everyone.join(rows, on=USER, how="anti")
        return pl.concat([found, without])
    return found


def _milestone(reader: Reader, condition: Milestone) -> pl.LazyFrame:
    rows = _rows(reader, selection(condition), EVER)
    extreme = pl.col("ts").min() if condition.which == "first" else pl.col("ts").max()
    return rows.group_by(USER).agg(extreme).filter(*_times(reader, condition.window)).select(USER)


def _interest(reader: Reader, condition: Interest) -> pl.LazyFrame:
    rows = _rows(reader, selection(condition), condition.window)
    value = pl.col(reader.scope.catalogue.properties[condition.property].column)
    chosen = one_of(value, condition.values)
    if condition.percent is not None:
        share = share_of(condition.percent)
        enough = chosen.sum().cast(pl.Int64) * share.denominator >= pl.len().cast(pl.Int64) * share.numerator
        return rows.group_by(USER).agg(fits=enough).filter("fits").select(USER)
    times = rows.filter(value.is_not_null()).group_by(USER, value=value).agg(times=pl.len())
    given = one_of(pl.col("value"), condition.values)
    most, other = pl.col("times").filter(given).max(), pl.col("times").filter(~given).max()
    return times.group_by(USER).agg(fits=most > other.fill_null(0)).filter("fits").select(USER)


def _regularly(reader: Reader, condition: Regularly) -> pl.LazyFrame:
    tomorrow = reader.today + timedelta(days=1)
    starts = [
        instant(midnight(tomorrow - timedelta(days=n * condition.days), reader.scope.zone))
        for n in range(condition.periods, 0, -1)
    ]
    period = pl.sum_horizontal((pl.col("ts") >= start).cast(pl.Int32) for start in starts)
    return (
        _rows(reader, selection(condition), EVER)
        .filter(pl.col("ts") >= starts[0])
        .group_by(USER, period=period)
        .len()
        .filter(pl.col("len") >= condition.times)
        .group_by(USER)
        .len()
        .filter(pl.col("len") >= condition.at_least)
        .select(USER)
    )


def _sequence(reader: Reader, condition: Sequence) -> pl.LazyFrame:
    first = _rows(reader, condition.first, condition.window).select(USER, "ts").sort("ts")
    then = _rows(reader, condition.then, EVER).select(USER, "ts", later="ts").sort("ts")
    pairs = first.join_asof(
        then, on="ts", by=USER, strategy="forward", allow_exact_matches=False, check_sortedness=False
    )
    deadline = pl.col("ts") + condition.within.elapsed
    if condition.followed:
        fits = pl.col("later") <= deadline
    else:
        fits = (deadline <= reader.now) & (pl.col("later").is_null() | (pl.col("later") > deadline))
    return pairs.filter(fits).select(USER).unique()


def _part(reader: Reader, part: ConstantPart) -> pl.LazyFrame:
    value = pl.col(reader.scope.catalogue.properties[part.property].column)
    rows = _rows(reader, selection(part), part.window).filter(value.is_not_null())
    found = _measured(reader, rows.with_columns(value=value), part.measure, [USER, "value"])
    return found.select(USER, "value", "newest")


def _rows(reader: Reader, events: Selection, window: Window) -> pl.LazyFrame:
    """Return the chosen events in a window, as they were recorded by ``as_of``."""
    rows = reader.events.filter(*_times(reader, window))
    if ANY_EVENT not in events.events:
        rows = rows.filter(pl.col("event").is_in(list(events.events)))
    known = reader.scope.catalogue.properties
    for item in events.where:
        rows = rows.filter(compare.predicate(reader, item, known))
    return rows if events.clock is None else _clock(reader, rows, events.clock)


def _times(reader: Reader, window: Window) -> list[pl.Expr]:
    limits = span(window, reader.as_of, reader.scope.zone)
    found = [pl.lit(value=True)]
    if limits.start is not None:
        found.append(pl.col("ts") >= instant(limits.start))
    if limits.end is not None:
        found.append(pl.col("ts") < instant(limits.end))
    return found


def _clock(reader: Reader, rows: pl.LazyFrame, clock: Clock) -> pl.LazyFrame:
    ts = pl.col("ts")
    if clock.zone == "user":
        rows = rows.join(reader.user_zones, on=USER)
        local = pl.coalesce(
            pl.when(pl.col("zone") == zone).then(ts.dt.convert_time_zone(zone).dt.replace_time_zone(None))
            for zone in (*reader.zones, reader.scope.zone.key)
        )
    else:
        local = ts.dt.replace_time_zone(None) + _ahead(reader)
    fits = local.dt.time() >= clock.start
    if clock.end is not None:
        before = local.dt.time() < clock.end
        fits = fits | before if clock.end <= clock.start else fits & before
    if clock.weekdays:
        fits &= local.dt.weekday().is_in([WEEKDAYS[day] for day in clock.weekdays])
    return rows.filter(fits)


def _ahead(reader: Reader) -> pl.Expr:
    """Return how far the account's local time is ahead of UTC at an event."""
    *changes, newest = offsets(reader.scope.zone, *reader.scope.span(reader.as_of))
    found = pl.lit(timedelta(seconds=newest.seconds))
    for change in reversed(changes):
        if change.until is not None:
            earlier = pl.lit(timedelta(seconds=change.seconds))
            found = pl.when(pl.col("ts") < instant(change.until)).then(earlier).otherwise(found)
    return found


def _measured(reader: Reader, rows: pl.LazyFrame, measure: Measure, keys: list[str]) -> pl.LazyFrame:
    """Group the rows and keep the groups that fit: ``keys, measured, newest``."""
    name = measure.property
    column = pl.col(reader.scope.catalogue.properties[name].column) if name else pl.len()
    match measure.function:
        case Function.COUNT:
            value = pl.len().cast(pl.Int64)
        case Function.SUM:
            value = column.sum()
        case Function.AVERAGE:
            value = column.sum() / pl.len()
        case Function.MINIMUM:
            value = column.min()
        case Function.MAXIMUM:
            value = column.max()
        case Function.DISTINCT:
            value = column.drop_nulls().n_unique().cast(pl.Int64)
        case _:
            assert_never(measure.function)
    return (
        rows.group_by(keys)
        .agg(measured=value, newest=pl.col("ts").max())
        .filter(_fits(pl.col("measured"), measure))
    )


def _fits(value: pl.Expr, measure: Measure) -> pl.Expr:
    if measure.function not in {Function.SUM, Function.AVERAGE}:
        return compare.compare(value, measure.operator, measure.values)
    parts = [compare.compare(value, operator, (limit,)) for operator, limit in comparisons(measure)]
    return ~pl.all_horizontal(parts) if measure.operator is Operator.NOT_EQUALS else pl.all_horizontal(parts)
