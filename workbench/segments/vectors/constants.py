"""One value that fits every part: pairs of a user and a value, counted, compared, intersected."""

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.segments.behaviours import ConstantProperty, Selection, selection
from workbench.segments.predicates import Function
from workbench.segments.vectors import texts
from workbench.segments.vectors.arrays import Pairs
from workbench.segments.vectors.behaviours import compared
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.rows import Rows, rows
from workbench.segments.windows import Span
from workbench.store.engine import quote

Keys = npt.NDArray[np.int64]


def constant(question: Question, condition: ConstantProperty) -> Mask | None:
    """Return who has such a value; None where the pairs are not kept: numbers, sums, too many values."""
    if not paired(question, condition):
        return None
    found: pl.Series | None = None
    for part in sorted(condition.parts, key=lambda part: not part.did):
        pairs = pairs_of(question, selection(part), question.span(part.window), part.property)
        if pairs is None:
            return None
        keys = pl.Series(pairs.keys[compared(part.measure, pairs.counts)])
        found = keys if found is None else found.filter(found.is_in(keys.implode()) == part.did)
    holds = np.zeros(question.users, dtype=np.bool_)
    if found is not None:
        holds[texts.codes_of(found.to_numpy())] = True
    return holds


def paired(question: Question, condition: ConstantProperty) -> bool:
    """Whether every part counts events by a text."""
    known = question.scope.catalogue.properties
    return all(
        part.measure.function is Function.COUNT and known[part.property].type == "text"
        for part in condition.parts
    )


def pairs_of(question: Question, events: Selection, limits: Span, name: str) -> Pairs | None:
    """Return how often each user did some events with each text of a property; None where there are too many."""
    column = question.scope.catalogue.properties[name].column
    chosen = rows(question, events, limits, quote(column), properties=(name,))
    if not chosen.few:
        return None
    return question.vectors.get(chosen.key("pairs"), lambda: _pairs(chosen, column))


def _pairs(chosen: Rows, column: str) -> Pairs | None:
    found = chosen.numbered(column)
    if found is None:
        return None
    _, codes, numbers = found
    keys = pl.Series(texts.keys(codes, numbers)).sort().to_numpy()
    places = np.flatnonzero(np.diff(keys, prepend=-1))
    return Pairs(keys=keys[places], counts=np.diff(places, append=len(keys)))
