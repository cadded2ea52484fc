"""What the conditions of one question share: the open lake version, the instant, and what is known."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.segments.scope import Scope
from workbench.segments.sql.writer import Writer
from workbench.segments.vectors.cache import Key, Vectors
from workbench.store import engine
from workbench.store.reader import Reader, stream

Mask = npt.NDArray[np.bool_]
PLACEHOLDER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
KINDS = ("users", "events", "profiles", "devices", "lists")


@dataclass(frozen=True, slots=True)
class Vector:
    """What was computed over the matching events of each user.

    Attributes:
        counts: how many events match, by user code.
        values: the aggregate, by user code; None where it is the count itself. Not a number where the user
            has no value.
    """

    counts: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64] | None = None

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.counts.nbytes + (0 if self.values is None else self.values.nbytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One instant at one lake version.

    Attributes:
        reader: of the version.
        scope: the account at that version.
        as_of: in UTC.
        vectors: what is known already.
        running: the cursors that are at work; interrupting them cancels the question.
        stop: set when the question is cancelled.
    """

    reader: Reader
    scope: Scope
    as_of: datetime
    vectors: Vectors
    running: set[engine.Connection] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def users(self) -> int:
        """How many user codes there are."""
        return self.reader.users

    def writer(self) -> Writer:
        """Begin a query."""
        return Writer(as_of=self.as_of, scope=self.scope)

    def key(self, sql: str, values: Mapping[str, Any], *kinds: str) -> Key:
        """Return under what an answer is kept: the query, its values, and the files of what it reads."""
        version = self.reader.version
        data = "+".join(version.digests[kind] for kind in ("users", *(kinds or KINDS[1:])))
        return Key(
            lake=str(version.lake), data=data, query=sql, values=repr(sorted(used(sql, values).items()))
        )

    def members(self, sql: str, values: Mapping[str, Any], *kinds: str) -> Mask:
        """Return who is named by a query with one column, ``user_code``.

        Args:
            sql: the query.
            values: its bound values; those that it does not use are left out.
            kinds: what it reads; by default everything.
        """

        def compute() -> Mask:
            found = np.zeros(self.users, dtype=np.bool_)
            with self.reader.cursor(self.running) as cursor:
                for batch in stream(cursor, sql, used(sql, values)):
                    found[batch.column(0).to_numpy()] = True
            return found

        return self.vectors.get(self.key(sql, values, *kinds), compute)


def used(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a query names; the engine refuses others."""
    names = set(PLACEHOLDER.findall(sql))
    return {name: value for name, value in values.items() if name in names}
