"""The detectable lift: against the closed formula by hand, against simulated experiments, and where there is none."""

from datetime import UTC, datetime
from math import sqrt

import numpy as np
import pytest

from workbench.stats.goal import Total
from workbench.stats.power import Baseline, Detectable, baseline, detectable, options

START, END = datetime(2026, 6, 24, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def followed(users: int, converted: int, revenue: float | None = None) -> Baseline:
    """The baseline of so many users."""
    found = Total(users=users, converted=converted, revenue=revenue, unpriced=0, open=0)
    return baseline(START, END, END, found)


def test_the_lift_is_that_of_the_formula_by_hand() -> None:
    """10 %, 900 against 100: 1.96 times 0.0421 and 0.8416 times 0.0329 are 0.0825 and 0.0277."""
    found = detectable(0.1, 900, 100)
    assert found.absolute == pytest.approx(0.0825 + 0.0277, abs=1e-4)
    assert found.relative == pytest.approx(1.102, abs=1e-3)


@pytest.mark.parametrize(
    ("rate", "target", "control"), [(0.05, 9000, 1000), (0.3, 400, 400), (0.01, 98_000, 2000)]
)
def test_the_lift_solves_the_formula(rate: float, target: int, control: int) -> None:
    """Put into the right side of the formula in the docstring, it comes out again."""
    lift = detectable(rate, target, control).absolute
    assert lift is not None
    treated = rate + lift
    mean = (target * treated + control * rate) / (target + control)
    right = 1.959964 * sqrt(mean * (1 - mean) * (1 / target + 1 / control)) + 0.841621 * sqrt(
        treated * (1 - treated) / target + rate * (1 - rate) / control
    )
    assert lift == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize(
    ("rate", "target", "control"),
    [(0.05, 9000, 1000), (0.02, 4000, 1000), (0.05, 5000, 5000), (0.01, 98_000, 2000), (0.4, 300, 60)],
)
def test_four_of_five_simulated_experiments_find_it(rate: float, target: int, control: int) -> None:
    """Of 20,000 experiments with that lift 80 % give |z| > 1.96; without a lift 5 % do."""
    lift = detectable(rate, target, control).absolute
    assert lift is not None
    chance = np.random.default_rng(7)

    def found(treated: float) -> float:
        a, b = chance.binomial(target, treated, 20_000), chance.binomial(control, rate, 20_000)
        mean = (a + b) / (target + control)
        z = (a / target - b / control) / np.sqrt(mean * (1 - mean) * (1 / target + 1 / control))
        return float((abs(z) > 1.959964).mean())

    assert found(rate + lift) == pytest.approx(0.8, abs=0.015)
    assert found(rate) == pytest.approx(0.05, abs=0.01)


def test_equal_arms_see_the_most() -> None:
    """Of 10,000 users, the more even the split the smaller the lift that is found."""
    lifts = [detectable(0.05, 10_000 - control, control).absolute for control in (200, 500, 1000, 2000, 5000)]
    assert lifts == sorted(lifts, key=lambda lift: -(lift or 0))
    assert [round(lift or 0, 4) for lift in lifts] == [0.0562, 0.0331, 0.0230, 0.0167, 0.0129]


@pytest.mark.parametrize(
    ("rate", "target", "control", "why"),
    [
        (0.05, 1000, 0, "no control users"),
        (0.05, 0, 1000, "no target users"),
        (0.05, 1000, 99, "too few control users: 99 give 4.95 expected conversions, and 5 are needed"),
        (0.01, 9800, 200, "too few control users: 200 give 2 expected conversions, and 5 are needed"),
        (0.99, 1000, 100, "too few control users: 100 give 1 expected users who do not convert, and 5 are needed"),
        (0.9, 60, 50, "not even if every user of the target converted"),
    ],
)  # fmt: skip
def test_where_there_is_no_number_there_is_a_sentence(
    rate: float, target: int, control: int, why: str
) -> None:
    """Never infinity, never NaN, never more than everyone."""
    assert detectable(rate, target, control) == Detectable(why=why)


def test_at_five_expected_conversions_there_is_a_number() -> None:
    """The limit itself is enough."""
    assert detectable(0.05, 1000, 100).absolute == pytest.approx(0.0901, abs=1e-4)


def test_a_baseline_has_its_interval() -> None:
    """50 of 1,000: Wilson's 95 % interval, 3.81 to 6.53 %."""
    found = followed(1000, 50)
    assert (found.rate, found.why) == (0.05, None)
    assert (found.low, found.high) == (pytest.approx(0.0381, abs=5e-5), pytest.approx(0.0653, abs=5e-5))


@pytest.mark.parametrize(
    ("users", "converted", "why"),
    [
        (0, 0, "nobody was in the segment when it began"),
        (1000, 0, "none of the 1,000 users converted"),
        (10, 10, "all 10 users converted, and a lift is not possible"),
    ],
)
def test_a_rate_to_compute_with_lies_between_nobody_and_everyone(
    users: int, converted: int, why: str
) -> None:
    """The words, and no option with a number."""
    base = followed(users, converted)
    assert (base.rate, base.why) == (None, why)
    at, said, found = options(base, able=1000, cap=None, chosen=0.1, arms=(900, 100), lift=None)
    assert (at, said) == (None, "no baseline, so no cost can be said")
    assert {item.found for item in found} == {Detectable(why="no baseline")}
    assert {(item.conversions, item.revenue) for item in found} == {(None, None)}


def test_the_chosen_share_has_its_real_arms_and_the_others_expected_ones() -> None:
    """897 and 103 as the hash fell; 10 % is not listed twice."""
    _, _, found = options(followed(1000, 100), able=1000, cap=None, chosen=0.1, arms=(897, 103), lift=0.2)
    assert [(item.share, item.chosen, item.target, item.control, item.fewer) for item in found] == [
        (0.02, False, 980, 20, 20), (0.05, False, 950, 50, 50), (0.1, True, 897, 103, 103),
        (0.2, False, 800, 200, 200), (0.5, False, 500, 500, 500),
    ]  # fmt: skip
    assert [item.found.why is None for item in found] == [False, True, True, True, True]


def test_the_cost_is_the_sends_not_made_times_the_lift() -> None:
    """20 % of a baseline of 10 % are 2 points: 103 sends fewer are 2.06 conversions, each worth 30."""
    at, said, found = options(
        followed(1000, 100, revenue=3000), able=1000, cap=None, chosen=0.1, arms=(897, 103), lift=0.2
    )
    assert (at, said) == (pytest.approx(0.02), "20.0% of the baseline")
    assert [item.conversions for item in found] == pytest.approx([0.4, 1.0, 2.06, 4.0, 10.0])
    assert [item.revenue for item in found] == pytest.approx([12, 30, 61.8, 120, 300])


def test_a_cap_that_binds_makes_holding_out_free() -> None:
    """Of 1,000 only 600 are sent to: up to 400 held out nobody loses a message; at 500 a hundred do."""
    _, _, found = options(followed(1000, 100), able=1000, cap=600, chosen=0.1, arms=(600, 100), lift=0.5)
    assert [(item.target, item.fewer, item.conversions) for item in found] == [
        (600, 0, 0.0), (600, 0, 0.0), (600, 0, 0.0), (600, 0, 0.0), (500, 100, pytest.approx(5.0)),
    ]  # fmt: skip


def test_without_a_lift_named_the_cost_is_at_the_one_that_could_be_found() -> None:
    """The campaign's own; without a control group at 10 % of the baseline."""
    base = followed(1000, 100)
    at, said, found = options(base, able=1000, cap=None, chosen=0.1, arms=(900, 100), lift=None)
    assert at == pytest.approx(0.1102, abs=1e-4)
    assert said == "the smallest lift that the chosen control group could find"
    assert found[2].conversions == pytest.approx(11.02, abs=0.01)
    assert found[2].revenue is None
    at, said, found = options(base, able=1000, cap=None, chosen=None, arms=(1000, 0), lift=None)
    assert (at, said) == (pytest.approx(0.01), "10% of the baseline")
    assert (found[0].share, found[0].chosen, found[0].fewer) == (None, True, 0)
    assert found[0].found == Detectable(why="no control users")
