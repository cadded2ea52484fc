"""Conditions over events: a scan gives a vector, the vector is compared."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.segments.behaviours import Did, Milestone, selection
from workbench.segments.measures import comparisons, holds_at_zero
from workbench.segments.predicates import Function, Measure, Operator
from workbench.segments.vectors import texts
from workbench.segments.vectors.arrays import EARLIEST, LATEST, Vector, microseconds
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.rows import Rows, counted, rows
from workbench.segments.windows import EVER, span
from workbench.store.engine import quote

COMPARED: Mapping[Operator, Callable[..., Mask]] = {
    Operator.GREATER: np.greater, Operator.AT_LEAST: np.greater_equal, Operator.LESS: np.less,
    Operator.AT_MOST: np.less_equal, Operator.EQUALS: np.equal, Operator.NOT_EQUALS: np.not_equal,
}  # fmt: skip
# What the engine aggregates itself; counts, sums and different texts are added up from the rows.
GROUPED: Mapping[Function, str] = {
    Function.MINIMUM: "min(value)", Function.MAXIMUM: "max(value)", Function.DISTINCT: "count(DISTINCT value)",
}  # fmt: skip


def did(question: Question, condition: Did, everyone: Mask) -> Mask:
    """Return who did an event (one measure over all that are named) often enough, or long enough, or ..."""
    found = vector(question, condition)
    holds = fits(condition.measure, found)
    if condition.measure.function is not Function.COUNT or holds_at_zero(condition.measure):
        holds &= found.counts > 0
    if condition.include_zero and holds_at_zero(condition.measure):
        holds |= everyone & (found.counts == 0)
    return holds


def milestone(question: Question, condition: Milestone) -> Mask:
    """Return whose first, or last, matching event lies in the window."""
    found = instants(question, condition)
    limits = span(condition.window, question.as_of, question.scope.zone)
    holds: Mask = found != (LATEST if condition.which == "first" else EARLIEST)
    if limits.start is not None:
        holds &= found >= microseconds(limits.start)
    if limits.end is not None:
        holds &= found < microseconds(limits.end)
    return holds


def vector(question: Question, condition: Did) -> Vector:
    """Return the measure of each user, computed once for the events, filters, window and data."""
    events, measure = selection(condition), condition.measure
    plain, column, kind = "", "", ""
    named = (measure.property,) if measure.property else ()
    if measure.property:
        found = question.scope.catalogue.properties[measure.property]
        plain, column, kind = found.column, quote(found.column), found.type
    if measure.function is Function.COUNT:
        chosen = rows(question, events, condition.window, "")
        return question.vectors.get(chosen.key(), lambda: _added(chosen))
    if measure.function in {Function.SUM, Function.AVERAGE}:
        chosen = rows(question, events, condition.window, f"coalesce({column}, 0)::DOUBLE", properties=named)
        return question.vectors.get(chosen.key(), lambda: _added(chosen))
    value = f"count(*), {GROUPED[measure.function]}::DOUBLE"
    grouped = rows(question, events, condition.window, f"{column} AS value", properties=named, grouped=value)
    if measure.function is Function.DISTINCT and kind == "text" and grouped.few:
        chosen = rows(question, events, condition.window, column, properties=named)
        return question.vectors.get(
            chosen.key("distinct"), lambda: _different(chosen, plain) or _grouped(grouped)
        )
    return question.vectors.get(grouped.key(), lambda: _grouped(grouped))


def instants(question: Question, condition: Milestone) -> npt.NDArray[np.int64]:
    """Return the first, or last, instant of each user in microseconds since 1970; see ``arrays``."""
    chosen = rows(question, selection(condition), EVER, "epoch_us(ts)")
    first = condition.which == "first"

    def compute() -> npt.NDArray[np.int64]:
        found = np.full(question.users, LATEST if first else EARLIEST)
        extreme = np.minimum if first else np.maximum
        for codes, instants in chosen.arrays():
            extreme.at(found, codes, instants)
        return found

    return question.vectors.get(chosen.key(condition.which), compute)


def fits(measure: Measure, found: Vector) -> Mask:
    """Compare a vector; users without any event are compared as they come, and left out by the caller."""
    match measure.function:
        case Function.SUM | Function.AVERAGE:
            sums = found.counts if found.values is None else found.values
            values = sums / np.maximum(found.counts, 1) if measure.function is Function.AVERAGE else sums
            holds = np.ones(len(values), dtype=np.bool_)
            for operator, limit in comparisons(measure):
                holds &= COMPARED[operator](values, limit)
            return ~holds if measure.operator is Operator.NOT_EQUALS else holds
        case Function.COUNT:
            return compared(measure, found.counts)
        case _:
            values = found.counts if found.values is None else found.values
            return compared(measure, values) & ~np.isnan(values)


def compared(measure: Measure, values: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> Mask:
    """Compare numbers with those of a measure."""
    if measure.operator is Operator.BETWEEN:
        return (values >= measure.values[0]) & (values <= measure.values[1])
    return COMPARED[measure.operator](values, measure.values[0])


def _added(chosen: Rows) -> Vector:
    users = chosen.question.users
    counts: npt.NDArray[np.int64] | None = None
    sums: npt.NDArray[np.float64] | None = None
    for codes, *values in chosen.arrays():
        found = counted(codes, users)
        counts = found if counts is None else counts + found
        for value in values:
            added: npt.NDArray[np.float64] = np.bincount(codes, weights=value, minlength=users)  # type: ignore[assignment]
            sums = added if sums is None else sums + added
    return Vector(counts=np.zeros(users, np.int64) if counts is None else counts, values=sums)


def _grouped(chosen: Rows) -> Vector:
    users = chosen.question.users
    counts, values = np.zeros(users, dtype=np.int64), np.full(users, np.nan)
    for table in chosen.tables():
        codes = table.column(0).to_numpy()
        counts[codes] = table.column(1).to_numpy()
        values[codes] = table.column(2).to_numpy()
    return Vector(counts=counts, values=values)


def _different(chosen: Rows, column: str) -> Vector | None:
    """Count the different texts of each user; None where there are too many to be numbered."""
    found = chosen.numbered(column)
    if found is None:
        return None
    every, codes, numbers = found
    users = chosen.question.users
    keys = pl.Series(texts.keys(codes, numbers)).unique().to_numpy()
    different = counted(texts.codes_of(keys), users)
    return Vector(counts=counted(every, users), values=different.astype(np.float64))
