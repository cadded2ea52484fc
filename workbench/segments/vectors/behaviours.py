"""Conditions over events: a scan gives a vector, the vector is compared."""

from collections.abc import Callable, Mapping

import numpy as np

from workbench.segments.behaviours import Did, selection
from workbench.segments.measures import comparisons, holds_at_zero
from workbench.segments.predicates import Function, Measure, Operator
from workbench.segments.sql.behaviours import rows_sql
from workbench.segments.sql.query import Query
from workbench.segments.vectors.question import Mask, Question, Vector, used
from workbench.store.engine import quote
from workbench.store.reader import stream

COMPARED: Mapping[Operator, Callable[..., Mask]] = {
    Operator.GREATER: np.greater, Operator.AT_LEAST: np.greater_equal, Operator.LESS: np.less,
    Operator.AT_MOST: np.less_equal, Operator.EQUALS: np.equal, Operator.NOT_EQUALS: np.not_equal,
}  # fmt: skip
# What the engine aggregates itself; counts and sums are added up from the rows.
GROUPED: Mapping[Function, str] = {
    Function.MINIMUM: "min({})", Function.MAXIMUM: "max({})", Function.DISTINCT: "count(DISTINCT {})",
}  # fmt: skip


def did(question: Question, condition: Did, everyone: Mask) -> Mask:
    """Return who did an event (one measure over all that are named) often enough, or long enough, or ..."""
    found = vector(question, condition)
    holds = fits(condition.measure, found) & (found.counts > 0)
    if condition.include_zero and holds_at_zero(condition.measure):
        holds |= everyone & (found.counts == 0)
    return holds


def vector(question: Question, condition: Did) -> Vector:
    """Return the measure of each user, computed once for the events, filters, window and data."""
    writer = question.writer()
    source = rows_sql(writer, selection(condition), condition.window, "did")
    measure = condition.measure
    column = quote(question.scope.catalogue.properties[measure.property].column) if measure.property else ""
    if measure.function in GROUPED:
        value = GROUPED[measure.function].format(column)
        select = f"SELECT user_code, count(*), {value}::DOUBLE {source}\n  GROUP BY user_code"
    elif measure.function is Function.COUNT:
        select = f"SELECT user_code {source}"
    else:
        select = f"SELECT user_code, coalesce({column}, 0)::DOUBLE {source}"
    sql = select
    if writer.steps:
        sql = f"{Query(steps=tuple(writer.steps), parameters={}).ctes}\n{select}"
    kinds = ("events", "profiles") if writer.steps else ("events",)
    key = question.key(sql, writer.parameters, *kinds)
    return question.vectors.get(
        key, lambda: _scan(question, sql, used(sql, writer.parameters), measure.function)
    )


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
            return _compared(measure, found.counts)
        case _:
            values = found.counts if found.values is None else found.values
            return _compared(measure, values) & ~np.isnan(values)


def _compared(measure: Measure, values: np.ndarray) -> Mask:
    if measure.operator is Operator.BETWEEN:
        return (values >= measure.values[0]) & (values <= measure.values[1])
    return COMPARED[measure.operator](values, measure.values[0])


def _scan(question: Question, sql: str, values: dict[str, object], function: Function) -> Vector:
    users = question.users
    counts = np.zeros(users, dtype=np.int64)
    sums = None if function is Function.COUNT else np.zeros(users)
    if sums is not None and function in GROUPED:
        sums[:] = np.nan
    with question.reader.cursor(question.running) as cursor:
        for batch in stream(cursor, sql, values):
            codes = batch.column(0).to_numpy()
            if function in GROUPED and sums is not None:
                counts[codes] = batch.column(1).to_numpy()
                sums[codes] = batch.column(2).to_numpy(zero_copy_only=False)
                continue
            counts += np.bincount(codes, minlength=users)
            if sums is not None:
                sums += np.bincount(codes, weights=batch.column(1).to_numpy(), minlength=users)
    return Vector(counts=counts, values=sums)
