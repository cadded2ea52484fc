"""A condition that combines with others by ``&``, ``|`` and ``~``."""

from typing import NoReturn

from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.sentence import sentence


class Expression:
    """A condition under construction; every method returns a new one.

    >>> from workbench.segments.build import user
    >>> (user("plan") == "pro") & ~(user("country") == "US")
    plan is "pro" and not (country is "US")
    """

    __slots__ = ("condition",)

    def __init__(self, condition: Condition) -> None:
        """Wrap a condition of the tree."""
        self.condition = condition

    def __and__(self, other: "Expression") -> "Expression":
        """Users who fit both."""
        if not isinstance(other, Expression):
            return NotImplemented
        return all_of(*_parts(self, AllOf), *_parts(other, AllOf))

    def __or__(self, other: "Expression") -> "Expression":
        """Users who fit at least one."""
        if not isinstance(other, Expression):
            return NotImplemented
        return any_of(*_parts(self, AnyOf), *_parts(other, AnyOf))

    def __invert__(self) -> "Expression":
        """Users who do not fit."""
        return Expression(Not(condition=self.condition))

    def __bool__(self) -> NoReturn:
        """Refuse ``and``, ``or``, ``not`` and chains like ``1 < x < 3``, which would drop a part.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "conditions combine with &, | and ~ in parentheses, never with and, or, not, a < b < c"
        )

    def __eq__(self, other: object) -> bool:
        """Whether both are the same tree."""
        return isinstance(other, Expression) and self.condition == other.condition

    def __hash__(self) -> int:
        """Hash as the tree does."""
        return hash(self.condition)

    def __repr__(self) -> str:
        """Say what it means."""
        return sentence(self.condition)

    def named(self, name: str, description: str = "") -> Segment:
        """Return the segment of this condition."""
        return Segment(name=name, condition=self.condition, description=description)


def all_of(*expressions: Expression) -> Expression:
    """Users who fit every condition; nested groups stay nested."""
    return Expression(AllOf(conditions=tuple(item.condition for item in expressions)))


def any_of(*expressions: Expression) -> Expression:
    """Users who fit at least one condition; nested groups stay nested."""
    return Expression(AnyOf(conditions=tuple(item.condition for item in expressions)))


def _parts(expression: Expression, group: type[AllOf] | type[AnyOf]) -> list[Expression]:
    if isinstance(expression.condition, group):
        return [Expression(part) for part in expression.condition.conditions]
    return [expression]
