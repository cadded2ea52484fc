"""The product as it is measured: a segment is built, checked and asked, with nothing known beforehand."""

from collections.abc import Callable
from pathlib import Path

from reference import AS_OF

from workbench.segments.build import Expression
from workbench.segments.check import check
from workbench.segments.vectors.texts import Texts
from workbench.store import stretch
from workbench.workspace import READERS, VECTORS, open_workspace

Build = Callable[[], Expression]


class Account:
    """One workspace, which is read only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = open_workspace(folder / "workbench.toml", read_only=True)
        self.lake = self.workspace.lake.directory

    @property
    def rows(self) -> int:
        """How many events there are."""
        return self.workspace.lake.at().rows("events")

    @property
    def users(self) -> int:
        """How many users there are."""
        return self.workspace.lake.at().rows("users")

    def count(self, build: Build) -> int:
        """Answer a segment from its first word to the table of its users; return how many they are."""
        lake = self.workspace.lake.at()
        segment = build().named("measured")
        check(segment, self.workspace.scope(lake), AS_OF)
        return self.workspace.ask(segment, lake, AS_OF).users.height


def forget() -> None:
    """Empty the caches of answers; the lake stays open, as the peers' connections do."""
    VECTORS.clear()
    VECTORS.texts = Texts()


def forget_files() -> None:
    """Empty the caches of answers and close the lake, whose files are then opened anew."""
    forget()
    READERS.close()
    stretch.metadata.cache_clear()
