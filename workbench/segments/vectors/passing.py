"""The rows of a behaviour at several instants: what lies in every window, and what comes and goes.

Windows only ever move forwards, so a row enters once and leaves once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.segments.behaviours import Selection
from workbench.segments.vectors.arrays import EARLIEST, EPOCH, microseconds
from workbench.segments.vectors.question import Question
from workbench.segments.vectors.rows import rows
from workbench.segments.windows import Span, Window
from workbench.store.engine import quote

Days = npt.NDArray[np.int16]
INSTANT = "epoch_us(ts)"
INSTANTS = f"{INSTANT}, epoch_us(greatest(ts, coalesce(received_at, ts)))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """One window at several instants, in microseconds since 1970, ascending.

    Attributes:
        starts: included; ``EARLIEST`` where it is open.
        ends: excluded; just after the instant where it is open.
        seen: the instants; rows recorded later are not seen.
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    seen: npt.NDArray[np.int64]

    @property
    def whole(self) -> Span:
        """What lies in any of them, and after."""
        return Span(start=_instant(int(self.starts[0])))

    @property
    def steady(self) -> Span | None:
        """What lies in all of them, as seen at the first; None if nothing does."""
        start, end = int(self.starts[-1]), int(self.ends[0])
        return Span(start=_instant(start), end=_instant(end)) if start < end else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """The rows that are in some windows and not in all.

    Attributes:
        codes: of the users.
        values: what was asked for, one array a column.
        entered: in which window each row is for the first time.
        left: in which it is no more.
    """

    codes: npt.NDArray[np.int64]
    values: tuple[npt.NDArray[Any], ...]
    entered: Days
    left: Days

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return sum(part.nbytes for part in self.values) + (
            self.codes.nbytes + self.entered.nbytes + self.left.nbytes
        )

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Passing":
        """Return some of the rows."""
        return Passing(
            codes=self.codes[chosen],
            values=tuple(value[chosen] for value in self.values),
            entered=self.entered[chosen],
            left=self.left[chosen],
        )

    def inside(self, day: int) -> npt.NDArray[np.bool_]:
        """Return which rows are in a window."""
        return (self.entered <= day) & (self.left > day)


def windows(questions: list[Question], window: Window) -> Windows:
    """Resolve a window at the instants of some questions, which ascend."""
    limits = [question.span(window) for question in questions]
    seen = np.array([microseconds(question.as_of) for question in questions])
    open_ends = seen + 1
    ends = [
        at if found.end is None else microseconds(found.end)
        for found, at in zip(limits, open_ends, strict=True)
    ]
    return Windows(
        starts=np.array([EARLIEST if found.start is None else microseconds(found.start) for found in limits]),
        ends=np.minimum(np.array(ends), open_ends),
        seen=seen,
    )


def passing(
    questions: list[Question], events: Selection, found: Windows, columns: str, properties: tuple[str, ...]
) -> Passing:
    """Read what comes and goes.

    Args:
        questions: whose instants ascend.
        events: which of them.
        found: the window at these instants.
        columns: SQL of one value, a number that may be null; nothing for none.
        properties: those that ``columns`` names.
    """
    last = questions[-1]
    at_once = last.at_once(events)
    instants = INSTANT if at_once else INSTANTS
    wanted = f"{instants}, {columns}" if columns else instants
    chosen = [
        rows(last, events, span, wanted, properties=properties, late=late, prefix=f"rows{number}")
        for number, (span, late) in enumerate(_spans(questions, found, at_once=at_once), 1)
    ]
    if not chosen:
        return _joined([], columns=1 if columns else 0)
    values = {name: value for part in chosen for name, value in part.values.items()}
    values |= {"starts": found.starts.tolist(), "ends": found.ends.tolist(), "seen": found.seen.tolist()}
    named = " ".join(f"${name}" for name in ("starts", "ends", "seen"))
    text = "\n".join(["passing", named, *(part.sql for part in chosen)])
    kinds = tuple(dict.fromkeys(kind for part in chosen for kind in part.kinds))

    def compute() -> Passing:
        parts = [_placed(found, arrays, at_once=at_once) for part in chosen for arrays in part.arrays()]
        return _joined(parts, columns=1 if columns else 0)

    return last.vectors.get(last.key(text, values, *kinds), compute)


def passing_texts(
    questions: list[Question], events: Selection, found: Windows, column: str, name: str
) -> Passing | None:
    """Read what comes and goes, with the number of each row's text, -1 where it has none; see ``passing``.

    None where there are too many texts to be numbered.
    """
    last = questions[-1]
    parts = []
    recorded_at_once = last.at_once(events)
    for span, late in _spans(questions, found, at_once=recorded_at_once):
        direct = rows(last, events, span, quote(column), properties=(name,), late=late)
        at_once = recorded_at_once
        tables = direct.direct_texts(column, with_ts=True) if at_once else None
        if tables is None:
            at_once = False
            chosen = rows(last, events, span, f"{quote(column)}, {INSTANTS}", properties=(name,), late=late)
            tables = list(chosen.tables())
        for table in tables:
            codes, *instants = (
                table.column(number).to_numpy() for number in (0, *range(2, table.num_columns))
            )
            texts = table.column(1)
            numbers = np.full(len(codes), -1, dtype=np.int64)
            present = texts.is_valid().to_numpy()
            known = last.vectors.texts.numbers(texts.filter(texts.is_valid()) if texts.null_count else texts)
            if known is None:
                return None
            numbers[present] = known
            parts.append(_placed(found, (codes, *instants, numbers), at_once=at_once))
    return _joined(parts, columns=1)


def _spans(
    questions: list[Question], found: Windows, *, at_once: bool
) -> Iterator[tuple[Span, datetime | None]]:
    """Yield what lies before, and what after, the steady part; then what was recorded late within it."""
    first, middle = int(found.starts[0]), int(found.starts[-1])
    steady_end, end = int(found.ends[0]), int(found.ends[-1])
    after = max(middle, steady_end)
    if first < middle:
        yield Span(start=_instant(first), end=_instant(min(middle, end))), None
    if after < end:
        yield Span(start=_instant(after), end=_instant(end)), None
    if middle < steady_end and not at_once:
        yield Span(start=_instant(middle), end=_instant(steady_end)), questions[0].as_of


def _placed(found: Windows, arrays: tuple[npt.NDArray[Any], ...], *, at_once: bool) -> Passing:
    """Say when rows enter and leave: of their user, their instant, when it was recorded unless at once, values."""
    codes, instants, *values = arrays
    entered = np.searchsorted(found.ends, instants, side="right")
    if not at_once:
        recorded, *values = values
        entered = np.maximum(entered, np.searchsorted(found.seen, recorded))
    left = np.searchsorted(found.starts, instants, side="right")
    kept = entered < left
    return Passing(
        codes=codes[kept].astype(np.int64),
        values=tuple(np.ma.filled(value, np.nan)[kept] for value in values),
        entered=entered[kept].astype(np.int16),
        left=left[kept].astype(np.int16),
    )


def _joined(parts: list[Passing], columns: int) -> Passing:
    if not parts:
        nothing = np.empty(0, np.int64)
        return Passing(
            codes=nothing, values=tuple(np.empty(0) for _ in range(columns)),
            entered=nothing.astype(np.int16), left=nothing.astype(np.int16),
        )  # fmt: skip
    return Passing(
        codes=np.concatenate([part.codes for part in parts]),
        values=tuple(
            np.concatenate(columns) for columns in zip(*(part.values for part in parts), strict=True)
        ),
        entered=np.concatenate([part.entered for part in parts]),
        left=np.concatenate([part.left for part in parts]),
    )


def _instant(value: int) -> datetime | None:
    return None if value == EARLIEST else EPOCH + timedelta(microseconds=value)
