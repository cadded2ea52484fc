"""A value compared, as a Polars expression that is true, false, or null where the value is absent."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_never

import polars as pl

from workbench.segments import birthdays, patterns, versions
from workbench.segments.frames.reader import Reader, instant, one_of
from workbench.segments.predicates import Operator, Predicate
from workbench.segments.windows import Window, day_span, midnight
from workbench.settings import PropertyType
from workbench.store.catalogue import Property


def predicate(reader: Reader, item: Predicate, known: Mapping[str, Property]) -> pl.Expr:
    """Return the expression of a filter over a column of ``known``."""
    found = known[item.property]
    left, kind = pl.col(found.column), found.type
    if item.operator is Operator.WITHIN and item.window is not None:
        return within(reader, left, kind, item.window)
    if item.operator is Operator.ANNIVERSARY:
        return anniversary(reader, date_of(reader, left, kind), int(item.values[0]))
    if kind == "version" and item.operator not in {Operator.EXISTS, Operator.NOT_EXISTS}:
        return compare(version(left), item.operator, tuple(versions.key(str(v)) for v in item.values))
    return compare(left, item.operator, item.values)


def compare(left: pl.Expr, operator: Operator, values: tuple[Any, ...]) -> pl.Expr:
    """Return the expression of an operator over values."""
    literals = [pl.lit(value) for value in values]
    match operator:
        case Operator.EXISTS:
            return left.is_not_null()
        case Operator.NOT_EXISTS:
            return left.is_null()
        case Operator.BETWEEN:
            return left.is_between(literals[0], literals[1])
        case Operator.EQUALS | Operator.IN:
            return one_of(left, values)
        case Operator.NOT_EQUALS | Operator.NOT_IN:
            return ~one_of(left, values)
        case Operator.GREATER:
            return left > literals[0]
        case Operator.AT_LEAST:
            return left >= literals[0]
        case Operator.LESS:
            return left < literals[0]
        case Operator.AT_MOST:
            return left <= literals[0]
        case Operator.CONTAINS:
            return pl.any_horizontal(left.str.contains(value, literal=True) for value in literals)
        case Operator.NOT_CONTAINS:
            return ~pl.any_horizontal(left.str.contains(value, literal=True) for value in literals)
        case Operator.STARTS_WITH:
            return pl.any_horizontal(left.str.starts_with(value) for value in literals)
        case Operator.ENDS_WITH:
            return pl.any_horizontal(left.str.ends_with(value) for value in literals)
        case Operator.MATCHES:
            return pl.any_horizontal(left.str.contains(patterns.rust(str(value))) for value in values)
        case Operator.CONTAINS_ANY:
            return pl.any_horizontal(left.list.contains(value) for value in literals)
        case Operator.CONTAINS_ALL:
            return pl.all_horizontal(left.list.contains(value) for value in literals)
        case Operator.CONTAINS_NONE:
            return ~pl.any_horizontal(left.list.contains(value) for value in literals)
        case Operator.WITHIN | Operator.ANNIVERSARY:
            raise AssertionError(f"{operator} compares dates")
        case _:
            assert_never(operator)


def within(reader: Reader, left: pl.Expr, kind: PropertyType, window: Window) -> pl.Expr:
    """Return whether a date, or an instant's date in the account's zone, lies in a window."""
    days, zone = day_span(window, reader.today), reader.scope.zone
    fits = left.is_not_null()
    if days.first is not None:
        fits &= left >= (pl.lit(days.first) if kind == "date" else instant(midnight(days.first, zone)))
    if days.last is not None:
        after = days.last + timedelta(days=1)
        fits &= left < (pl.lit(after) if kind == "date" else instant(midnight(after, zone)))
    return fits


def date_of(reader: Reader, left: pl.Expr, kind: PropertyType) -> pl.Expr:
    """Return the calendar date of a date or an instant."""
    return left if kind == "date" else left.dt.convert_time_zone(reader.scope.zone.key).dt.date()


def anniversary(reader: Reader, left: pl.Expr, days: int) -> pl.Expr:
    """Return whether the anniversary of a date comes from today to ``days`` later."""
    found, day = birthdays.anniversaries(reader.today, days), day_of_year(left)
    after, before = day >= found.first, day <= found.last
    return (left < pl.lit(reader.today)) & (after | before if found.cross else after & before)


def day_of_year(left: pl.Expr) -> pl.Expr:
    """Return ``month * 100 + day``."""
    return left.dt.month().cast(pl.Int64) * 100 + left.dt.day().cast(pl.Int64)


def version(left: pl.Expr) -> pl.Expr:
    """Return a version's key, see ``versions.key``."""
    numbers = left.str.extract(versions.NUMBERS, 1).str.replace(versions.ZEROS, "")
    return numbers.str.split(".").list.eval(pl.element().str.zfill(versions.WIDTH)).list.join(".")
