"""Conditions at several instants: each keeps its arrays up to date while the instants go by."""

from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.segments.behaviours import ConstantProperty, Did, Milestone, Sequence, selection, selections
from workbench.segments.model import Condition
from workbench.segments.predicates import Function, Operator
from workbench.segments.vectors import texts
from workbench.segments.vectors.arrays import Follows, Pairs, Vector
from workbench.segments.vectors.behaviours import (
    EXTREME,
    compared,
    done,
    instants,
    numbered,
    reached,
    valued,
    vector,
)
from workbench.segments.vectors.constants import paired, pairs_of
from workbench.segments.vectors.passing import Passing, Windows, passing, passing_texts, windows
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.rows import counted, summed
from workbench.segments.vectors.sequences import follows, timely
from workbench.segments.windows import EVER, Dates, Span

Groups = list[npt.NDArray[np.int64]]


class Moving(Protocol):
    """A condition that is asked at one instant after the other."""

    def mask(self, day: int, everyone: Mask) -> Mask:
        """Return who fits at an instant; the instants are asked in their order."""


def moving(questions: list[Question], condition: Condition) -> Moving | None:
    """Begin a condition; None for those that are asked anew at each instant.

    Args:
        questions: one an instant, ascending.
        condition: without others in it.
    """
    match condition:
        case Did() | Milestone() | Sequence() | ConstantProperty() if not _settled(questions[0], condition):
            return None
        case Did() if numbered(questions[0], condition.measure):
            return _texts(questions, condition)
        case Did(measure=measure) if measure.function is not Function.DISTINCT:
            return MovingDid(questions, condition)
        case Milestone():
            return MovingMilestone(questions, condition)
        case Sequence() if questions[-1].at_once(condition.first, condition.then):
            return _sequence(questions, condition)
        case ConstantProperty() if paired(questions[0], condition):
            return _constant(questions, condition)
        case _:
            return None


class MovingDid:
    """Counts go up and down; a sum is added up anew, so that no rounding error builds up."""

    def __init__(self, questions: list[Question], condition: Did) -> None:
        """Read the rows of all windows."""
        self._condition = condition
        self._function = condition.measure.function
        found = windows(questions, condition.window)
        column = valued(questions[0], condition.measure)
        named = (condition.measure.property,) if condition.measure.property else ()
        value = f"{column}::DOUBLE" if column else ""
        self._passing = passing(questions, selection(condition), found, value, named)
        self._steady = _steady(questions, condition, found)
        self._counts = Counts(self._steady.counts, self._passing)

    def mask(self, day: int, everyone: Mask) -> Mask:
        """Return who fits at an instant."""
        counts = self._counts.at(day)
        return done(self._condition, Vector(counts=counts, values=self._values(day, len(counts))), everyone)

    def _values(self, day: int, users: int) -> npt.NDArray[np.float64] | None:
        if self._function is Function.COUNT:
            return None
        inside = self._passing.inside(day)
        codes, values = self._passing.codes[inside], self._passing.values[0][inside]
        steady = self._steady.values
        if self._function in {Function.SUM, Function.AVERAGE}:
            added = summed(codes, values, users)
            return added if steady is None else added + steady
        found = np.full(users, np.nan) if steady is None else steady.copy()
        (np.fmin if self._function is Function.MINIMUM else np.fmax).at(found, codes, values)
        return found


class MovingMilestone:
    """The first, or last, instant only ever moves one way."""

    def __init__(self, questions: list[Question], condition: Milestone) -> None:
        """Read what was recorded between the first instant and the last one."""
        self._condition, self._questions = condition, questions
        found = windows(questions, EVER)
        self._passing = passing(questions, selection(condition), found, "epoch_us(ts)", ())
        self._extremes = instants(questions[0], condition).copy()
        self._entering = _by_day(self._passing.entered, len(questions))

    def mask(self, day: int, everyone: Mask) -> Mask:
        """Return who fits at an instant."""
        rows = self._entering[day]
        EXTREME[self._condition.which].at(
            self._extremes, self._passing.codes[rows], self._passing.values[0][rows]
        )
        return reached(self._questions[day], self._condition, self._extremes)


class MovingTexts:
    """How many different texts: each pair of a user and a text is counted, and counts while it is above zero."""

    def __init__(
        self, condition: Did, steady: Vector, steady_keys: npt.NDArray[np.int64], found: Passing, days: int
    ) -> None:
        """Number the pairs that are not steady."""
        self._condition, self._passing = condition, found
        self._counts = Counts(steady.counts, found)
        self._different = np.zeros(len(steady.counts)) if steady.values is None else steady.values.copy()
        numbers = found.values[0].astype(np.int64)
        keys = pl.Series(texts.keys(found.codes, numbers))
        counts = pl.Series(numbers >= 0) & ~keys.is_in(pl.Series(steady_keys).implode())
        self._rows = np.flatnonzero(counts.to_numpy())
        ranks = keys.filter(counts).rank("dense").cast(pl.Int64) - 1
        self._pairs = ranks.to_numpy()
        self._held = np.zeros(int(ranks.max() or 0) + 1 if len(ranks) else 0, dtype=np.int64)  # type: ignore[arg-type]
        self._users, self._places = np.zeros_like(self._held), np.zeros_like(self._held)
        self._users[self._pairs] = found.codes[self._rows]
        self._entering = _by_day(found.entered[self._rows], days)
        self._leaving = _by_day(found.left[self._rows], days)

    def mask(self, day: int, everyone: Mask) -> Mask:
        """Return who fits at an instant."""
        entering, leaving = self._pairs[self._entering[day]], self._pairs[self._leaving[day]]
        fresh = self._once(entering[self._held[entering] == 0])
        np.add.at(self._held, entering, 1)
        np.add.at(self._different, self._users[fresh], 1.0)
        np.subtract.at(self._held, leaving, 1)
        gone = self._once(leaving[self._held[leaving] == 0])
        np.subtract.at(self._different, self._users[gone], 1.0)
        return done(self._condition, Vector(counts=self._counts.at(day), values=self._different), everyone)

    def _once(self, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return each pair once: the one whose place was written last."""
        places = np.arange(len(pairs))
        self._places[pairs] = places
        first: npt.NDArray[np.bool_] = self._places[pairs] == places
        return pairs[first]


class MovingSequence:
    """Each first event has one gap; an instant decides which first events are in the window, and what is known."""

    def __init__(self, condition: Sequence, found: Follows, between: Windows, users: int) -> None:
        """Hold the first events of all windows; all events were recorded when they happened."""
        self._condition, self._found, self._windows, self._users = condition, found, between, users

    def mask(self, day: int, everyone: Mask) -> Mask:
        """Return who fits at an instant."""
        found, between = self._found, self._windows
        inside = (found.instants >= between.starts[day]) & (found.instants < between.ends[day])
        inside &= timely(self._condition, found, int(between.seen[day]))
        holds = np.zeros(self._users, dtype=np.bool_)
        holds[found.codes[inside]] = True
        return holds


class MovingConstant:
    """Pairs of a user and a text: each part counts them, and each instant compares the counts."""

    def __init__(self, condition: ConstantProperty, parts: list[tuple[Pairs, Passing]], users: int) -> None:
        """Give each pair of any part a number."""
        self._condition, self._users = condition, users
        keys = [pairs.keys for pairs, _ in parts]
        keys += [texts.keys(rows.codes, rows.values[0].astype(np.int64)) for _, rows in parts]
        every = np.concatenate(keys)
        places = (pl.Series(every).rank("dense").cast(pl.Int64) - 1).to_numpy()
        self._owners = np.zeros(int(places.max()) + 1 if len(places) else 0, dtype=np.int64)
        self._owners[places] = texts.codes_of(every)
        numbers = np.split(places, np.cumsum([len(part) for part in keys])[:-1])
        self._counts = []
        for (pairs, rows), steady, passing_ in zip(
            parts, numbers[: len(parts)], numbers[len(parts) :], strict=True
        ):
            counts = np.zeros(len(self._owners), dtype=np.int64)
            counts[steady] = pairs.counts
            self._counts.append(Counts(counts, replace(rows, codes=passing_)))

    def mask(self, day: int, everyone: Mask) -> Mask:
        """Return who fits at an instant."""
        fits = np.ones(len(self._owners), dtype=np.bool_)
        for part, counts in zip(self._condition.parts, self._counts, strict=True):
            held = counts.at(day)
            fits &= (compared(part.measure, held) & (held > 0)) == part.did
        holds = np.zeros(self._users, dtype=np.bool_)
        holds[self._owners[fits]] = True
        return holds


class Counts:
    """How many rows of each user are in a window, one instant after the other."""

    def __init__(self, steady: npt.NDArray[np.int64], found: Passing) -> None:
        """Begin with what is in every window."""
        self._counts, self._passing = steady.copy(), found
        days = int(max(found.entered.max(), found.left.max())) + 1 if len(found.codes) else 0
        self._entering, self._leaving = _by_day(found.entered, days), _by_day(found.left, days)

    def at(self, day: int) -> npt.NDArray[np.int64]:
        """Return the counts; they change with the next call."""
        if day < len(self._entering):
            codes, users = self._passing.codes, len(self._counts)
            for rows, change in ((self._entering[day], 1), (self._leaving[day], -1)):
                if len(rows) > users:
                    self._counts += change * counted(codes[rows], users)
                else:
                    np.add.at(self._counts, codes[rows], change)
        return self._counts


def _settled(first: Question, condition: Did | Milestone | Sequence | ConstantProperty) -> bool:
    """Whether the same rows fit at each instant: no filter counts from today, no zone of a user changes."""
    chosen = selections(condition)
    by_today = any(
        item.operator is Operator.ANNIVERSARY or not isinstance(item.window, Dates | None)
        for events in chosen
        for item in events.where
    )
    by_zone = any(events.clock is not None and events.clock.zone == "user" for events in chosen)
    return not (by_today or (by_zone and not first.single_profiles))


def _texts(questions: list[Question], condition: Did) -> Moving | None:
    name = str(condition.measure.property)
    column = questions[0].scope.catalogue.properties[name].column
    found = windows(questions, condition.window)
    steady = found.steady
    keys = np.empty(0, np.int64)
    if steady is not None:
        pairs = pairs_of(questions[0], selection(condition), steady, name)
        if pairs is None:
            return None
        keys = pairs.keys
    rows = passing_texts(questions, selection(condition), found, column, name)
    if rows is None:
        return None
    return MovingTexts(condition, _steady(questions, condition, found), keys, rows, len(questions))


def _sequence(questions: list[Question], condition: Sequence) -> Moving | None:
    between, last = windows(questions, condition.window), questions[-1]
    found = follows(last, condition, between.whole)
    return None if found is None else MovingSequence(condition, found, between, last.users)


def _constant(questions: list[Question], condition: ConstantProperty) -> Moving | None:
    parts = []
    for part in condition.parts:
        found = windows(questions, part.window)
        steady, events = found.steady, selection(part)
        pairs: Pairs | None = Pairs(keys=np.empty(0, np.int64), counts=np.empty(0, np.int64))
        if steady is not None:
            pairs = pairs_of(questions[0], events, steady, part.property)
        column = questions[0].scope.catalogue.properties[part.property].column
        rows = passing_texts(questions, events, found, column, part.property)
        if pairs is None or rows is None:
            return None
        parts.append((pairs, rows.where(rows.values[0] >= 0)))
    return MovingConstant(condition, parts, questions[0].users)


def _steady(questions: list[Question], condition: Did, found: Windows) -> Vector:
    steady: Span | None = found.steady
    if steady is None:
        return Vector(counts=np.zeros(questions[0].users, dtype=np.int64))
    return vector(questions[0], condition, steady)


def _by_day(days: npt.NDArray[np.int16], count: int) -> Groups:
    """Return the places of the rows of each day."""
    order = np.argsort(days, kind="stable")
    bounds = np.searchsorted(days[order], np.arange(count + 1))
    return [order[bounds[day] : bounds[day + 1]] for day in range(count)]
