"""What the conditions of one question share: the open lake version, the instant, and what is known."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.segments.behaviours import Selection
from workbench.segments.scope import Scope
from workbench.segments.sql.writer import Writer
from workbench.segments.vectors.cache import Key, Vectors
from workbench.segments.vectors.watch import Watch
from workbench.segments.windows import Span, Window, span
from workbench.store import engine
from workbench.store.held import visible
from workbench.store.reader import Reader, stream

Mask = npt.NDArray[np.bool_]
PLACEHOLDER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
KINDS = ("users", "events", "profiles", "devices", "lists")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One instant at one lake version.

    Attributes:
        reader: of the version.
        scope: the account at that version.
        as_of: in UTC.
        vectors: what is known already.
        watch: who looks on.
    """

    reader: Reader
    scope: Scope
    as_of: datetime
    vectors: Vectors
    watch: Watch = field(default_factory=Watch)

    @property
    def users(self) -> int:
        """How many user codes there are."""
        return self.reader.users

    @property
    def single_profiles(self) -> bool:
        """Whether every user has one version of the profile, which holds at the instant."""
        return self.reader.version.single_profiles(self.as_of)

    def at_once(self, *events: Selection) -> bool:
        """Whether each row of these events counts as recorded when it happened."""
        return self.reader.version.as_it_happened({name for item in events for name in item.events})

    def writer(self) -> Writer:
        """Begin a query."""
        profiles = self.reader.version.profiles_at(self.as_of)
        return Writer(as_of=self.as_of, scope=self.scope, profiles=profiles)

    def span(self, window: Window) -> Span:
        """Return the instants between which the events of a window lie."""
        return span(window, self.as_of, self.scope.zone)

    def everyone(self) -> Mask:
        """Return who has a profile."""
        ranges = self.reader.version.profile_codes(self.as_of)
        if ranges is not None:
            found = np.zeros(self.users, dtype=np.bool_)
            for first, last in ranges:
                found[first : last + 1] = True
            return found
        sql = f"SELECT user_code FROM profile_versions WHERE {visible()}"
        return self.members(sql, {"as_of": self.as_of}, "profiles")

    def key(self, sql: str, values: Mapping[str, Any], *kinds: str) -> Key:
        """Return under what an answer is kept: the query, its values, and the files of what it reads."""
        version = self.reader.version
        data = "+".join(version.digests[kind] for kind in ("users", *(kinds or KINDS[1:])))
        return Key(
            lake=str(version.lake), data=data, query=sql, values=repr(sorted(used(sql, values).items()))
        )

    def batches(self, sql: str, values: Mapping[str, Any], rows: int = 0) -> Iterator[pa.RecordBatch]:
        """Yield what a query finds, in columns.

        Args:
            sql: the query.
            values: its bound values; those that it does not use are left out.
            rows: how many of them were announced to whoever looks on.
        """
        with self.reader.cursor() as cursor, self.watch.running(cursor):
            for batch in stream(cursor, sql, used(sql, values)):
                self.watch.read(batch.num_rows if rows else 0)
                yield batch

    def arrays(
        self, sql: str, values: Mapping[str, Any], held: Mapping[str, pa.Table] | None = None
    ) -> tuple[npt.NDArray[Any], ...]:
        """Return the columns that a query finds at once.

        Args:
            sql: the query, for numbers without null.
            values: its bound values; those that it does not use are left out.
            held: tables in memory that the query names beside the lake's.
        """
        with self.reader.cursor() as cursor, self.watch.running(cursor):
            for name, table in (held or {}).items():
                cursor.register(name, table)
            return engine.arrays(cursor, sql, used(sql, values))

    def members(self, sql: str, values: Mapping[str, Any], *kinds: str) -> Mask:
        """Return who is named by a query with one column, ``user_code``.

        Args:
            sql: the query.
            values: its bound values; those that it does not use are left out.
            kinds: what it reads; by default everything.
        """

        def compute() -> Mask:
            found = np.zeros(self.users, dtype=np.bool_)
            for codes in self.arrays(sql, values):
                found[codes] = True
            return found

        return self.vectors.get(self.key(sql, values, *kinds), compute)


def used(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a query names; the engine refuses others."""
    names = set(PLACEHOLDER.findall(sql))
    return {name: value for name, value in values.items() if name in names}
