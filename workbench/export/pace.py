"""How fast the workers of a run may send: one rate and one pause for all of them."""

import threading
import time
from collections import deque
from collections.abc import Callable

SLOWEST = 25.0
GROWTH = 0.05
NEARLY_FULL = 80
ONCE = 1.0


class Pace:
    """A gate before every attempt. It spaces them, holds all of them back, and closes for good.

    The account's rate is the upper bound. Below it is a lower one after the receiver said that the traffic
    grows too fast or is near a limit; that one grows back by a twentieth a second.
    """

    def __init__(self, batches_per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at the account's rate, open."""
        self._clock = clock
        self._changed = threading.Condition()
        self._full = self._rate = batches_per_second
        self._slowed_at = self._free_at = self._paused_until = float("-inf")
        self._begun: deque[tuple[float, int]] = deque()
        self._known_until = float("inf")
        self._closed = False

    @property
    def rate(self) -> float:
        """Batches a second as of now."""
        with self._changed:
            return self._rate_at(self._clock())

    @property
    def closed(self) -> bool:
        """Whether nothing may begin any more."""
        return self._closed

    def enter(self, batches: int) -> bool:
        """Wait for this attempt's turn; False when none comes because the gate was closed."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                if now >= self._known_until:
                    self._changed.wait()
                    continue
                ready = max(self._free_at, self._paused_until)
                if now >= ready:
                    self._free_at = max(self._free_at, now) + batches / self._rate_at(now)
                    self._begun.append((now, batches))
                    return True
                self._changed.wait(ready - now)
        return False

    def delay(self, batches: int) -> float:
        """Seconds until an attempt begins that comes after so many batches."""
        with self._changed:
            now = self._clock()
            ready = max(self._free_at, self._paused_until, now)
            return ready - now + batches / self._rate_at(now)

    def pause(self, seconds: float) -> None:
        """Let nothing begin for so long, whoever asks; a longer pause stays."""
        with self._changed:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def slow(self, factor: float) -> None:
        """Go on at a part of the rate of the last second; several answers at once slow down once."""
        with self._changed:
            now = self._clock()
            if now < self._slowed_at + ONCE:
                return
            lately = sum(batches for at, batches in self._begun if at > now - 1)
            slowed = max(min(lately, self._rate_at(now)) * factor, SLOWEST)
            self._rate, self._slowed_at = min(slowed, self._full), now

    def used(self, percentage: int) -> None:
        """Slow down before a refusal: from four fifths of a limit on, to a half when it is reached."""
        if percentage >= NEARLY_FULL:
            self.slow(1 - (min(percentage, 100) - NEARLY_FULL) / 40)

    def renew(self, until: float) -> None:
        """Let attempts begin until then, by the clock; then they wait until it is renewed. Without any they always may."""
        with self._changed:
            was_over = self._clock() >= self._known_until
            self._known_until = until
            if was_over:
                self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait, or until the gate is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout=seconds)

    def close(self) -> None:
        """Let nothing begin any more; whoever waits is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _rate_at(self, now: float) -> float:
        while self._begun and self._begun[0][0] <= now - 1:
            self._begun.popleft()
        if self._rate < self._full:
            grown: float = self._rate * (1 + GROWTH) ** (now - self._slowed_at)
            return min(grown, self._full)
        return self._full
