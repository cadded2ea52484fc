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
from workbench.segments.vectors.rows import Rows, counted, rows, summed
from workbench.segments.windows import Span
from workbench.store.engine import quote

COMPARED: Mapping[Operator, Callable[..., Mask]] = {
    Operator.GREATER: np.greater, Operator.AT_LEAST: np.greater_equal, Operator.LESS: np.less,
    Operator.AT_MOST: np.less_equal, Operator.EQUALS: np.equal, Operator.NOT_EQUALS: np.not_equal,
}  # fmt: skip
# What the engine aggregates itself; counts, sums and different texts are added up from the rows.
GROUPED: Mapping[Function, str] = {
    Function.MINIMUM: "min(value)", Function.MAXIMUM: "max(value)", Function.DISTINCT: "count(DISTINCT value)",
}  # fmt: skip
EXTREME: Mapping[str, np.ufunc] = {"first": np.minimum, "last": np.maximum}


def did(question: Question, condition: Did, everyone: Mask) -> Mask:
    """Return who did an event (one measure over all that are named) often enough, or long enough, or ..."""
    return done(condition, vector(question, condition), everyone)


def done(condition: Did, found: Vector, everyone: Mask) -> Mask:
    """Return whose vector fits."""
    holds = fits(condition.measure, found)
    if condition.measure.function is not Function.COUNT or holds_at_zero(condition.measure):
        holds &= found.counts > 0
    if condition.include_zero and holds_at_zero(condition.measure):
        holds |= everyone & (found.counts == 0)
    return holds


def milestone(question: Question, condition: Milestone) -> Mask:
    """Return whose first, or last, matching event lies in the window."""
    return reached(question, condition, instants(question, condition))


def reached(question: Question, condition: Milestone, found: npt.NDArray[np.int64]) -> Mask:
    """Return whose instant lies in the window."""
    limits = question.span(condition.window)
    holds: Mask = found != (LATEST if condition.which == "first" else EARLIEST)
    if limits.start is not None:
        holds &= found >= microseconds(limits.start)
    if limits.end is not None:
        holds &= found < microseconds(limits.end)
    return holds


def vector(question: Question, condition: Did, limits: Span | None = None) -> Vector:
    """Return the measure of each user, computed once for the events, filters, window and data.

    Args:
        question: at whose instant.
        condition: whose events are measured.
        limits: between which they lie; by default the window's.
    """
    between = limits or question.span(condition.window)
    events, measure = selection(condition), condition.measure
    named = (measure.property,) if measure.property else ()
    value = valued(question, measure)

    def chosen(columns: str, grouped: str = "") -> Rows:
        return rows(question, events, between, columns, properties=named, grouped=grouped)

    if measure.function not in GROUPED:
        added = chosen(value)
        return question.vectors.get(added.key(), lambda: _added(added))
    grouped = chosen(f"{value} AS value", f"count(*), {GROUPED[measure.function]}::DOUBLE")
    if numbered(question, measure) and grouped.few:
        texts_of = chosen(value)
        plain = question.scope.catalogue.properties[str(measure.property)].column
        return question.vectors.get(
            texts_of.key("distinct"), lambda: _different(texts_of, plain) or _grouped(grouped)
        )
    return question.vectors.get(grouped.key(), lambda: _grouped(grouped))


def valued(question: Question, measure: Measure) -> str:
    """Return the SQL of what a measure is computed over; nothing for a count."""
    if measure.property is None:
        return ""
    column = quote(question.scope.catalogue.properties[measure.property].column)
    return column if measure.function in GROUPED else f"coalesce({column}, 0)::DOUBLE"


def numbered(question: Question, measure: Measure) -> bool:
    """Whether a measure counts different texts."""
    known = question.scope.catalogue.properties
    return measure.function is Function.DISTINCT and known[str(measure.property)].type == "text"


def instants(question: Question, condition: Milestone) -> npt.NDArray[np.int64]:
    """Return the first, or last, instant of each user in microseconds since 1970; see ``arrays``."""
    chosen = rows(question, selection(condition), Span(), "epoch_us(ts)")

    def compute() -> npt.NDArray[np.int64]:
        found = np.full(question.users, LATEST if condition.which == "first" else EARLIEST)
        for codes, instants in chosen.arrays():
            EXTREME[condition.which].at(found, codes, instants)
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
    for tally in chosen.tallied():
        counts = np.zeros(users, np.int64) if counts is None else counts
        counts[: len(tally)] += tally
    for codes, *values in chosen.arrays():
        found = counted(codes, users)
        counts = found if counts is None else counts + found
        for value in values:
            added = summed(codes, value, users)
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
