"""Saved segments: each save of something new is a new version with its content hash."""

from dataclasses import dataclass, replace
from datetime import datetime

from workbench.errors import InputError
from workbench.segments import codec
from workbench.segments.check import check
from workbench.segments.model import Condition, Segment, change, walk
from workbench.segments.scope import Scope
from workbench.segments.traits import InSegment
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
        """Keep the table of segments, and that of the campaigns, which may use them."""
        self._versions = Versions(database, tables.segments, "segment")
        self._campaigns = Versions(database, tables.campaigns, "campaign")

    def save(self, segment: Segment, scope: Scope, *, now: datetime) -> SavedSegment:
        """Check a segment and store it as a new version, unless the newest says the same.

        References to other segments without a version are pinned to their newest.

        Raises:
            SegmentError: with every problem; nothing is saved.
        """
        check(segment, scope)
        pinned = replace(segment, condition=change(segment.condition, self._pin))
        body = codec.to_json(pinned)
        codec.from_json(body)
        return _saved(self._versions.save(segment.name, body, now=now))

    def clone(self, name: str, new_name: str, scope: Scope, *, now: datetime) -> SavedSegment:
        """Save a copy under another name.

        Raises:
            NotFoundError: no such segment.
            InputError: the new name is taken.
        """
        original = self.get(name).segment
        if new_name in self.names():
            raise InputError(f'segment "{new_name}" is there already; choose another name')
        return self.save(replace(original, name=new_name), scope, now=now)

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
        """Delete a segment: take it out of the lists; its versions stay for the runs that were made with them.

        Raises:
            NotFoundError: no such segment.
            InputError: a listed campaign or segment uses it; the message names them.
        """
        self.get(name)
        users = self.users(name)
        if users:
            raise InputError(f'segment "{name}" is used by {", ".join(users)}; archive those first')
        self._versions.archive(name, now=now)

    def users(self, name: str) -> tuple[str, ...]:
        """Return the listed campaigns and segments that use a segment: ``campaign "winback"``."""
        campaigns = [
            f'campaign "{saved.id}"'
            for saved in self._campaigns.newest()
            if saved.body["segment"]["name"] == name
        ]
        segments = [
            f'segment "{saved.segment.name}"'
            for saved in self.newest()
            if any(
                isinstance(part, InSegment) and part.segment == name for part in walk(saved.segment.condition)
            )
        ]
        return (*campaigns, *segments)

    def _pin(self, condition: Condition) -> Condition:
        if isinstance(condition, InSegment) and condition.version is None:
            return replace(condition, version=self.get(condition.segment).version)
        return condition


def _saved(version: Version) -> SavedSegment:
    return SavedSegment(segment=codec.from_json(version.body), stored=version)
