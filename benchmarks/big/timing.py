"""Times of steps that take turns, so that a busy moment of the machine meets all of them alike."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Times:
    """The seconds that each repetition of a step took."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def noise(self) -> float:
        """The inter-quartile range, as a share of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median


def interleaved(
    steps: Mapping[str, Step], repeat: int, before: Step = lambda: None, warm: int = 1
) -> dict[str, Times]:
    """Time steps in turn: the first, the second, ..., the first again.

    Args:
        steps: by their names.
        repeat: how often each is timed.
        before: done before each step, and not timed.
        warm: how often each is done beforehand, and not timed.
    """
    found: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(warm + repeat):
        for name, step in steps.items():
            before()
            began = time.perf_counter()
            step()
            took = time.perf_counter() - began
            if turn >= warm:
                found[name].append(took)
    return {name: Times(tuple(seconds)) for name, seconds in found.items()}


def geometric_mean(ratios: Iterable[float]) -> float:
    """Return the mean of ratios: twice as slow and twice as fast come to 1."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
