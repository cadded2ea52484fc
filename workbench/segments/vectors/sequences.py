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
    found = follows(question, condition)
    if found is None:
        return None
    within = condition.within.elapsed // timedelta(microseconds=1)
    if condition.followed:
        chosen = found.gaps <= within
    else:
        chosen = (found.gaps > within) & (found.instants <= microseconds(question.as_of) - within)
    holds = np.zeros(question.users, dtype=np.bool_)
    holds[found.codes[chosen]] = True
    return holds


def follows(question: Question, condition: Sequence) -> Follows | None:
    """Return each first event with the time until the next one; the limit that it is compared with is free."""
    limits = question.span(condition.window)
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
