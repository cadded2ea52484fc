"""How a measure is compared: sums with room, shares exactly, and users without a matching event."""

from fractions import Fraction

from workbench.segments.predicates import Function, Measure, Operator

# Floating-point addition depends on order, and the engine's order on threads: a sum is compared with room.
# Never as much as half a cent: whole numbers and cents stay apart however large the sum is.
ROOM, RELATIVE_ROOM, MOST_ROOM = 1e-9, 1e-12, 5e-4
SHARE_DECIMALS = 4


def comparisons(measure: Measure) -> tuple[tuple[Operator, float], ...]:
    """Return what a sum or an average is compared with, so that 0.1 + 0.2 reaches 0.3 in any order.

    All of them hold. For ``!=`` they are those of ``=``, which the caller negates.

    >>> comparisons(Measure(function=Function.SUM, property="p", operator=Operator.AT_LEAST, values=(0,)))
    ((<Operator.AT_LEAST: '>='>, -1e-09),)
    """
    low, high = measure.values[0], measure.values[-1]
    under, over = low - _room(low), high + _room(high)
    match measure.operator:
        case Operator.GREATER:
            return ((Operator.GREATER, over),)
        case Operator.AT_LEAST:
            return ((Operator.AT_LEAST, under),)
        case Operator.LESS:
            return ((Operator.LESS, under),)
        case Operator.AT_MOST:
            return ((Operator.AT_MOST, over),)
        case _:
            return ((Operator.AT_LEAST, under), (Operator.AT_MOST, over))


def share_of(percent: float) -> Fraction:
    """Return a percentage as an exact fraction of 1: 16.1 % is 161/1000."""
    return Fraction(repr(float(percent))) / 100


def _room(value: float) -> float:
    return min(max(ROOM, RELATIVE_ROOM * abs(value)), MOST_ROOM)


def holds_at_zero(measure: Measure) -> bool:
    """Whether 0 fits: a user without any matching event belongs, once ``include_zero`` is set."""
    first, *rest = measure.values
    match measure.operator:
        case Operator.EQUALS:
            return first == 0
        case Operator.NOT_EQUALS:
            return first != 0
        case Operator.GREATER:
            return first < 0
        case Operator.AT_LEAST:
            return first <= 0
        case Operator.LESS:
            return first > 0
        case Operator.AT_MOST:
            return first >= 0
        case _:
            return first <= 0 <= rest[0]


def only_zero(measure: Measure) -> bool:
    """Whether a count fits at 0 only: without ``include_zero`` it matches nobody."""
    numbers = bool(measure.values) and all(isinstance(value, int | float) for value in measure.values)
    if measure.function is not Function.COUNT or not numbers:
        return False
    first, last = measure.values[0], measure.values[-1]
    match measure.operator:
        case Operator.EQUALS:
            return first == 0
        case Operator.LESS:
            return first <= 1
        case Operator.AT_MOST | Operator.BETWEEN:
            return last < 1
        case _:
            return False
