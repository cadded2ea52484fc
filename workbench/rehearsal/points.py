"""Where a process can be killed: at each step that the outside world sees.

A file is made durable, a folder gets its name, a transaction is committed, a request is written, an answer is read.
"""

import http.client
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import InputError, nearest
from workbench.store.database import Database

KINDS = ("fsync", "rename", "commit", "request", "answer")
NAMES = ("begin", *(f"{side} {kind}" for kind in KINDS for side in ("before", "after")))
# How far through a run: 0 is the first of its kind, 1 the last. The number of commits varies a little.
SPREAD = (
    ("before fsync", 0.0), ("after fsync", 0.5), ("after rename", 0.0), ("before commit", 0.0),
    ("after commit", 0.5), ("before commit", 0.8), ("before request", 0.0), ("after request", 0.5),
    ("before answer", 0.5), ("after answer", 1.0),
)  # fmt: skip
EVERYWHERE = (0.0, 0.3, 0.6, 0.8)
MOST = len(NAMES) * len(EVERYWHERE)
NOWHERE = "none"
WORDS = SOME, ALL, NO = "some", "all", "none"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The time of its name at which a process is killed, from 1."""

    name: str
    ordinal: int

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.name} {self.ordinal}"


def parse(text: str) -> Point:
    """Read a point such as ``after commit 2``.

    Raises:
        InputError: an unknown name, or a number that is none.

    >>> parse("after commit 2")
    Point(name='after commit', ordinal=2)
    """
    name, _, number = text.strip().rpartition(" ")
    if text.strip() in NAMES:
        raise InputError(f'kill "{text}" says no number: "{text.strip()} 1" is its first time')
    if not re.fullmatch(r"-?\d{1,9}", number):
        hint = nearest(text, WORDS)
        raise InputError(
            f'kill "{text}" is none of some, all, none, and no point with its number, such as "after commit 2".{hint}'
        )
    if name not in NAMES:
        hint = nearest(name, NAMES) or f" Known are: {', '.join(NAMES)}."
        raise InputError(f'unknown point "{name}".{hint}')
    if int(number) < 1:
        raise InputError(f'kill "{text}": numbers start at 1, so "{name} 1" is the first time')
    return Point(name, int(number))


def spread(seen: Mapping[str, int]) -> tuple[Point, ...]:
    """Return a few points of every kind, over the whole of a run that reached each name so often."""
    return _at(seen, SPREAD)


def everywhere(seen: Mapping[str, int]) -> tuple[Point, ...]:
    """Return points of every name, four each where a run reached it so often."""
    return _at(seen, ((name, place) for name in NAMES for place in EVERYWHERE))


def _at(seen: Mapping[str, int], places: Iterable[tuple[str, float]]) -> tuple[Point, ...]:
    found = [Point(name, 1 + round(place * (seen[name] - 1))) for name, place in places if seen.get(name)]
    return tuple(dict.fromkeys(found))


class Steps:
    """Counts the steps of this process and kills it, with SIGKILL, at the chosen one."""

    def __init__(self, at: Point | None) -> None:
        """Have seen nothing yet."""
        self.seen: Counter[str] = Counter()
        self._at = at
        self._lock = threading.Lock()

    def watch(self, database: Database) -> None:
        """Count from now on; nothing of it is ever taken back, so a process that does so is one of its own."""
        os.fsync = self._around("fsync", os.fsync)
        os.replace = self._around("rename", os.replace)
        connection = http.client.HTTPConnection
        connection.endheaders = self._around("request", connection.endheaders)  # type: ignore[method-assign]
        connection.getresponse = self._around("answer", connection.getresponse)  # type: ignore[method-assign]
        database.watch(self._around, lambda: self._reached("begin"))

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._reached(f"before {name}")
            found = call(*arguments, **options)
            self._reached(f"after {name}")
            return found

        return counted

    def _reached(self, name: str) -> None:
        with self._lock:
            self.seen[name] += 1
            if self._at == Point(name, self.seen[name]):
                os.kill(os.getpid(), signal.SIGKILL)
