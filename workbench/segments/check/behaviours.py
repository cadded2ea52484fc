"""Problems of conditions over events."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import assert_never

from workbench.errors import Problem, nearest
from workbench.segments.behaviours import (
    ConstantPart,
    ConstantProperty,
    Did,
    Interest,
    Milestone,
    Regularly,
    Selection,
    Sequence,
    selection,
)
from workbench.segments.check.paths import join, nth
from workbench.segments.check.values import (
    measure_problems,
    predicate_problems,
    typed_problems,
    value_problems,
)
from workbench.segments.check.windows import clock_problems, duration_problems, event_problems
from workbench.segments.measures import SHARE_DECIMALS, only_zero, share_of
from workbench.segments.model import Behaviour
from workbench.segments.predicates import Function, Operator
from workbench.settings import PropertyType
from workbench.store.catalogue import Catalogue, Property

MOST_PERIODS, LONGEST_PERIOD, MOST_VALUES = 60, 366, 100
PLAIN: frozenset[PropertyType] = frozenset({"text", "number", "boolean", "version"})
NOBODY = "matches nobody: users without events are left out unless include_zero is set"


def behaviour_problems(
    condition: Behaviour, path: str, catalogue: Catalogue, today: date | None
) -> Iterator[Problem]:
    """Give the problems of a condition over events."""
    match condition:
        case Did():
            yield from _did(condition, path, catalogue, today)
        case Milestone():
            yield from _selection(selection(condition), path, catalogue)
            yield from event_problems(condition.window, join(path, "window"), today)
        case Interest():
            yield from _interest(condition, path, catalogue, today)
        case Regularly():
            yield from _regularly(condition, path, catalogue)
        case Sequence():
            yield from _selection(condition.first, join(path, "first"), catalogue)
            yield from _selection(condition.then, join(path, "then"), catalogue)
            yield from duration_problems(condition.within, join(path, "within"))
            yield from event_problems(condition.window, join(path, "window"), today)
        case ConstantProperty():
            yield from _constant(condition, path, catalogue, today)
        case _:
            assert_never(condition)


def _selection(events: Selection, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    if not events.events:
        yield Problem(path=path, message="names no event")
    for name in events.events:
        if name not in catalogue.events:
            yield Problem(path=path, message=f'unknown event "{name}".{nearest(name, catalogue.events)}')
    if len(set(events.events)) < len(events.events):
        yield Problem(path=path, message="names an event twice")
    if any(name in catalogue.events for name in events.events):
        known, subject = _known(events, catalogue)
        for number, item in enumerate(events.where, 1):
            yield from predicate_problems(item, nth(path, number, "filter"), known, subject)
    yield from clock_problems(events.clock, join(path, "clock"))


def _known(events: Selection, catalogue: Catalogue) -> tuple[Mapping[str, Property], str]:
    """Return the properties that the events have, and what to call them."""
    usable = catalogue.properties_of(events.events)
    known = {name: item for name, item in catalogue.properties.items() if name in usable}
    return known, "property of " + " or ".join(f'"{name}"' for name in events.events)


def _did(did: Did, path: str, catalogue: Catalogue, today: date | None) -> Iterator[Problem]:
    events = selection(did)
    yield from _selection(events, path, catalogue)
    if any(name in catalogue.events for name in did.events):
        yield from measure_problems(did.measure, join(path, "measure"), *_known(events, catalogue))
    if did.include_zero and did.measure.function not in {Function.COUNT, Function.SUM, Function.DISTINCT}:
        message = f"without any event there is no {did.measure.function}; include_zero does not apply"
        yield Problem(path=path, message=message)
    if not did.include_zero and only_zero(did.measure):
        yield Problem(path=path, message=NOBODY)
    yield from event_problems(did.window, join(path, "window"), today)


def _interest(item: Interest, path: str, catalogue: Catalogue, today: date | None) -> Iterator[Problem]:
    yield from _selection(selection(item), path, catalogue)
    kind, found = _plain(item.property, selection(item), path, catalogue)
    yield from found
    yield from value_problems(Operator.IN, item.values, path)
    if kind is not None:
        yield from typed_problems(item.property, kind, item.values, path)
    if item.percent is not None and not 0 < item.percent <= 100:
        yield Problem(path=path, message=f"a share lies above 0 and up to 100 %, got {item.percent}")
    elif item.percent is not None and share_of(item.percent).denominator > 100 * 10**SHARE_DECIMALS:
        message = f"a share has at most {SHARE_DECIMALS} decimals, got {item.percent} %"
        yield Problem(path=path, message=message)
    yield from event_problems(item.window, join(path, "window"), today)


def _regularly(item: Regularly, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    yield from _selection(selection(item), path, catalogue)
    if not 1 <= item.periods <= MOST_PERIODS:
        yield Problem(path=path, message=f"looks at 1 to {MOST_PERIODS} periods, got {item.periods}")
    elif not 1 <= item.at_least <= item.periods:
        yield Problem(path=path, message=f"in 1 to {item.periods} of them, got {item.at_least}")
    if not 1 <= item.days <= LONGEST_PERIOD:
        yield Problem(path=path, message=f"a period has 1 to {LONGEST_PERIOD} days, got {item.days}")
    if item.times < 1:
        yield Problem(path=path, message=f"a period needs at least 1 event, got {item.times}")


def _constant(
    item: ConstantProperty, path: str, catalogue: Catalogue, today: date | None
) -> Iterator[Problem]:
    if not any(part.did for part in item.parts):
        yield Problem(path=path, message="needs an event that was done: its values are the ones compared")
    if not 1 <= item.limit <= MOST_VALUES:
        yield Problem(path=path, message=f"gives 1 to {MOST_VALUES} values to the content, got {item.limit}")
    kinds: dict[str, PropertyType] = {}
    for number, part in enumerate(item.parts, 1):
        place = nth(path, number, "part")
        kind, found = _plain(part.property, selection(part), place, catalogue)
        yield from found
        yield from _part(part, place, catalogue, today)
        if kind is not None:
            kinds.setdefault(part.property, kind)
    if len(set(kinds.values())) > 1:
        told = ", ".join(f'"{name}" is a {kind}' for name, kind in kinds.items())
        yield Problem(path=path, message=f"only values of one type can be the same: {told}")


def _part(part: ConstantPart, path: str, catalogue: Catalogue, today: date | None) -> Iterator[Problem]:
    events = selection(part)
    yield from _selection(events, path, catalogue)
    if any(name in catalogue.events for name in part.events):
        yield from measure_problems(part.measure, join(path, "measure"), *_known(events, catalogue))
    if only_zero(part.measure):
        yield Problem(
            path=path, message="no value has fewer than one event; say that it was not done instead"
        )
    yield from event_problems(part.window, join(path, "window"), today)


def _plain(
    name: str, events: Selection, path: str, catalogue: Catalogue
) -> tuple[PropertyType | None, list[Problem]]:
    """Return the type of a property whose values are compared with each other, or what is wrong with it."""
    if not any(event in catalogue.events for event in events.events):
        return None, []
    known, subject = _known(events, catalogue)
    if name not in known:
        return None, [Problem(path=path, message=f'"{name}" is not a {subject}.{nearest(name, known)}')]
    kind = known[name].type
    if kind not in PLAIN:
        return None, [Problem(path=path, message=f'"{name}" is a {kind}; its values are not compared here')]
    return kind, []
