"""What a measure says about users without a matching event."""

from workbench.segments.predicates import Function, Measure, Operator

# Sums and averages are rounded before they are compared: addition depends on order, and order on threads.
DECIMALS = 6


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
    if measure.function is not Function.COUNT or not all(isinstance(v, int | float) for v in measure.values):
        return False
    if not measure.values:
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
