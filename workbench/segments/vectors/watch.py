"""Who looks on while a question is answered: hears how far it is, and may stop it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workbench.errors import CancelledError
from workbench.store import engine

LABEL = "reading events"
AGAIN = 0.05


class Watch:
    """Of one question.

    An engine forgets an interruption that comes before its query has begun, so it is interrupted until it
    has ended.
    """

    def __init__(self, report: Callable[[str, int, int], None] | None = None) -> None:
        """Tell ``report`` a label, how many rows are read and how many there are in all."""
        self._report = report
        self._lock = threading.Lock()
        self._running: set[engine.Connection] = set()
        self._stopped = threading.Event()
        self._done = self._total = self._reached = 0

    def cancel(self) -> None:
        """Stop the question from any thread; whoever asked gets a ``CancelledError``."""
        self._stopped.set()
        threading.Thread(target=self._interrupt, daemon=True).start()

    def check(self) -> None:
        """Go on, unless the question was stopped.

        Raises:
            CancelledError: it was.
        """
        if self._stopped.is_set():
            raise CancelledError("stopped before the answer was there")

    def expect(self, rows: int) -> None:
        """Say how many rows are to be read in all."""
        with self._lock:
            self._total, self._done, self._reached = rows, 0, 0
        self._tell()

    def read(self, rows: int) -> None:
        """Add to the rows that were read, and tell."""
        self.check()
        with self._lock:
            self._done = min(self._done + rows, self._total)
        self._tell()

    def answered(self, rows: int) -> None:
        """Count the rows of a condition whose answer is there as read, whatever it took."""
        with self._lock:
            self._reached += rows
            self._done = min(self._reached, self._total)
        self._tell()

    def step(self, label: str, done: int, total: int) -> None:
        """Tell of another kind of steps."""
        self.check()
        if self._report is not None:
            self._report(label, done, total)

    @contextmanager
    def running(self, cursor: engine.Connection) -> Iterator[None]:
        """Let a cursor be interrupted while it is at work."""
        with self._lock:
            self._running.add(cursor)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._running.discard(cursor)

    def _tell(self) -> None:
        if self._report is not None and self._total:
            self._report(LABEL, self._done, self._total)

    def _interrupt(self) -> None:
        while True:
            with self._lock:
                if not self._running:
                    return
                for cursor in self._running:
                    cursor.interrupt()
            time.sleep(AGAIN)
