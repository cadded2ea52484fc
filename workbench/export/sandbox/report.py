"""What the receiver took, read from its file without a running server."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.export.sandbox.archive import FILE_NAME

LISTED_DROPS = 1000
LISTED_REQUESTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedBatch:
    """One dropped batch: the number of its request and its position there, both from 1."""

    request: int
    position: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One request; `batches` is None when its body was not looked at."""

    number: int
    received_at: datetime
    path: str
    batches: int | None
    bytes: int
    answer: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The counts over everything stored; each tuple has its largest count first.

    Attributes:
        accepted: batches that were stored.
        without_event: how many of them hold no event: they change attributes, and are no messages.
    """

    accepted: int
    without_event: int
    duplicates: int
    requests: int
    dropped: tuple[tuple[str, str, int], ...]
    dropped_batches: tuple[DroppedBatch, ...]
    warnings: tuple[tuple[str, int], ...]
    cut: tuple[tuple[str, int], ...]
    answers: tuple[tuple[str, int], ...]
    accepted_per_run: tuple[tuple[str, int], ...]
    accepted_per_environment: tuple[tuple[str, int], ...]
    last_requests: tuple[RequestLine, ...]

    @property
    def dropped_count(self) -> int:
        """Give how many batches were dropped, over all rules."""
        return sum(count for _, _, count in self.dropped)


def report(directory: Path) -> Report:
    """Read the counts; lists the first 1000 dropped batches and the last 20 requests.

    Raises:
        FileNotFoundError: No receiver has run in the directory.
    """
    with closing(_open(directory)) as sql:
        sql.execute("BEGIN")
        return Report(
            accepted=_count(sql, "SELECT count(*) FROM batches"),
            without_event=_count(sql, _WITHOUT_EVENT),
            duplicates=_count(sql, "SELECT coalesce(sum(duplicates), 0) FROM requests"),
            requests=_count(sql, "SELECT count(*) FROM requests"),
            dropped=_rows(sql, _DROPPED),
            dropped_batches=tuple(DroppedBatch(**row) for row in _dicts(sql, _DROPPED_BATCHES)),
            warnings=_rows(sql, _REMARKS, "warning"),
            cut=_rows(sql, _REMARKS, "cut"),
            answers=_rows(sql, _ANSWERS),
            accepted_per_run=_rows(sql, _RUNS),
            accepted_per_environment=_rows(sql, _ENVIRONMENTS),
            last_requests=tuple(_request_line(row) for row in _dicts(sql, _LAST_REQUESTS)),
        )


def attributes(directory: Path, name: str, identity: str = "customer_id") -> dict[str, Any]:
    """Give the value of a user attribute for everyone who has it, by identity: the stored batches in their order.

    Raises:
        FileNotFoundError: No receiver has run in the directory.
    """
    found: dict[str, Any] = {}
    for batch in accepted(directory):
        who = batch.get("user_identities", {}).get(identity)
        if who is None:
            continue
        if name in batch.get("deleted_user_attributes", ()):
            found.pop(who, None)
        if name in batch.get("user_attributes", {}):
            found[who] = batch["user_attributes"][name]
    return found


def accepted(directory: Path, run_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Give the stored batches in arrival order, all or those of one run.

    Raises:
        FileNotFoundError: No receiver has run in the directory.
    """
    return map(json.loads, texts(directory, run_id))


def texts(directory: Path, run_id: str | None = None) -> Iterator[str]:
    """Give the JSON texts of the stored batches as they came, in arrival order.

    Raises:
        FileNotFoundError: No receiver has run in the directory.
    """
    with closing(_open(directory)) as sql:
        select = "SELECT batch FROM batches WHERE ?1 IS NULL OR run_id = ?1 ORDER BY id"
        for row in sql.execute(select, (run_id,)):
            yield row["batch"]


_WITHOUT_EVENT = "SELECT count(*) FROM batches WHERE coalesce(json_array_length(batch, '$.events'), 0) = 0"
_DROPPED = "SELECT rule, reason, count(*) FROM dropped GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
_DROPPED_BATCHES = f"""
SELECT request, position, rule, reason FROM dropped ORDER BY 1, 2 LIMIT {LISTED_DROPS}
"""
_REMARKS = "SELECT name, count(*) FROM remarks WHERE kind = ? GROUP BY 1 ORDER BY 2 DESC, 1"
_ANSWERS = "SELECT answer, count(*) FROM requests GROUP BY 1 ORDER BY 2 DESC, 1"
_RUNS = """
SELECT run_id, count(*) FROM batches WHERE run_id IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1
"""
_ENVIRONMENTS = "SELECT environment, count(*) FROM batches GROUP BY 1 ORDER BY 2 DESC, 1"
_LAST_REQUESTS = f"""
SELECT number, received_at, path, batches, bytes, answer, sha256 FROM requests
ORDER BY number DESC LIMIT {LISTED_REQUESTS}
"""


def _open(directory: Path) -> sqlite3.Connection:
    path = directory.resolve() / FILE_NAME
    if not path.exists():
        message = f"no receiver has stored anything in {directory}"
        raise FileNotFoundError(message)
    sql = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10)
    sql.row_factory = sqlite3.Row
    return sql


def _count(sql: sqlite3.Connection, query: str) -> int:
    return int(sql.execute(query).fetchone()[0])


def _rows(sql: sqlite3.Connection, query: str, *bound: str) -> tuple[Any, ...]:
    return tuple(tuple(row) for row in sql.execute(query, bound))


def _dicts(sql: sqlite3.Connection, query: str) -> Iterator[dict[str, Any]]:
    return (dict(row) for row in sql.execute(query))


def _request_line(row: dict[str, Any]) -> RequestLine:
    return RequestLine(**{**row, "received_at": datetime.fromisoformat(row["received_at"])})
