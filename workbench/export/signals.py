"""Ctrl-C and SIGTERM while a run is sent: what is in flight is finished first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

HEARD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hear no signal while what must not stay behind is taken away."""
    heard: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        heard = {number: signal.signal(number, signal.SIG_IGN) for number in HEARD}
    try:
        yield
    finally:
        for number, before in heard.items():
            signal.signal(number, before)


class Signals:
    """Notes the first signal instead of breaking off; the second one breaks off."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.heard: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Listen, where this is the main thread; no other one is ever interrupted."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in HEARD}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let signals do what they did before."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def error(self) -> BaseException | None:
        """What the signal that was heard would have raised."""
        match self.heard:
            case None:
                return None
            case signal.SIGINT:
                return KeyboardInterrupt()
            case number:
                return SystemExit(128 + number)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.heard is not None:
            raise KeyboardInterrupt
        self.heard = number
