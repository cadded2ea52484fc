"""Problems of conditions over users."""

from collections.abc import Iterator
from typing import assert_never

from workbench.errors import Problem, nearest
from workbench.segments.check.paths import nth
from workbench.segments.check.values import number_problems, predicate_problems
from workbench.segments.model import Trait
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.settings import PropertyType
from workbench.store.catalogue import Catalogue
from workbench.store.salted import BUCKETS

OLDEST, HALF_WAY_ROUND = 150, 20_037_509


def trait_problems(condition: Trait, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    """Give the problems of a condition over users."""
    match condition:
        case UserProperty():
            yield from predicate_problems(condition.predicate, path, catalogue.attributes, "user property")
        case Age():
            yield from _needs(catalogue, "birth_date", "date", path)
            yield from number_problems(condition.operator, condition.values, path)
            for value in condition.values:
                if isinstance(value, int | float) and not 0 <= value <= OLDEST:
                    yield Problem(path=path, message=f"an age is 0 to {OLDEST} years, got {value}")
        case Near():
            yield from _near(condition, path, catalogue)
        case Bucket():
            if not 0 <= condition.first <= condition.last < BUCKETS:
                message = f"user buckets are 0 to {BUCKETS - 1}, got {condition.first} to {condition.last}"
                yield Problem(path=path, message=message)
        case Device():
            if not condition.where:
                yield Problem(path=path, message="names no property of a device")
            for number, item in enumerate(condition.where, 1):
                place = nth(path, number, "filter")
                yield from predicate_problems(item, place, catalogue.devices, "device property")
        case InList():
            yield from _list(condition, path, catalogue)
        case InSegment():
            raise AssertionError("the tree follows segments")
        case _:
            assert_never(condition)


def _near(condition: Near, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    for name, value, limit in (("latitude", condition.latitude, 90), ("longitude", condition.longitude, 180)):
        yield from _needs(catalogue, name, "number", path)
        if not -limit <= value <= limit:
            yield Problem(path=path, message=f"a {name} is -{limit} to {limit} degrees, got {value}")
    if not 0 < condition.metres <= HALF_WAY_ROUND:
        message = f"a radius is above 0 and up to {HALF_WAY_ROUND:,} metres, got {condition.metres}"
        yield Problem(path=path, message=message)


def _needs(catalogue: Catalogue, name: str, kind: PropertyType, path: str) -> Iterator[Problem]:
    found = catalogue.attributes[name].type
    if found != kind:
        yield Problem(path=path, message=f'needs "{name}" as a {kind}, the profiles have it as a {found}')


def _list(condition: InList, path: str, catalogue: Catalogue) -> Iterator[Problem]:
    known = catalogue.lists.get(condition.list)
    if known is None:
        hint = nearest(condition.list, catalogue.lists)
        yield Problem(path=path, message=f'unknown list "{condition.list}".{hint}')
    elif condition.version is not None and condition.version not in {item.version for item in known}:
        message = f'list "{condition.list}" has versions 1 to {known[-1].version}, not {condition.version}'
        yield Problem(path=path, message=message)
