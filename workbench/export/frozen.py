"""What is written before the first request: the audience and the bytes of every request. Write-once."""

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import polars as pl

from workbench.errors import StoreError
from workbench.export import leaving, packing
from workbench.export.ahead import ahead
from workbench.export.leaving import Leaves
from workbench.export.ledger import Request, RequestState
from workbench.export.snapshot import Snapshot
from workbench.store import engine
from workbench.store.lake import sync

AUDIENCE, BODIES = "audience.parquet", "requests.jsonl"
# Requests that are made while others are hashed and written.
AHEAD = 4
# Bytes after which the disk is asked for, so that not all of them are waited for at the end.
FLUSH = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A finished folder of one run.

    Attributes:
        folder: relative to the state folder.
        audience_digest: sha256 of the snapshot file.
        requests: in order; offsets and lengths point into the bodies file.
        leaving_digest: sha256 of the file of who leaves the audience; None for a campaign that keeps none.
    """

    folder: str
    audience_digest: str
    requests: tuple[Request, ...]
    leaving_digest: str | None = None


def freeze(
    directory: Path,
    run_id: str,
    verdicts: pl.DataFrame,
    batches: Iterable[packing.Part],
    connection: engine.Connection,
    report: Callable[[int], None] = lambda users: None,
    *,
    folder: str | None = None,
    leaves: Leaves | None = None,
) -> Frozen:
    """Write the audience and the requests, durable before their folder gets its name.

    The audience has one row a qualified user: ``user_code, user_id, arm, held_by, verdict, reason,
    send_at, request`` (number, null unless sent to) and ``source_request_id`` (of the first batch).

    Args:
        directory: the state folder.
        run_id: whose folder it becomes.
        verdicts: the frame of ``verdicts.decide``.
        batches: at least one for each user whose verdict is ``send``, ascending by code.
        connection: knows the ids of the users.
        report: called with the number of users after each request.
        folder: relative to the state folder; by default a new one of the run.
        leaves: who leaves the audience, for a campaign that keeps one.

    Raises:
        StoreError: the disk is full or cannot be written; nothing is left behind.
    """
    folder = folder or f"runs/{run_id}/{uuid.uuid4().hex}"
    durable: list[Future[None]] = []
    with _folder(directory / folder) as place, ThreadPoolExecutor(1, "sync") as meanwhile:

        def flush() -> None:
            durable.append(meanwhile.submit(sync, place / BODIES))

        with Snapshot(place / AUDIENCE, verdicts, connection.cursor()) as audience:
            requests = _write_bodies(place / BODIES, batches, audience, report, flush)
        for part in durable:
            part.result()
        sync(place / AUDIENCE)
        with (place / AUDIENCE).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        leaving_digest = None
        if leaves is not None:
            more, leaving_digest = leaving.write(place / BODIES, leaves, requests, connection)
            requests += more
    return Frozen(
        folder=folder, audience_digest=digest, requests=requests, leaving_digest=leaving_digest
    )  # fmt: skip


def discard(directory: Path, frozen: Frozen) -> None:
    """Delete a folder that lost the race for its occurrence."""
    shutil.rmtree(directory / frozen.folder, ignore_errors=True)


class Bodies:
    """The frozen requests of a run, opened once, read by any thread."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self._stream: BinaryIO | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Use as a context manager to close the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def read(self, request: Request) -> bytes:
        """Return the bytes of a request.

        Raises:
            StoreError: the file is gone, or its bytes are not those that were frozen.
        """
        try:
            with self._lock:
                self._stream = self._stream or self._path.open("rb")
            body = os.pread(self._stream.fileno(), request.length, request.offset)
        except OSError as error:
            raise StoreError(f"the frozen requests cannot be read: {error.strerror}") from error
        if hashlib.sha256(body).hexdigest() != request.digest:
            raise StoreError(
                f"request {request.number} of {self._path.parent.parent.name} is not what was frozen; it is not sent"
            )
        return body


def read_body(path: Path, request: Request) -> bytes:
    """Return the bytes of one request.

    Raises:
        StoreError: the file is gone, or its bytes are not those that were frozen.
    """
    with Bodies(path) as bodies:
        return bodies.read(request)


def _write_bodies(
    path: Path,
    batches: Iterable[packing.Part],
    audience: Snapshot,
    report: Callable[[int], None],
    flush: Callable[[], None],
) -> tuple[Request, ...]:
    """Write the requests one after the other; ``flush`` is called now and then, and once they are all in the file."""
    requests: list[Request] = []
    offset = flushed = 0
    with path.open("wb") as stream, closing(ahead(packing.pack(batches), by=AHEAD)) as requested:
        for number, packed in enumerate(requested, 1):
            stream.writelines((packed.body, b"\n"))
            requests.append(
                Request(
                    number=number, state=RequestState.RESERVED, offset=offset, length=len(packed.body),
                    digest=hashlib.sha256(packed.body).hexdigest(), users=len(packed.users),
                    batches=packed.batches,
                )
            )  # fmt: skip
            offset += len(packed.body) + 1
            audience.add(packed.users, number)
            report(len(packed.users))
            if offset - flushed >= FLUSH:
                flushed = offset
                flush()
    flush()
    return tuple(requests)


@contextmanager
def _folder(final: Path) -> Iterator[Path]:
    temporary = final.with_name(f"{uuid.uuid4().hex}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(mode=0o700)
        yield temporary
        temporary.replace(final)
        sync(final)
        sync(final.parent)
    except OSError as error:
        raise StoreError(f"the run's files cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
