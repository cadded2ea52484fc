"""The tree itself: groups, segments inside segments, and what must be unique in the whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never

from workbench.errors import Problem, SegmentError, nearest
from workbench.segments import codec
from workbench.segments.behaviours import ConstantProperty, Did, Interest, Milestone, Regularly, Sequence
from workbench.segments.check.behaviours import behaviour_problems
from workbench.segments.check.paths import join, nth
from workbench.segments.check.traits import trait_problems
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment, size, walk
from workbench.segments.scope import Scope, aware
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty

DEEPEST, MOST_CONDITIONS = 50, 500


def check(segment: Segment, scope: Scope, as_of: datetime | None = None) -> None:
    """Refuse a segment that cannot be asked exactly.

    Args:
        segment: to check.
        scope: the account, and the lake version that it will be asked of.
        as_of: the instant of the question, when there is one: no window may lie after it.

    Raises:
        SegmentError: with every problem of the tree and of the segments that it names.
    """
    found = list(problems(segment, scope, as_of))
    if found:
        raise SegmentError(segment.name, found)


def problems(segment: Segment, scope: Scope, as_of: datetime | None = None) -> Iterator[Problem]:
    """Give every problem of a segment; one that does not fit the shape has no others."""
    conditions, depth = size(segment.condition)
    if depth > DEEPEST:
        yield Problem(path="", message=f"conditions are nested more than {DEEPEST} deep")
        return
    if conditions > MOST_CONDITIONS:
        message = f"a tree has at most {MOST_CONDITIONS} conditions, this one {conditions:,}; use a list"
        yield Problem(path="", message=message)
        return
    try:
        codec.from_json(codec.to_json(segment))
    except SegmentError as error:
        yield from error.problems
        return
    except (TypeError, ValueError) as error:
        yield Problem(path="", message=f"holds what no file can say: {str(error).splitlines()[0]}")
        return
    walker = _Walker(scope=scope, today=scope.today(aware(as_of)) if as_of else None)
    yield from walker.condition(segment.condition, "", (segment.name,))
    names = [
        item.name for item in walk(segment.condition) if isinstance(item, ConstantProperty) and item.parts
    ]
    for name in sorted({name for name in names if names.count(name) > 1}):
        message = f'two constant properties are called "{name}"; give one of them another alias'
        yield Problem(path="", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walker:
    scope: Scope
    today: date | None

    def condition(
        self, condition: Condition, path: str, inside: tuple[str, ...], depth: int = 0
    ) -> Iterator[Problem]:
        if depth > DEEPEST:
            yield Problem(path=path, message=f"conditions are nested more than {DEEPEST} deep")
            return
        here = join(path, condition.kind)
        match condition:
            case AllOf() | AnyOf():
                if not condition.conditions:
                    message = "an empty group matches nobody or everybody; add a condition"
                    yield Problem(path=here, message=message)
                for number, part in enumerate(condition.conditions, 1):
                    yield from self.condition(part, nth(here, number, "condition"), inside, depth + 1)
            case Not():
                yield from self.condition(condition.condition, here, inside, depth + 1)
            case Did() | Milestone() | Interest() | Regularly() | Sequence() | ConstantProperty():
                yield from behaviour_problems(condition, here, self.scope.catalogue, self.today)
            case InSegment():
                yield from self.segment(condition, here, inside, depth + 1)
            case UserProperty() | Age() | Near() | Bucket() | Device() | InList():
                yield from trait_problems(condition, here, self.scope.catalogue)
            case _:
                assert_never(condition)

    def segment(self, item: InSegment, path: str, inside: tuple[str, ...], depth: int) -> Iterator[Problem]:
        if item.segment in inside:
            chain = " > ".join((*inside, item.segment))
            yield Problem(path=path, message=f"a segment cannot contain itself: {chain}")
            return
        resolver = self.scope.resolver
        names = list(resolver.names())
        other = resolver.find(item.segment, item.version)
        if other is None and item.segment in names:
            yield Problem(path=path, message=f'segment "{item.segment}" has no version {item.version}')
        elif other is None:
            yield Problem(
                path=path, message=f'unknown segment "{item.segment}".{nearest(item.segment, names)}'
            )
        elif item.segment not in names:
            yield Problem(path=path, message=f'segment "{item.segment}" was archived')
        else:
            place = f'{path} "{item.segment}"'
            yield from self.condition(other.condition, place, (*inside, item.segment), depth)
