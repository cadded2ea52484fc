"""Users who leave an audience: a batch each that sets an attribute and holds no event, in requests of their own.

A leave is no message. Its ``source_request_id`` is a uuid5 of run and user, under another name than a message's.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from workbench.campaigns.candidates import identities_sql
from workbench.errors import StoreError
from workbench.export import packing
from workbench.export.members import LEAVING
from workbench.export.payload import NAMESPACE
from workbench.export.records import Kind, Request, RequestState
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.held import profiles_at
from workbench.store.lake import sync

USERS = 40_960
DELETE = "delete"
SENT = pa.schema(
    {"user_code": pa.uint32(), "user_id": pa.large_string(), "source_request_id": pa.large_string()}
)
BATCHES = SENT.append(pa.field("body", pa.large_string()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Whom a run takes out of its audience.

    Attributes:
        users: ``user_code, reason, kept``: also those who cannot be told.
        batches: one for each user without ``kept``, ascending.
    """

    users: pl.DataFrame
    batches: Iterable[packing.Part]


def request_id(run_id: str, user_id: str) -> str:
    """Return the ``source_request_id`` of one user's leave in one run."""
    return str(uuid.uuid5(NAMESPACE, f"leave/{run_id}/{user_id}"))


def change(attribute: str, how: str) -> dict[str, Any]:
    """Return what a leave says: the attribute is false, or deleted. A null would be a tag.

    >>> change("in_winback", "set false"), change("in_winback", "delete")
    ({'user_attributes': {'in_winback': False}}, {'deleted_user_attributes': ['in_winback']})
    """
    if how == DELETE:
        return {"deleted_user_attributes": [attribute]}
    return {"user_attributes": {attribute: False}}


def batches(
    connection: engine.Connection,
    leavers: pl.DataFrame,
    *,
    run_id: str,
    environment: str,
    attribute: str,
    how: str,
    as_of: datetime,
    catalogue: Catalogue,
    identities: Mapping[str, str],
) -> Iterator[packing.Part]:
    """Yield the leave of every user, in the order of ``user_code``, so many users at a time.

    Args:
        connection: with the views of the run's lake version.
        leavers: ``user_code``.
        run_id: whose ids they carry.
        environment: at the receiver.
        attribute: the one that says who is in the audience.
        how: what becomes of it.
        as_of: the instant at which identities are read.
        catalogue: of the same lake version.
        identities: mParticle identity to profile attribute.

    Raises:
        StoreError: a user has no identity, though the plan found one.
    """
    known = identities_sql(identities, catalogue)
    columns = ["w.user_code", "u.user_id", *(f"{sql} AS i{n}" for n, sql in enumerate(known.values()))]
    sql = (
        f"WITH p AS ({profiles_at()}) SELECT {', '.join(columns)} FROM leavers w JOIN users u USING (user_code) "
        "JOIN p USING (user_code) WHERE u.user_code BETWEEN $first AND $last "
        "AND p.user_code BETWEEN $first AND $last ORDER BY user_code"
    )
    said = change(attribute, how)
    for part in leavers.sort("user_code").iter_slices(USERS):
        connection.register("leavers", part)
        limits = {"first": part["user_code"][0], "last": part["user_code"][-1], "as_of": as_of}
        found = engine.frame(connection, sql, limits)
        connection.unregister("leavers")
        rows = []
        for code, user_id, *values in found.iter_rows():
            identity = {name: value for name, value in zip(known, values, strict=True) if value is not None}
            if not identity:
                break
            source = request_id(run_id, user_id)
            body = {
                "environment": environment, "source_request_id": source, "user_identities": identity, **said,
                "events": [],
            }  # fmt: skip
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            rows.append(
                {"user_code": code, "user_id": user_id, "source_request_id": source, "body": f"{text},"}
            )
        if len(rows) < part.height:
            raise StoreError("a user who leaves has no identity, though the plan found one; nothing was sent")
        yield packing.Part.of(pa.RecordBatch.from_pylist(rows, BATCHES))


def write(
    bodies: Path, leaves: Leaves, before: tuple[Request, ...], connection: engine.Connection
) -> tuple[tuple[Request, ...], str]:
    """Add the leaves behind the messages, and write who leaves beside them.

    The file has a row a user: ``user_code, user_id, reason, kept, request, source_request_id``.

    Args:
        bodies: the file of the frozen requests, whole so far.
        leaves: who leaves.
        before: the requests that are in it.
        connection: knows the ids of the users.

    Returns:
        The requests of the leaves, and the sha256 of the file of their users.
    """
    requests: list[Request] = []
    sent: list[pa.RecordBatch] = []
    offset = bodies.stat().st_size
    with bodies.open("ab") as stream:
        for number, packed in enumerate(packing.pack(leaves.batches), len(before) + 1):
            stream.write(packed.body + b"\n")
            requests.append(
                Request(
                    number=number, state=RequestState.RESERVED, offset=offset, length=len(packed.body),
                    digest=hashlib.sha256(packed.body).hexdigest(), users=len(packed.users),
                    batches=packed.batches, kind=Kind.LEAVE,
                )
            )  # fmt: skip
            offset += len(packed.body) + 1
            sent.append(packed.users)
    sync(bodies)
    path = bodies.with_name(LEAVING)
    connection.register("leaving_users", leaves.users)
    numbers = np.repeat([item.number for item in requests], [item.users for item in requests])
    numbered = pl.DataFrame(pa.Table.from_batches(sent, SENT)).with_columns(
        request=pl.Series(numbers, dtype=pl.UInt32)
    )
    connection.register("leaving_requests", numbered)
    engine.execute(
        connection,
        "COPY (SELECT w.user_code, u.user_id, w.reason, w.kept, s.request, s.source_request_id FROM leaving_users w "
        "LEFT JOIN users u USING (user_code) LEFT JOIN leaving_requests s USING (user_code) ORDER BY w.user_code) "
        f"TO {engine.literal(str(path))} (FORMAT parquet, COMPRESSION zstd)",
    )
    connection.unregister("leaving_users")
    connection.unregister("leaving_requests")
    sync(path)
    with path.open("rb") as stream:
        return tuple(requests), hashlib.file_digest(stream, "sha256").hexdigest()
