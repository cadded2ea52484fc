"""What a comparison is about: saved segments by name and version, or segments as they are written."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from workbench.errors import InputError
from workbench.segments.check import check
from workbench.segments.model import Segment
from workbench.segments.scope import aware
from workbench.segments.sentence import sentence
from workbench.segments.vectors import Asked, Watch
from workbench.store.lake import utc_now
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

Named: TypeAlias = str | tuple[str, int] | Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A segment, and what it is called beside others."""

    label: str
    segment: Segment

    @property
    def sentence(self) -> str:
        """What the segment says."""
        return sentence(self.segment.condition)

    def ask(
        self, workspace: Workspace, lake: LakeVersion, as_of: datetime, watch: Watch | None = None
    ) -> Asked:
        """Check and answer it.

        Raises:
            SegmentError: it does not fit the data; with all problems.
        """
        check(self.segment, workspace.scope(lake), as_of)
        return workspace.ask(self.segment, lake, as_of, watch=watch)


def subject(workspace: Workspace, named: Named) -> Subject:
    """Find a segment by its name (the newest version), by name and version, or take it as it is.

    Raises:
        NotFoundError: no such segment or version; the message names near ones.
    """
    match named:
        case Segment():
            return Subject(label=named.name, segment=named)
        case (name, version):
            return Subject(label=f"{name} v{version}", segment=workspace.segments.get(name, version).segment)
        case _:
            return Subject(label=named, segment=workspace.segments.get(named).segment)


def past(as_of: datetime) -> datetime:
    """Return the instant of a question in UTC.

    Raises:
        InputError: it has no zone, or lies in the future.
    """
    instant = aware(as_of)
    if instant > utc_now():
        raise InputError(f"as_of {as_of:%Y-%m-%d %H:%M %Z} lies in the future: nothing is recorded by then")
    return instant
