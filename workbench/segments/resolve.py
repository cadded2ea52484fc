"""How a tree finds the segments that it names."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from workbench.segments.model import Segment


class Resolver(Protocol):
    """Finds saved segments; the library is one, a dict in a test another."""

    def find(self, name: str, version: int | None) -> Segment | None:
        """Return a segment, its newest version by default, or None."""

    def names(self) -> Iterable[str]:
        """Give the names that exist."""


class Fixed:
    """A resolver over given segments; versions are not distinguished."""

    def __init__(self, segments: Mapping[str, Segment] | None = None) -> None:
        """Keep the segments."""
        self._segments = segments or {}

    def find(self, name: str, version: int | None) -> Segment | None:
        """Return the segment of that name."""
        return self._segments.get(name)

    def names(self) -> Iterable[str]:
        """Give the names."""
        return self._segments
