"""The constant properties of a segment, whose values the content may use."""

from collections.abc import Iterator

from workbench.segments.behaviours import ConstantProperty
from workbench.segments.model import AllOf, AnyOf, Condition, Not
from workbench.store.catalogue import Catalogue, Property


def constants(condition: Condition, catalogue: Catalogue) -> dict[str, Property]:
    """Return the property behind each constant property of a segment, by the name of its values."""
    known = catalogue.properties
    return {
        found.name: known[found.parts[0].property]
        for found in _walk(condition)
        if found.parts[0].property in known
    }


def _walk(condition: Condition) -> Iterator[ConstantProperty]:
    match condition:
        case AllOf() | AnyOf():
            for part in condition.conditions:
                yield from _walk(part)
        case Not():
            yield from _walk(condition.condition)
        case ConstantProperty():
            yield condition
        case _:
            return
