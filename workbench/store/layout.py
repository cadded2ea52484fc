"""How the files of a lake version lie: the parts that a compaction makes one file of each."""

from dataclasses import dataclass

from workbench.store import facts
from workbench.store.lake import Lake
from workbench.store.parquet import ROW_GROUP
from workbench.store.pinned import LakeFile, LakeVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The files of one kind, of events those of one month; the workbench's own events are apart.

    Attributes:
        kind: users, events, tallies, profiles, devices or lists.
        month: of events and their tallies, such as ``2026-06``; empty for the other kinds.
        own: whether these are events that the workbench wrote itself.
        files: in the order in which they came.
    """

    kind: str
    month: str
    own: bool
    files: tuple[LakeFile, ...]

    @property
    def rows(self) -> int:
        """How many rows the files have."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """How large the files are."""
        return sum(file.bytes for file in self.files)

    @property
    def small(self) -> int:
        """How many files have less than one full row group and could be merged with another one."""
        mergeable = self.kind not in {"lists", "tallies"} and len(self.files) > 1
        return sum(file.rows < ROW_GROUP for file in self.files) if mergeable else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The newest version of a lake, part by part.

    Attributes:
        version: the newest one.
        oldest: the oldest version from which on all can be read.
        parts: in the order of kind and month, ingested before own ones.
    """

    version: int
    oldest: int
    parts: tuple[Part, ...]


def layout(lake: Lake) -> Layout:
    """Look at the file list of the newest version; no file is opened."""
    version = lake.at()
    return Layout(version=version.version, oldest=lake.oldest(), parts=parts(version))


def parts(version: LakeVersion) -> tuple[Part, ...]:
    """Return the parts of a version; what has no file has no part."""
    found: dict[tuple[str, str, bool], list[LakeFile]] = {}
    for file in version.files:
        found.setdefault((file.kind, month(file), facts.own(file.contents)), []).append(file)
    return tuple(
        Part(kind=kind, month=name, own=own, files=tuple(files))
        for (kind, name, own), files in sorted(found.items())
    )


def month(file: LakeFile) -> str:
    """Return the month whose events a file holds, in UTC; empty for other kinds."""
    return file.path.split("/")[1].removeprefix("month=") if file.kind in {"events", "tallies"} else ""
