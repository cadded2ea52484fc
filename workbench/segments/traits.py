"""Conditions over what a user is, has, or was put into."""

from dataclasses import dataclass
from typing import Literal

from workbench.segments.predicates import Operator, Predicate

# Metres, the mean radius of the WGS 84 ellipsoid.
EARTH_RADIUS = 6_371_008.8


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProperty:
    """Users whose profile attribute fits."""

    predicate: Predicate
    kind: Literal["user"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """Users whose age in whole years fits, from ``birth_date`` and the account's date of ``as_of``.

    Whoever was born on 29 February grows older on the 28th in the other years.
    """

    operator: Operator
    values: tuple[int | float, ...]
    kind: Literal["age"] = "age"


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Users whose ``latitude`` and ``longitude`` lie at most ``metres`` from a point (great circle)."""

    latitude: float
    longitude: float
    metres: float
    kind: Literal["near"] = "near"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Users in the permanent buckets ``first`` to ``last``, of 0 to 999; see ``store.salted``."""

    first: int
    last: int
    kind: Literal["bucket"] = "bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Users with at least one device that fits every filter."""

    where: tuple[Predicate, ...]
    kind: Literal["device"] = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class InList:
    """Users of a custom list; without a version the newest one that was imported by ``as_of``."""

    list: str
    version: int | None = None
    kind: Literal["list"] = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment:
    """Users of another segment; without a version the newest, which saving pins."""

    segment: str
    version: int | None = None
    kind: Literal["segment"] = "segment"
