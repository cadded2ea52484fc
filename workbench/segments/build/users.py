"""Names that compare: properties of events, of users, of devices; and the other conditions over users."""

from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from workbench.segments.build.expression import Expression
from workbench.segments.build.windows import Windowed, single
from workbench.segments.predicates import Operator, Predicate, Value
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.segments.windows import Next, Window

Result = TypeVar("Result")


class Filter:
    """A comparison of a property, for ``where``."""

    __slots__ = ("predicate",)

    def __init__(self, predicate: Predicate) -> None:
        """Wrap a predicate of the tree."""
        self.predicate = predicate

    def __bool__(self) -> NoReturn:
        """Refuse ``and`` and ``1 < x < 3``, which would drop a part.

        Raises:
            TypeError: always.
        """
        raise TypeError("filters are listed: where(prop(a) > 1, prop(b) < 3); a range is between(1, 3)")

    __and__ = __or__ = __invert__ = lambda self, *_: bool(self)


class Name(Windowed[Result], Generic[Result]):
    """The name of a property, waiting for a comparison."""

    __slots__ = ("_make", "name")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str, make: Callable[[Predicate], Result]) -> None:
        """Keep the name, and what a comparison of it becomes."""
        self.name = name
        self._make = make

    def __bool__(self) -> NoReturn:
        """Refuse ``and``, ``not`` and a name without a comparison.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f'"{self.name}" is compared, such as == True or exists(), and combined with &, | and ~'
        )

    def compare(self, operator: Operator, *values: Value, window: Window | None = None) -> Result:
        """Compare by any operator."""
        predicate = Predicate(property=self.name, operator=operator, values=values, window=window)
        return self._make(predicate)

    def __eq__(self, value: Value) -> Result:  # type: ignore[override]
        """Is the value."""
        return self.compare(Operator.EQUALS, value)

    def __ne__(self, value: Value) -> Result:  # type: ignore[override]
        """Is there, and is another value."""
        return self.compare(Operator.NOT_EQUALS, value)

    def __gt__(self, value: Value) -> Result:
        """Is above."""
        return self.compare(Operator.GREATER, value)

    def __ge__(self, value: Value) -> Result:
        """Is at least."""
        return self.compare(Operator.AT_LEAST, value)

    def __lt__(self, value: Value) -> Result:
        """Is below."""
        return self.compare(Operator.LESS, value)

    def __le__(self, value: Value) -> Result:
        """Is at most."""
        return self.compare(Operator.AT_MOST, value)

    def between(self, low: Value, high: Value) -> Result:
        """Is between two values, both included."""
        return self.compare(Operator.BETWEEN, low, high)

    def equals(self, *values: Value) -> Result:
        """Is one of the values."""
        return self.compare(Operator.EQUALS, *values)

    def not_equals(self, *values: Value) -> Result:
        """Is there, and is none of the values."""
        return self.compare(Operator.NOT_EQUALS, *values)

    def is_in(self, *values: Value) -> Result:
        """Is one of the values."""
        return self.compare(Operator.IN, *values)

    def not_in(self, *values: Value) -> Result:
        """Is there, and is none of the values."""
        return self.compare(Operator.NOT_IN, *values)

    def contains(self, *texts: str) -> Result:
        """Contains at least one of the texts."""
        return self.compare(Operator.CONTAINS, *texts)

    def does_not_contain(self, *texts: str) -> Result:
        """Is there, and contains none of the texts."""
        return self.compare(Operator.NOT_CONTAINS, *texts)

    def starts_with(self, *texts: str) -> Result:
        """Starts with at least one of the texts."""
        return self.compare(Operator.STARTS_WITH, *texts)

    def ends_with(self, *texts: str) -> Result:
        """Ends with at least one of the texts."""
        return self.compare(Operator.ENDS_WITH, *texts)

    def matches(self, *patterns: str) -> Result:
        """Matches at least one regular expression (RE2), anywhere in the text."""
        return self.compare(Operator.MATCHES, *patterns)

    def contains_any(self, *items: str) -> Result:
        """Is a list with at least one of the items."""
        return self.compare(Operator.CONTAINS_ANY, *items)

    def contains_all(self, *items: str) -> Result:
        """Is a list with all of the items."""
        return self.compare(Operator.CONTAINS_ALL, *items)

    def contains_none(self, *items: str) -> Result:
        """Is a list, and has none of the items."""
        return self.compare(Operator.CONTAINS_NONE, *items)

    def exists(self) -> Result:
        """Is there."""
        return self.compare(Operator.EXISTS)

    def missing(self) -> Result:
        """Is not there."""
        return self.compare(Operator.NOT_EXISTS)

    def in_window(self, window: Window) -> Result:
        """Is a date in a window."""
        return self.compare(Operator.WITHIN, window=window)

    def in_next(self, **unit: int) -> Result:
        """Is a date from today to N ``days``, ``weeks``, ``months``, ``years`` from now."""
        name, count = single(unit)
        return self.in_window(Next(count=count, unit=name))

    def anniversary(self, within: int = 0) -> Result:
        """Is a date whose anniversary is today, or comes within some days."""
        return self.compare(Operator.ANNIVERSARY, within)


def prop(name: str) -> Name[Filter]:
    """Name a property of an event, or of a device, for ``where``."""
    return Name(name, Filter)


def user(name: str) -> Name[Expression]:
    """Name an attribute of the profile."""
    return Name(name, lambda predicate: Expression(UserProperty(predicate=predicate)))


def device(name: str) -> Name[Expression]:
    """Name a property of devices: at least one of the user's devices fits."""
    return Name(name, lambda predicate: Expression(Device(where=(predicate,))))


def device_with(*filters: Filter) -> Expression:
    """Users with one device that fits every filter."""
    return Expression(Device(where=tuple(item.predicate for item in filters)))


def age() -> Name[Expression]:
    """Name the age in whole years, from the birth date: ``age() >= 18``."""
    return Name("age", lambda item: Expression(Age(operator=item.operator, values=item.values)))  # type: ignore[arg-type]


def near(latitude: float, longitude: float, *, metres: float) -> Expression:
    """Users within a radius of a point."""
    return Expression(Near(latitude=latitude, longitude=longitude, metres=metres))


def bucket(first: int, last: int | None = None) -> Expression:
    """Users in a permanent bucket, or a range of them, of 0 to 999."""
    return Expression(Bucket(first=first, last=first if last is None else last))


def in_list(name: str, version: int | None = None) -> Expression:
    """Users of a custom list."""
    return Expression(InList(list=name, version=version))


def in_segment(name: str, version: int | None = None) -> Expression:
    """Users of another saved segment."""
    return Expression(InSegment(segment=name, version=version))
