"""Arrays that were dear to compute, kept under what was asked; bounded in bytes, shared in a process."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from workbench.segments.vectors.texts import Texts

LIMIT = 1_000_000_000


class Sized(Protocol):
    """Whatever knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """The size in bytes."""


Value = TypeVar("Value", bound=Sized | None)


@dataclass(frozen=True, slots=True)
class Key:
    """What was asked: of which data, which query, with which values.

    The data are a digest of immutable files, so an entry is right as long as anybody can ask for it.

    Attributes:
        lake: the folder of the lake.
        data: the files that the query reads, as a digest.
        query: the text that was run.
        values: the bound values, as they are written.
    """

    lake: str
    data: str
    query: str
    values: str = ""


class Vectors:
    """A cache of arrays: the least recently asked goes first; two who ask the same wait for one answer."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Hold at most ``limit`` bytes."""
        self.limit = limit
        self.texts = Texts()
        self.hits = self.misses = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Sized] = OrderedDict()
        self._under_way: dict[Key, threading.Event] = {}

    def get(self, key: Key, compute: Callable[[], Value]) -> Value:
        """Return what is kept under ``key``, or compute and keep it.

        An error of ``compute`` (a cancelled question, a damaged file) is raised and nothing is kept, nor is None;
        others who wait for the same answer then compute it themselves.
        """
        while True:
            with self._lock:
                if key in self._kept:
                    self.hits += 1
                    self._kept.move_to_end(key)
                    return cast("Value", self._kept[key])
                turn = self._under_way.get(key)
                if turn is None:
                    self.misses += 1
                    self._under_way[key] = mine = threading.Event()
                    break
            turn.wait()
        try:
            value = compute()
            self._keep(key, value)
            return value
        finally:
            with self._lock:
                del self._under_way[key]
            mine.set()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    @property
    def nbytes(self) -> int:
        """How many bytes are held."""
        with self._lock:
            return sum(value.nbytes for value in self._kept.values())

    def __len__(self) -> int:
        """How many answers are held."""
        with self._lock:
            return len(self._kept)

    def _keep(self, key: Key, value: Sized | None) -> None:
        if value is None:
            return
        with self._lock:
            self._kept[key] = value
            held = sum(kept.nbytes for kept in self._kept.values())
            while held > self.limit and self._kept:
                _, dropped = self._kept.popitem(last=False)
                held -= dropped.nbytes
