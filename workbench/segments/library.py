"""Saved segments: each save of something new is a new version with its content hash."""

from dataclasses import dataclass, replace
from datetime import datetime

from workbench.segments import codec
from workbench.segments.model import AllOf, AnyOf, Condition, InSegment, Not, Segment
from workbench.store import tables
from workbench.store.database import Database
from workbench.store.versions import Version, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSegment:
    """One version of a saved segment."""

    segment: Segment
    stored: Version

    @property
    def version(self) -> int:
        """Count from 1."""
        return self.stored.version


class SegmentLibrary:
    """Saves, lists and finds segments; also the resolver of segments inside segments."""

    def __init__(self, database: Database) -> None:
        """Keep the table of segments."""
        self._versions = Versions(database, tables.segments, "segment")

    def save(self, segment: Segment, *, now: datetime) -> SavedSegment:
        """Store a segment as a new version, unless the newest says the same.

        References to other segments without a version are pinned to their newest.

        Raises:
            NotFoundError: a segment that it names does not exist.
            SegmentError: it holds what could not be read back.
        """
        pinned = replace(segment, condition=self._pin(segment.condition))
        body = codec.to_json(pinned)
        codec.from_json(body)
        return _saved(self._versions.save(segment.name, body, now=now))

    def get(self, name: str, version: int | None = None) -> SavedSegment:
        """Return a saved segment, its newest version by default.

        Raises:
            NotFoundError: no such segment or version; the message names near ones.
        """
        return _saved(self._versions.get(name, version))

    def find(self, name: str, version: int | None) -> Segment | None:
        """Return a segment for the compiler, or None."""
        found = self._versions.find(name, version)
        return None if found is None else codec.from_json(found.body)

    def names(self) -> list[str]:
        """Return the names of all segments that are not archived."""
        return self._versions.ids()

    def newest(self) -> list[SavedSegment]:
        """Return the newest version of every segment that is not archived, by name."""
        return [_saved(version) for version in self._versions.newest()]

    def archive(self, name: str, *, now: datetime) -> None:
        """Take a segment out of the lists; its versions stay for the campaigns that pinned them.

        Raises:
            NotFoundError: no such segment.
        """
        self._versions.archive(name, now=now)

    def _pin(self, condition: Condition) -> Condition:
        match condition:
            case InSegment(version=None):
                return replace(condition, version=self.get(condition.segment).version)
            case AllOf() | AnyOf():
                return replace(condition, conditions=tuple(self._pin(part) for part in condition.conditions))
            case Not():
                return replace(condition, condition=self._pin(condition.condition))
            case _:
                return condition


def _saved(version: Version) -> SavedSegment:
    return SavedSegment(segment=codec.from_json(version.body), stored=version)
