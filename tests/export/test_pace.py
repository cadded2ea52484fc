"""One pace for all: spacing, pauses, and a lower rate that grows back."""

import threading

import pytest

from workbench.export.pace import Pace


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def busy(rate: float, batches: int) -> tuple[Pace, Clock]:
    """A pace through which so many batches went in the last second."""
    clock = Clock()
    pace = Pace(rate, clock)
    for _ in range(10):
        assert pace.enter(batches // 10)
        clock.now += 0.099
    return pace, clock


def test_attempts_are_spaced() -> None:
    """Twenty batches at a hundred a second take a fifth of a second, whoever comes next."""
    clock = Clock()
    pace = Pace(100, clock)
    assert pace.delay(0) == 0
    assert pace.enter(20)
    assert pace.delay(0) == pytest.approx(0.2)
    assert pace.delay(100) == pytest.approx(1.2)


def test_a_pause_is_for_everybody_and_the_longest_counts() -> None:
    """A shorter pause does not end a longer one."""
    clock = Clock()
    pace = Pace(1e6, clock)
    pace.pause(5)
    pace.pause(1)
    assert pace.delay(0) == pytest.approx(5)
    clock.now += 6
    assert pace.delay(0) == 0


def test_a_lower_rate_grows_slowly_back() -> None:
    """Half of what really went, not of what was allowed; once for answers that come together; 5 % a second."""
    pace, clock = busy(100_000, 1000)
    pace.slow(0.5)
    pace.slow(0.5)
    assert pace.rate == pytest.approx(500)
    clock.now += 1
    assert pace.rate == pytest.approx(525)
    clock.now += 200
    assert pace.rate == 100_000


def test_a_nearly_used_limit_slows_down() -> None:
    """Below four fifths nothing changes; at 90 % three quarters of the traffic go on, at 100 % a half."""
    for percentage, rate in ((79, 100_000), (80, 1000), (90, 750), (100, 500), (400, 500)):
        pace, _ = busy(100_000, 1000)
        pace.used(percentage)
        assert pace.rate == pytest.approx(rate), percentage


def test_it_never_stands_still() -> None:
    """After nothing at all went, 25 batches a second may go; never more than the account's rate."""
    slow, narrow = Pace(270, Clock()), Pace(10, Clock())
    slow.slow(0.5)
    narrow.slow(0.5)
    assert (slow.rate, narrow.rate) == (25, 10)


def test_a_closed_gate_lets_nobody_in() -> None:
    """Also those who were waiting, and those who sleep before another attempt."""
    pace = Pace(1e6)
    pace.pause(600)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(pace.enter(1)))
    sleeping = threading.Thread(target=pace.sleep, args=(600,))
    waiting.start()
    sleeping.start()
    pace.close()
    waiting.join(timeout=60)
    sleeping.join(timeout=60)
    assert found == [False]
    assert not sleeping.is_alive()
    assert pace.enter(1) is False
