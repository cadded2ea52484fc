"""How the size of a segment moves with the threshold of one of its conditions, all else equal."""

import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from workbench.errors import InputError
from workbench.reach.subjects import Named, past, subject
from workbench.segments.behaviours import Did
from workbench.segments.model import Condition
from workbench.segments.predicates import Measure, Operator
from workbench.segments.resolve import Resolver
from workbench.segments.sentence import sentence
from workbench.segments.vectors import Watch, suppose
from workbench.segments.vectors.values import Numbers, Values, fitting, movable, room_of, thresholds, values
from workbench.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """How many users, for whom the threshold matters, have this number."""

    value: float
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The size of a segment for every threshold of one condition.

    Attributes:
        name: of the segment.
        sentence: what it says.
        condition: what the condition says whose threshold moves.
        measure: its function, operator and threshold as they are.
        as_of: the instant.
        steps: ``threshold, users, current``, ascending: every threshold at which the size changes, and the
            one that is set.
        near: those whose number is the threshold, and those one step below and above.
        always: users who are in the segment whatever the threshold.
        swing: users who are in or out as the threshold says.
        reconstructed: whether some rows count as recorded at their own time.
        seconds: the time that the question took.
    """

    name: str
    sentence: str
    condition: str
    measure: Measure
    as_of: datetime
    steps: pl.DataFrame
    near: tuple[Near, ...]
    always: int
    swing: int
    reconstructed: bool
    seconds: float

    @property
    def threshold(self) -> float:
        """As it is set."""
        return float(self.measure.values[0])

    @property
    def users(self) -> int:
        """The size of the segment as it is."""
        return int(self.steps.filter("current")["users"][0])

    @property
    def compared(self) -> str:
        """What the threshold is compared with: ``sum of price >=``."""
        of = f" of {self.measure.property}" if self.measure.property else ""
        return f"{self.measure.function}{of} {self.measure.operator}"

    def around(self, rows: int) -> pl.DataFrame:
        """Return the current step, and so many steps to either side."""
        numbered = self.steps.with_row_index("row")
        (now,) = numbered.filter("current")["row"]
        return numbered.filter(pl.col("row").is_between(max(now - rows, 0), now + rows)).drop("row")

    def beside(self) -> list[tuple[float, int]]:
        """Return the nearest thresholds below and above at which the size is another, with their users."""
        other = self.steps.filter(pl.col("users") != self.users).select("threshold", "users")
        below = other.filter(pl.col("threshold") < self.threshold).tail(1)
        above = other.filter(pl.col("threshold") > self.threshold).head(1)
        return [*below.iter_rows(), *above.iter_rows()]


def curve(
    workspace: Workspace,
    segment: Named,
    condition: int | None = None,
    *,
    as_of: datetime,
    watch: Watch | None = None,
) -> Curve:
    """Count a segment for every threshold of one *did* condition.

    Args:
        workspace: with the lake and the saved segments.
        segment: a saved one by name, ``(name, version)``, or a segment as it is written.
        condition: which of ``Reach.counts.conditions``, from 0; None when only one has a threshold.
        as_of: the instant of the question.
        watch: hears how far it is, and may stop it.

    Raises:
        InputError: the condition has no threshold, or several have one and none is chosen; the message names
            those that have. Or ``as_of`` lies in the future.
        NotFoundError: no such segment.
        SegmentError: it does not fit the data; with all problems.
    """
    instant, began = past(as_of), time.perf_counter()
    item = subject(workspace, segment)
    lake = workspace.lake.at()
    asked = item.ask(workspace, lake, instant, watch)
    path, leaf = chosen(item.segment.condition, workspace.segments, condition)
    everyone, qualified = asked.everyone, asked.qualified
    answers = {held.condition: held.holds[everyone] for held in asked.conditions}
    tree = suppose.opened(item.segment.condition, workspace.segments)
    users = int(np.count_nonzero(everyone))
    if_true, if_false = (
        suppose.answered(suppose.put(tree, path, fixed), answers, users)
        for fixed in (suppose.TRUE, suppose.FALSE)
    )
    held = values(workspace.question(lake, instant), leaf, everyone)[everyone]
    numbered = ~np.isnan(held)
    let_in, kept_out = held[if_true & ~if_false & numbered], held[if_false & ~if_true & numbered]
    always = int(np.count_nonzero(if_false & (if_true | ~numbered)))
    swing = np.concatenate([let_in, kept_out])

    def sizes(limits: Values) -> Numbers:
        return (
            always
            + fitting(leaf.measure, let_in, limits)
            + kept_out.size
            - fitting(leaf.measure, kept_out, limits)
        )

    limits = thresholds(leaf.measure, swing, include_zero=leaf.include_zero)
    return Curve(
        name=item.label,
        sentence=item.sentence,
        condition=sentence(leaf),
        measure=leaf.measure,
        as_of=instant,
        steps=_steps(leaf.measure, limits, sizes(limits), int(np.count_nonzero(qualified))),
        near=_near(leaf.measure, swing),
        always=always,
        swing=swing.size,
        reconstructed=lake.reconstructed,
        seconds=time.perf_counter() - began,
    )


def chosen(tree: Condition, resolver: Resolver, condition: int | None) -> tuple[suppose.Path, Did]:
    """Return the condition whose threshold moves, and where it stands in the opened tree.

    Raises:
        InputError: it has no threshold, or several have one and none is chosen.
    """
    listed = list(suppose.places(tree, resolver))
    having = {
        number: (path, leaf)
        for number, (path, leaf) in enumerate(listed)
        if path is not None and isinstance(leaf, Did) and movable(leaf)
    }
    named = "; ".join(f"{number}: {sentence(leaf)}" for number, (_, leaf) in having.items())
    those = f"those that have one are {named}" if named else "no condition of the segment has one"
    if condition is None:
        if len(having) == 1:
            return next(iter(having.values()))
        raise InputError(f"choose the condition whose threshold moves: {those}")
    if not 0 <= condition < len(listed):
        raise InputError(f"the segment has conditions 0 to {len(listed) - 1}, not {condition}; {those}")
    if condition not in having:
        said = sentence(listed[condition][1])
        raise InputError(f"condition {condition} ({said}) has no threshold that can move; {those}")
    return having[condition]


def _steps(measure: Measure, limits: Values, sizes: Numbers, users: int) -> pl.DataFrame:
    now = float(measure.values[0])
    frame = pl.DataFrame(
        {"threshold": limits, "users": sizes}, schema={"threshold": pl.Float64, "users": pl.Int64}
    )
    if measure.operator is not Operator.EQUALS:
        frame = frame.filter((pl.col("users") != pl.col("users").shift()).fill_null(value=True))
    set_ = pl.DataFrame({"threshold": [now], "users": [users], "current": [True]})
    others = frame.filter(pl.col("threshold") != now).with_columns(current=pl.lit(value=False))
    return pl.concat([others, set_]).sort("threshold")


def _near(measure: Measure, held: Values) -> tuple[Near, ...]:
    """Return who has the threshold itself as number, and who the next number on either side."""
    now = float(measure.values[0])
    exactly = Measure(
        function=measure.function, property=measure.property, operator=Operator.EQUALS, values=(now,)
    )
    known = thresholds(exactly, held, include_zero=True)
    limit = np.array([now])
    apart = np.abs(known - now) > room_of(exactly, limit)
    beside = np.concatenate([known[apart & (known < now)][-1:], known[apart & (known > now)][:1]])
    shown = np.sort(np.append(beside, limit))
    counted = fitting(exactly, held, shown)
    return tuple(
        Near(value=float(value), users=int(users)) for value, users in zip(shown, counted, strict=True)
    )
