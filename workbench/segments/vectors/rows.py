"""The rows of one behaviour: the query for them, and the arrays that are added up from them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.segments.behaviours import Selection
from workbench.segments.sql import behaviours as sql
from workbench.segments.vectors.arrays import microseconds
from workbench.segments.vectors.cache import Key
from workbench.segments.vectors.question import Question
from workbench.segments.windows import Span
from workbench.store import facts, stretch, tallies
from workbench.store.catalogue import ANY_EVENT
from workbench.store.pinned import LakeFile, LakeVersion

Codes = npt.NDArray[np.int64]
FEW, MOST_ROWS = 4_000_000, 40_000_000
DIRECT: Mapping[str, bool] = {"": False, "epoch_us(ts)": True}
NONE: Codes = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The events that a behaviour chooses in a window.

    Attributes:
        question: whose instant the window is relative to.
        sql: the query, with the columns that were asked for.
        values: its bound values.
        estimate: how many rows the behaviour's events have in the files that the window touches; filters
            can only make them fewer.
        kinds: what the query reads.
        plain: the files that hold them, and whether each reaches beyond the window; None if some rows of
            the events in the window are not chosen.
        with_ts: whether the time is all that is selected beside the user; None if something else is.
        names: of the events.
        tallies: files and events whose counts belong to these rows and are not among them.
        since: the first instant of the window in microseconds since 1970.
        until: its end, excluded.
    """

    question: Question
    sql: str
    values: dict[str, Any]
    estimate: int
    kinds: tuple[str, ...]
    plain: tuple[tuple[LakeFile, bool], ...] | None = None
    with_ts: bool | None = None
    names: tuple[str, ...] = ()
    tallies: tuple[tuple[LakeFile, str], ...] = ()
    since: int | None = None
    until: int | None = None

    @property
    def few(self) -> bool:
        """Whether they fit in memory; if not, the engine aggregates and spills."""
        return self.estimate <= MOST_ROWS

    def key(self, shape: str = "") -> Key:
        """Return under what an array of ``shape`` over these rows is kept."""
        added = "".join(f"\n{file.path} {event}" for file, event in self.tallies)
        return self.question.key(f"{shape} {self.sql}{added}".lstrip(), self.values, *self.kinds)

    def tallied(self) -> Iterator[npt.NDArray[Any]]:
        """Read counts, by user code, that belong to these rows; an array may end before the last code."""
        lake = self.question.reader.version.lake
        for file, event in self.tallies:
            self.question.watch.check()
            yield tallies.read(lake / file.path, file.contents["tallies"], event)

    def arrays(self) -> Iterator[tuple[npt.NDArray[Any], ...]]:
        """Read numbers, some millions at a time; no column may be null."""
        if not self.estimate:
            return
        direct = self._direct()
        if direct is not None:
            yield direct
        elif self.estimate > FEW:
            yield from (tuple(column.to_numpy() for column in table.columns) for table in self.tables())
            return
        else:
            yield self.question.arrays(self.sql, self.values)
        self.question.watch.read(self.estimate)

    def _direct(self) -> tuple[npt.NDArray[Any], ...] | None:
        """Read codes, and times, straight from the files; None where that cannot be done, or is no gain."""
        if self.plain is None or self.with_ts is None or self.estimate > FEW:
            return None
        found = []
        for one, since, until in self._stretches(self.plain):
            part = stretch.numbers(one, with_ts=self.with_ts, since=since, until=until)
            if part is None:
                return None
            found.append(part)
        return tuple(np.concatenate(columns) for columns in zip(*found, strict=True))

    def _stretches(
        self, plain: tuple[tuple[LakeFile, bool], ...]
    ) -> Iterator[tuple[stretch.Stretch, int | None, int | None]]:
        """Yield where the rows lie, and the bounds of those files that reach beyond the window."""
        lake = self.question.reader.version.lake
        for file, across in plain:
            bounds = (self.since, self.until) if across else (None, None)
            for one in tallies.stretches(lake, file):
                if one.event in self.names:
                    self.question.watch.check()
                    yield one, *bounds

    def tables(self) -> Iterator[pa.Table]:
        """Read them, some millions at a time."""
        held: list[pa.RecordBatch] = []
        for batch in self.question.batches(self.sql, self.values, self.estimate):
            held.append(batch)
            if sum(part.num_rows for part in held) >= FEW:
                yield pa.Table.from_batches(held)
                held = []
        if held:
            yield pa.Table.from_batches(held)

    def numbered(self, column: str) -> tuple[Codes, Codes, Codes] | None:
        """Read a text column: the user codes of all rows, and those with a text beside the text's number.

        None where there are too many texts to be numbered.
        """
        every: list[npt.NDArray[Any]] = []
        codes: list[npt.NDArray[Any]] = []
        numbers: list[npt.NDArray[Any]] = []
        for table in self._texts(column):
            users, values = table.column(0).to_numpy(), table.column(1)
            every.append(users)
            if values.null_count:
                present = values.is_valid()
                users, values = users[present.to_numpy()], values.filter(present)
            found = self.question.vectors.texts.numbers(values)
            if found is None:
                return None
            codes.append(users)
            numbers.append(found)
        if not every:
            return NONE, NONE, NONE
        return np.concatenate(every), np.concatenate(codes), np.concatenate(numbers)

    def _texts(self, column: str) -> Iterator[pa.Table]:
        """Read codes and a text column straight from the files where that can be done, else through the engine."""
        yield from self.direct_texts(column) or self.tables()

    def direct_texts(self, column: str, *, with_ts: bool = False) -> list[pa.Table] | None:
        """Read codes, a text column, and times, straight from the files; None where that cannot be done."""
        if self.plain is None:
            return None
        found = []
        for one, since, until in self._stretches(self.plain):
            table = stretch.texts(one, column, since, until, with_ts=with_ts)
            if table is None:
                return None
            found.append(table)
        return found


def rows(
    question: Question,
    events: Selection,
    limits: Span,
    columns: str,
    *,
    properties: tuple[str, ...] = (),
    where: str = "",
    grouped: str = "",
    late: datetime | None = None,
    prefix: str = "rows",
) -> Rows:
    """Choose events: only files that hold some are read, and those within the window without its bounds.

    Args:
        question: at whose instant.
        events: which of them.
        limits: between which they lie.
        columns: SQL of what is selected, beside ``user_code``.
        properties: those that ``columns`` and ``where`` name.
        where: SQL of one more condition; identifiers quoted, no values.
        grouped: SQL of what is selected from ``columns`` for each user.
        late: only events that were recorded after this instant.
        prefix: of the names of bound values.
    """
    writer, version = question.writer(), question.reader.version
    if events.clock is not None and events.clock.zone == "user":
        writer.user_zones()
    always = [sql.names(writer, events, prefix), *sql.filters(writer, events, prefix)]
    always += [where] if where else []
    if late is not None:
        always.append(f"coalesce(received_at, ts) > {writer.bind(f'{prefix}_late', late)}")
    known = question.scope.catalogue.properties
    used = [known[name].column for name in (*(item.property for item in events.where), *properties)]
    within, across, hidden = _files(question, events, limits, late)
    between = _until_as_of(question, limits, across)
    timed = sql.times(writer, between, prefix)
    added: list[tuple[LakeFile, str]] = []
    if not (columns or events.where or events.clock):
        within, added = _tallied(version, events, within)
    estimate = sum(_count(events, file) for file in (*within, *across, *hidden))
    plain = not (events.where or events.clock or hidden or late or ANY_EVENT in events.events)
    selects: list[str] = []
    for files, bounds in ((within, []), (across, timed), (hidden, [*sql.recorded(), *timed])):
        if files or (files is hidden and not selects):
            source = sql.source(writer, events, f"({version.select('events', files, used)})")
            selects.append(
                f"SELECT {', '.join(['user_code', columns] if columns else ['user_code'])} FROM {source}\n"
                f"  WHERE " + "\n    AND ".join([*always, *bounds])
            )
    text = "\nUNION ALL\n".join(selects)
    if grouped:
        text = f"SELECT user_code, {grouped} FROM (\n{text}\n) GROUP BY user_code"
    if writer.steps:
        text = f"{writer.query.ctes}\n{text}"
    return Rows(
        question=question,
        sql=text,
        values=dict(writer.parameters),
        estimate=estimate,
        kinds=("events", "profiles") if writer.steps else ("events",),
        plain=tuple([(file, False) for file in within] + [(file, True) for file in across])
        if plain
        else None,
        with_ts=DIRECT.get(columns),
        names=events.events,
        tallies=tuple(added),
        since=microseconds(between.start) if between.start else None,
        until=microseconds(between.end) if between.end else None,
    )


def expected(question: Question, events: Selection, limits: Span) -> int:
    """Return how many rows of the events lie in the files that a window touches."""
    return sum(_count(events, file) for part in _files(question, events, limits, None) for file in part)


def counted(codes: npt.NDArray[Any], users: int) -> npt.NDArray[np.int64]:
    """Return how often each code occurs."""
    found: npt.NDArray[np.int64] = np.bincount(codes, minlength=users)
    return found


def summed(codes: npt.NDArray[Any], values: npt.NDArray[Any], users: int) -> npt.NDArray[np.float64]:
    """Return the sum of the values of each code."""
    return np.bincount(codes, weights=values, minlength=users).astype(np.float64, copy=False)


def _files(
    question: Question, events: Selection, limits: Span, late: datetime | None
) -> tuple[list[LakeFile], list[LakeFile], list[LakeFile]]:
    """Return the files within the window, those across a bound of it, and those with rows recorded after ``as_of``.

    Files without a row of the events are left out.
    """
    start, end = limits.start, limits.end
    within: list[LakeFile] = []
    across: list[LakeFile] = []
    hidden: list[LakeFile] = []
    for file in question.reader.version.files:
        if file.kind != "events" or file.first_ts is None or file.last_ts is None:
            continue
        if file.first_ts > (end or question.as_of) or (start is not None and file.last_ts < start):
            continue
        if not _count(events, file):
            continue
        recorded = facts.recorded_until(file.contents)
        if late is not None and recorded is not None and recorded <= late:
            continue
        later = recorded is None or recorded > question.as_of
        if later and not facts.as_it_happened(file.contents):
            hidden.append(file)
        elif later:
            across.append(file)
        elif (start is None or start <= file.first_ts) and (end is None or file.last_ts < end):
            within.append(file)
        else:
            across.append(file)
    return within, across, hidden


def _until_as_of(question: Question, limits: Span, files: list[LakeFile]) -> Span:
    """End at the instant of the question where a file reaches beyond it and has no end already."""
    end = question.as_of + timedelta(microseconds=1)
    reaches = any(file.last_ts is not None and file.last_ts >= end for file in files)
    return replace(limits, end=end) if reaches and (limits.end is None or limits.end > end) else limits


def _tallied(
    version: LakeVersion, events: Selection, files: list[LakeFile]
) -> tuple[list[LakeFile], list[tuple[LakeFile, str]]]:
    """Take the files out whose counts are there as tallies; return the others, and those tallies."""
    known = tallies.by_file(version.files)
    others: list[LakeFile] = []
    added: list[tuple[LakeFile, str]] = []
    for file in files:
        there = known[file.path].contents["tallies"] if file.path in known else {}
        wanted = set(_named(events, file.contents["events"]))
        if wanted <= there.keys():
            added += [(known[file.path], name) for name in sorted(wanted)]
        else:
            others.append(file)
    return others, added


def _count(events: Selection, file: LakeFile) -> int:
    held = file.contents["events"]
    return sum(held[name]["rows"] for name in _named(events, held))


def _named(events: Selection, held: Mapping[str, object]) -> Iterable[str]:
    return held if ANY_EVENT in events.events else set(events.events) & held.keys()
