"""The number by which a Did condition compares each user, and how many of them fit which threshold."""

import numpy as np
import numpy.typing as npt

from workbench.segments.behaviours import Did
from workbench.segments.measures import MOST_ROOM, RELATIVE_ROOM, ROOM, only_zero
from workbench.segments.predicates import Function, Measure, Operator
from workbench.segments.vectors.behaviours import vector
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.suppose import parts

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

RISING, FALLING = (Operator.AT_LEAST, Operator.GREATER), (Operator.AT_MOST, Operator.LESS)
ROOMY = (Function.SUM, Function.AVERAGE)
WHOLE = (Function.COUNT, Function.DISTINCT)
DECIMALS = 9
NOTHING = 1e-8


def movable(condition: object) -> bool:
    """Whether a condition has one threshold: a Did measure compared by ``>= > <= < =``.

    *All of* several events with ``=`` has none: two numbers that differ have no common threshold.
    """
    if not isinstance(condition, Did):
        return False
    operator = condition.measure.operator
    return operator in (*RISING, *FALLING) or (operator is Operator.EQUALS and len(parts(condition)) == 1)


def values(question: Question, condition: Did, everyone: Mask) -> Values:
    """Return the number by which each user is compared; not a number where the user fits no threshold.

    Of a *did all of* it is the smallest, or for an upper bound the largest, of its events.
    """
    each = [_values(question, part, everyone) for part in parts(condition)]
    joined = np.maximum if condition.measure.operator in FALLING else np.minimum
    return np.asarray(joined.reduce(each))


def thresholds(measure: Measure, held: Values, *, include_zero: bool) -> Values:
    """Return the thresholds at which a number of users changes, ascending.

    Args:
        measure: whose threshold moves.
        held: the numbers of the users for whom it matters.
        include_zero: whether users without any event are among them.

    Returns:
        Each number that occurs; for counts also the first one beyond, where the number of users reaches
        its end. Sums and averages within the room of a comparison are one.
    """
    found = np.unique(_rounded(measure.function, held[~np.isnan(held)]))
    if measure.function in WHOLE and found.size:
        beyond = {
            Operator.AT_LEAST: found[-1] + 1, Operator.LESS: found[-1] + 1,
            Operator.GREATER: found[0] - 1, Operator.AT_MOST: found[0] - 1,
        }.get(measure.operator)  # fmt: skip
        found = found if beyond is None else np.unique(np.append(found, beyond))
        allowed = [
            value >= 0 and (include_zero or not only_zero(_at(measure, float(value)))) for value in found
        ]
        found = found[allowed]
    return found


def fitting(measure: Measure, held: Values, limits: Values) -> Numbers:
    """Count for each threshold the users who fit it.

    Args:
        measure: its function and its operator count, its own threshold does not.
        held: the numbers of users, in any order; those that are none fit nothing.
        limits: the thresholds.
    """
    ordered = np.sort(held[~np.isnan(held)])
    room = room_of(measure, limits)
    match measure.operator:
        case Operator.AT_LEAST:
            return ordered.size - np.searchsorted(ordered, limits - room, "left")
        case Operator.GREATER:
            return ordered.size - np.searchsorted(ordered, limits + room, "right")
        case Operator.AT_MOST:
            return np.searchsorted(ordered, limits + room, "right")
        case Operator.LESS:
            return np.searchsorted(ordered, limits - room, "left")
        case _:
            below = np.searchsorted(ordered, limits - room, "left")
            return np.searchsorted(ordered, limits + room, "right") - below


def room_of(measure: Measure, limits: Values) -> Values:
    """Return how far a number may be from a threshold that it still equals; see ``measures.comparisons``."""
    if measure.function not in ROOMY:
        return np.zeros(len(limits))
    return np.minimum(np.maximum(ROOM, RELATIVE_ROOM * np.abs(limits)), MOST_ROOM)


def _values(question: Question, condition: Did, everyone: Mask) -> Values:
    found = vector(question, condition)
    held = np.array(found.counts if found.values is None else found.values, dtype=np.float64)
    if condition.measure.function is Function.AVERAGE:
        held /= np.maximum(found.counts, 1)
    held[found.counts == 0] = np.nan
    if condition.include_zero:
        held[everyone & (found.counts == 0)] = 0
    return held


def _rounded(function: Function, held: Values) -> Values:
    """Round to what a comparison tells apart; next to nothing is nothing, as it is without any event."""
    if function not in ROOMY:
        return held
    found = np.round(held, DECIMALS)
    found[np.abs(found) < NOTHING] = 0
    return np.asarray(found)


def _at(measure: Measure, value: float) -> Measure:
    return Measure(
        function=measure.function, property=measure.property, operator=measure.operator, values=(value,)
    )
