"""The rate limit: how many batches the last second held."""

from collections import deque
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=1)


class Pace:
    """A sliding window of one second over accepted requests."""

    def __init__(self, limit: int) -> None:
        """Allow `limit` batches in any second."""
        if limit < 1:
            message = f"rate_limit={limit} is below 1 batch a second"
            raise ValueError(message)
        self._limit = limit
        self._taken: deque[tuple[datetime, int]] = deque()

    def takes(self, batches: int, now: datetime) -> bool:
        """Count the batches and say True, unless they pass the limit.

        A request that is larger than the limit passes when the second before it was empty.
        """
        while self._taken and self._taken[0][0] <= now - WINDOW:
            self._taken.popleft()
        if self._taken and self._used() + batches > self._limit:
            return False
        self._taken.append((now, batches))
        return True

    def percent_used(self) -> int:
        """Give the used part of the limit, 0 to 100, as of the last request."""
        return min(100, 100 * self._used() // self._limit)

    def _used(self) -> int:
        return sum(batches for _, batches in self._taken)
