"""How small a lift a campaign could see, and what holding users out costs: before anything is sent.

Two shares are compared by a z-test. ``d`` is the smallest difference that it finds with a power of 80 %, at
5 % two-sided; with target ``n1, p1 = p + d`` and control ``n2, p``, and ``q = 1 - p``:

    d = 1.96 sqrt(m (1 - m) (1/n1 + 1/n2)) + 0.8416 sqrt(p1 q1 / n1 + p q / n2),   m = (n1 p1 + n2 p) / (n1 + n2)

Source: Fleiss, Levin, Paik, Statistical Methods for Rates and Proportions, 3rd ed., section 4.2 (without the
correction for continuity); computed by statsmodels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workbench.stats.goal import Total

POWER, ALPHA = 0.8, 0.05
SHARES = (0.02, 0.05, 0.1, 0.2, 0.5)
# Below, the normal distribution is no picture of a count any more (Cochran's rule).
FEWEST = 5
USUAL_LIFT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The goal's rate over the last conversion window, among those who were in the segment when it began.

    Attributes:
        start: of the window; who was in the segment then is counted.
        end: of the window, the instant of the question.
        newest: the newest event of the lake.
        total: their conversions; None if they could not be counted.
        low: of the 95 % interval (Wilson) of the rate; None without users.
        high: of the same.
        why: why there is no rate, or none to compute with; None if there is one.
    """

    start: datetime
    end: datetime
    newest: datetime | None
    total: Total | None = None
    low: float | None = None
    high: float | None = None
    why: str | None = None

    @property
    def rate(self) -> float | None:
        """The share who converted, where one can be computed with."""
        return self.total.rate if self.total is not None and self.why is None else None

    @property
    def sentence(self) -> str:
        """The rate with its interval, or why there is none."""
        when = f"from {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"
        if self.total is None or self.rate is None or self.low is None or self.high is None:
            return f"no baseline {when}: {self.why}"
        return (
            f"baseline {percent(self.rate)}: {self.total.converted:,} of {self.total.users:,} users who were in the "
            f"segment when the last window began converted {when} (95 % interval {percent(self.low)} to "
            f"{percent(self.high)}, Wilson)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The smallest lift that would be found; without one, why.

    Attributes:
        absolute: the difference of the two shares.
        relative: of the baseline.
        why: why there is no number.
    """

    absolute: float | None = None
    relative: float | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One share of control: its arms, what they could see, what they cost.

    Attributes:
        share: of control; None for none.
        chosen: whether it is the campaign's own.
        target: users who would be sent to.
        control: users who would be held out and could have been sent to.
        found: the smallest lift that would be found.
        fewer: users fewer who are sent to than without a control group.
        conversions: not gained by that, at the lift that the cost is counted at; None without a baseline.
        revenue: not gained; None without revenue.
    """

    share: float | None
    chosen: bool
    target: int
    control: int
    found: Detectable
    fewer: int
    conversions: float | None
    revenue: float | None

    @property
    def name(self) -> str:
        """The share, as it is called."""
        return "none" if self.share is None else f"{self.share:.3%}".rstrip("0%").rstrip(".") + " %"

    @property
    def said(self) -> str:
        """The smallest lift, or why there is none."""
        if self.found.absolute is None or self.found.relative is None:
            return str(self.found.why)
        return f"{points(self.found.absolute)} ({self.found.relative:+,.0%} of the baseline)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What a campaign could find out, for several shares of control.

    Attributes:
        campaign: its id.
        goal: as a sentence.
        able: qualified users who can be sent to, the held out included.
        cap: places; None for no limit.
        lift: the absolute lift at which the cost is counted; None without a baseline.
        lift_is: what that lift is.
        options: ascending by share; the campaign's own are its real arms, the others expected ones.
        reconstructed: whether some rows count as recorded at their own time.
    """

    campaign: str
    goal: str
    as_of: datetime
    baseline: Baseline
    able: int
    cap: int | None
    lift: float | None
    lift_is: str
    options: tuple[Option, ...]
    reconstructed: bool
    seconds: float

    @property
    def chosen(self) -> Option:
        """The option that the campaign has."""
        return next(option for option in self.options if option.chosen)

    @property
    def summary(self) -> str:
        """What the campaign's own share can find, and what it costs."""
        own = self.chosen
        name = "no control" if own.share is None else f"{own.name} control"
        arms = f"{own.target:,} would be sent to and {own.control:,} held out"
        if own.found.absolute is None:
            because = own.said if self.baseline.why is None or own.share is None else self.baseline.why
            return f"{name}: {arms}; how small a lift would be found cannot be said: {because}"
        return (
            f"{name}: {arms}; a true lift of {own.said} would be found in 4 of 5 such campaigns, a smaller "
            "one less often"
        )

    @property
    def cost(self) -> str:
        """What holding out costs, in words."""
        own = self.chosen
        if own.conversions is None or self.lift is None:
            return self.lift_is
        if not own.fewer:
            because = "the limit is reached without them" if own.control else "nobody is held out"
            return f"holding out costs no send: {because}"
        worth = "" if own.revenue is None else f" and {own.revenue:,.2f} of revenue"
        return (
            f"{own.fewer:,} users fewer are sent to; at a lift of {points(self.lift)} ({self.lift_is}) that is about "
            f"{own.conversions:,.1f} conversions{worth} not gained"
        )


def baseline(start: datetime, end: datetime, newest: datetime | None, total: Total) -> Baseline:
    """Judge a rate: with its interval, or with why it is none to compute with."""
    # Two seconds to import, with pandas and scipy behind it.
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415

    if not total.users:
        return Baseline(
            start=start, end=end, newest=newest, total=total, why="nobody was in the segment when it began"
        )
    low, high = proportion_confint(total.converted, total.users, alpha=ALPHA, method="wilson")
    why = None
    if not total.converted:
        why = f"none of the {total.users:,} users converted"
    elif total.converted == total.users:
        why = f"all {total.users:,} users converted, and a lift is not possible"
    return Baseline(
        start=start, end=end, newest=newest, total=total, low=float(low), high=float(high), why=why
    )


def detectable(rate: float, target: int, control: int) -> Detectable:
    """Return the smallest lift of ``target`` users over ``control`` users that would be found.

    Args:
        rate: of the control, above 0 and below 1.
        target: users who are sent to.
        control: users who are held out.
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - as above
    from statsmodels.stats.proportion import power_proportions_2indep  # noqa: PLC0415

    for users, name in ((target, "target"), (control, "control")):
        if not users:
            return Detectable(why=f"no {name} users")
        expected = min(rate, 1 - rate) * users
        if expected < FEWEST - 1e-9:
            kind = "conversions" if rate <= 0.5 else "users who do not convert"
            return Detectable(
                why=f"too few {name} users: {users:,} give {expected:.3g} expected {kind}, and {FEWEST} are needed"
            )

    def short_of(lift: float) -> float:
        power = power_proportions_2indep(
            lift, rate, target, ratio=control / target, alpha=ALPHA, return_results=False
        )
        return float(power) - POWER

    most = 1 - rate
    if short_of(most) < 0:
        return Detectable(why="not even if every user of the target converted")
    lift = float(brentq(short_of, 0, most, xtol=1e-12))
    return Detectable(absolute=lift, relative=lift / rate)


def options(
    base: Baseline,
    *,
    able: int,
    cap: int | None,
    chosen: float | None,
    arms: tuple[int, int],
    lift: float | None,
) -> tuple[float | None, str, tuple[Option, ...]]:
    """Compare shares of control.

    Args:
        base: the baseline.
        able: users who can be sent to, the held out included.
        cap: places; None for no limit.
        chosen: the campaign's share; None for none.
        arms: its users sent to, and held out, as they are.
        lift: relative, at which the cost is counted; by default that which the chosen share could find, else 10 %.

    Returns:
        The absolute lift at which the cost is counted, what it is, and the options.
    """
    shares: Sequence[float | None] = sorted({*SHARES, *([chosen] if chosen is not None else [])})
    if chosen is None:
        shares = [None, *shares]
    sized = {share: arms if share == chosen else _expected(able, share, cap) for share in shares}
    found = {share: _found(base, share, *sized[share]) for share in shares}
    at, said = _lift(base, found[chosen], lift)
    worth = base.total.revenue_per_conversion if base.total is not None else None
    without = able if cap is None else min(cap, able)
    listed = []
    for share in shares:
        target, control = sized[share]
        fewer = max(without - target, 0)
        lost = None if at is None else fewer * at
        listed.append(
            Option(
                share=share, chosen=share == chosen, target=target, control=control, found=found[share],
                fewer=fewer, conversions=lost,
                revenue=None if lost is None or worth is None else lost * worth,
            )
        )  # fmt: skip
    return at, said, tuple(listed)


def _expected(able: int, share: float | None, cap: int | None) -> tuple[int, int]:
    control = round(able * (share or 0))
    target = able - control
    return (target if cap is None else min(cap, target)), control


def _found(base: Baseline, share: float | None, target: int, control: int) -> Detectable:
    if share is None:
        return Detectable(why="no control users")
    if base.rate is None:
        return Detectable(why="no baseline")
    return detectable(base.rate, target, control)


def _lift(base: Baseline, own: Detectable, wanted: float | None) -> tuple[float | None, str]:
    if base.rate is None:
        return None, "no baseline, so no cost can be said"
    if wanted is not None:
        return base.rate * wanted, f"{wanted:.1%} of the baseline"
    if own.absolute is not None:
        return own.absolute, "the smallest lift that the chosen control group could find"
    return base.rate * USUAL_LIFT, f"{USUAL_LIFT:.0%} of the baseline"


def points(value: float) -> str:
    """Say a difference of two shares: ``+2.3 points``; a small one keeps two digits.

    >>> points(0.02299), points(0.000123)
    ('+2.3 points', '+0.012 points')
    """
    return f"{_digits(value, sign=True)} points"


def percent(value: float) -> str:
    """Say a share: ``5.0 %``; a small one keeps two digits."""
    return f"{_digits(value)} %"


def _digits(value: float, *, sign: bool = False) -> str:
    hundred = 100 * value
    decimals = 1
    if 0 < abs(hundred) < 1:
        decimals = min(1 - math.floor(math.log10(abs(hundred))), 6)
    return f"{hundred:{'+' if sign else ''},.{decimals}f}"
