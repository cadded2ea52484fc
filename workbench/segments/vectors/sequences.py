"""One event after another: for each first event the time until the next one, compared with a limit."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.segments.behaviours import Sequence
from workbench.segments.vectors.arrays import LATEST, Follows, microseconds
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.rows import Rows, counted, rows
from workbench.segments.windows import Span

Instants = npt.NDArray[np.int64]


def sequence(question: Question, condition: Sequence) -> Mask | None:
    """Return who has a first event that was, or was not, followed in time; None if there are too many."""
    found = follows(question, condition, question.span(condition.window))
    if found is None:
        return None
    holds = np.zeros(question.users, dtype=np.bool_)
    holds[found.codes[timely(condition, found, microseconds(question.as_of))]] = True
    return holds


def timely(condition: Sequence, found: Follows, as_of: int) -> Mask:
    """Return which first events were, or were not, followed in time, as far as that is known at an instant."""
    within = condition.within.elapsed // timedelta(microseconds=1)
    if condition.followed:
        return (found.gaps <= within) & (found.instants <= as_of - found.gaps)
    return (found.gaps > within) & (found.instants <= as_of - within)


def follows(question: Question, condition: Sequence, limits: Span) -> Follows | None:
    """Return each first event between two times, with the time until the next one; no limit is compared yet."""
    first = rows(question, condition.first, limits, "epoch_us(ts)", prefix="first")
    then = rows(question, condition.then, Span(start=limits.start), "epoch_us(ts)", prefix="next")
    if not (first.few and then.few):
        return None
    kinds = tuple(dict.fromkeys(first.kinds + then.kinds))
    key = question.key(f"follows {first.sql}\n{then.sql}", {**first.values, **then.values}, *kinds)
    return question.vectors.get(key, lambda: _follows(question.users, first, then))


def _follows(users: int, first: Rows, then: Rows) -> Follows:
    codes, instants = _all(first)
    next_codes, next_instants = _all(then)
    known = np.zeros(users, dtype=np.bool_)
    known[codes] = True
    next_codes, next_instants = next_codes[known[next_codes]], next_instants[known[next_codes]]
    ordered = pl.DataFrame({"code": next_codes, "instant": next_instants}).sort("code", "instant")
    per_user = counted(next_codes, users)
    ends = np.cumsum(per_user)
    gaps = np.full(len(codes), LATEST)
    hopeful = np.flatnonzero(per_user[codes])
    asked = codes[hopeful]
    there = ordered["instant"].to_numpy()
    place = _later(there, instants[hopeful], ends[asked] - per_user[asked], ends[asked])
    comes = place < ends[asked]
    gaps[hopeful[comes]] = there[place[comes]] - instants[hopeful[comes]]
    return Follows(codes=codes, instants=instants, gaps=gaps)


def _later(values: Instants, limits: Instants, low: Instants, high: Instants) -> Instants:
    """Find the first place in ``values[low:high]``, which ascend, whose value is greater than the limit."""
    while (open_ := low < high).any():
        middle = np.where(open_, (low + high) // 2, 0)
        above = values[middle] > limits
        low, high = np.where(open_ & ~above, middle + 1, low), np.where(open_ & above, middle, high)
    return low


def _all(chosen: Rows) -> tuple[npt.NDArray[np.uint32], Instants]:
    parts = list(chosen.arrays())
    if not parts:
        return np.empty(0, np.uint32), np.empty(0, np.int64)
    return np.concatenate([codes for codes, _ in parts]), np.concatenate([instants for _, instants in parts])
