"""What is kept: over restarts, once each, under many clients, until it is reset."""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import Receiver, accepted, report, reset

Serve = Callable[..., Receiver]


def test_a_duplicate_is_counted_and_not_stored_again(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """The same request id counts once, in one request or in two."""
    receiver = serve()
    client.post(f"{receiver.url}/bulkevents", json=[batch, batch])
    client.post(f"{receiver.url}/events", json=batch)
    assert (report(tmp_path).accepted, report(tmp_path).duplicates) == (1, 2)


def test_a_batch_without_request_id_is_stored_each_time(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing can be recognised without an id."""
    receiver = serve()
    del batch["source_request_id"]
    client.post(f"{receiver.url}/bulkevents", json=[batch, batch])
    assert (report(tmp_path).accepted, report(tmp_path).duplicates) == (2, 0)


def test_a_dropped_batch_does_not_use_up_its_request_id(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A corrected batch with the same id is stored."""
    receiver = serve()
    client.post(f"{receiver.url}/events", json=batch | {"ip": "x"})
    client.post(f"{receiver.url}/events", json=batch)
    assert (report(tmp_path).accepted, report(tmp_path).dropped_count) == (1, 1)


def test_a_restart_remembers_what_was_taken(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """After a restart duplicates are known, and requests are numbered on."""
    first = serve()
    client.post(f"{first.url}/events", json=batch)
    first.stop()
    second = serve()
    client.post(f"{second.url}/bulkevents", json=[batch, batch | {"source_request_id": "r-2"}])
    found = report(tmp_path)
    assert (found.accepted, found.duplicates) == (2, 1)
    assert [line.number for line in found.last_requests] == [2, 1]


def test_the_memory_of_request_ids_lasts_thirty_days(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A request id is free again after 30 days, and remembered anew from then."""
    del batch["events"][0]["data"]["timestamp_unixtime_ms"]
    times = [datetime(2026, 3, 1, 12, 0, tzinfo=UTC)]
    receiver = serve(now=lambda: times[-1])
    for days in (0, 30, 1, 29):
        times.append(times[-1] + timedelta(days=days))
        client.post(f"{receiver.url}/events", json=batch)
    assert (report(tmp_path).accepted, report(tmp_path).duplicates) == (2, 2)


def test_another_key_has_its_own_memory(
    client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Request ids are compared within one key."""
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    for key in ("one", "two", "one"):
        with Receiver(tmp_path, key=key, secret="secret", now=lambda: now) as receiver:
            client.auth = (key, "secret")
            client.post(f"{receiver.url}/events", json=batch)
    assert (report(tmp_path).accepted, report(tmp_path).duplicates) == (2, 1)


def test_the_tables_hold_what_an_audit_needs(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A row a request with the digest of its body, a row a batch; no key and no secret."""
    receiver = serve()
    body = json.dumps([batch | {"ip": "x"}, batch]).encode()
    headers = {"Content-Type": "application/json"}
    client.post(f"{receiver.url}/bulkevents", data=body, headers=headers)
    receiver.stop()
    with closing(sqlite3.connect(tmp_path / "sandbox.sqlite3")) as sql:
        assert sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        (stored,) = sql.execute(
            "SELECT received_at, request, position, source_request_id, environment, run_id, batch"
            " FROM batches"
        )
        (request,) = sql.execute(
            "SELECT number, received_at, path, batches, bytes, answer, sha256 FROM requests"
        )
        owners = sql.execute("SELECT owner FROM seen").fetchall()
    noon = "2026-03-01T12:00:00.000000+00:00"
    assert stored == (noon, 1, 2, "r-1", "development", "run-1", json.dumps(batch))
    digest = hashlib.sha256(body).hexdigest()
    assert request == (1, noon, "/v2/bulkevents", 2, len(body), "202", digest)
    assert all("key" not in owner for (owner,) in owners)


def test_eight_clients_lose_nothing_and_double_nothing(
    serve: Serve, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Eight threads post each batch twice; each is stored once."""
    receiver = serve()
    statuses = []

    def post(worker: int) -> None:
        with requests.Session() as client:
            client.trust_env = False
            client.auth = ("key", "secret")
            for request in range(10):
                ids = [f"r-{worker // 2}-{request}-{n}" for n in range(20)]
                batches = [batch | {"source_request_id": name} for name in ids]
                response = client.post(f"{receiver.url}/bulkevents", json=batches, timeout=10)
                statuses.append(response.status_code)

    threads = [threading.Thread(target=post, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 80
    ids = [stored["source_request_id"] for stored in accepted(tmp_path)]
    assert len(ids) == len(set(ids)) == 800
    assert report(tmp_path).duplicates == 800
    assert report(tmp_path).requests == 80


def test_it_takes_two_thousand_batches_a_second(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Forty full requests arrive within two seconds."""
    receiver = serve()
    bodies = [
        json.dumps([batch | {"source_request_id": f"r-{n}-{m}"} for m in range(100)]).encode()
        for n in range(40)
    ]
    began = time.monotonic()
    for body in bodies:
        headers = {"Content-Type": "application/json"}
        client.post(f"{receiver.url}/bulkevents", data=body, headers=headers)
    assert time.monotonic() - began < 2
    assert report(tmp_path).accepted == 4000


def test_a_reset_empties_the_file_under_a_running_receiver(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """After a reset nothing of the past is left, and the receiver goes on from number 1."""
    receiver = serve()
    client.post(f"{receiver.url}/bulkevents", json=[batch, {"ip": 1}])
    reset(tmp_path)
    found = report(tmp_path)
    assert (found.accepted, found.requests, found.dropped) == (0, 0, ())
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"c-1" not in left
    client.post(f"{receiver.url}/events", json=batch)
    found = report(tmp_path)
    assert (found.accepted, found.duplicates) == (1, 0)
    assert [line.number for line in found.last_requests] == [1]


def test_a_reset_of_an_unused_directory_does_nothing(tmp_path: Path) -> None:
    """There is nothing to delete, and no file appears."""
    reset(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_nothing_half_done(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """When the file refuses a batch, its whole request is as if it had not come."""
    receiver = serve()
    with closing(sqlite3.connect(tmp_path / "sandbox.sqlite3")) as sql:
        sql.execute(
            "CREATE TRIGGER full BEFORE INSERT ON batches WHEN NEW.position = 2"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        sql.commit()
    two = [batch, batch | {"source_request_id": "r-2"}]
    assert client.post(f"{receiver.url}/bulkevents", json=two).status_code == 500
    assert (report(tmp_path).accepted, report(tmp_path).requests) == (0, 0)
    assert client.post(f"{receiver.url}/bulkevents", json=two[:1]).status_code == 202


@pytest.mark.parametrize("run_id", [None, "run-1", "run-2", "run-3"])
def test_stored_batches_are_given_in_arrival_order(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path, run_id: str
) -> None:
    """All batches, or those whose event names the run."""
    receiver = serve()
    for name, run in (("r-9", "run-1"), ("r-1", "run-2"), ("r-5", "run-1")):
        batch["events"][0]["data"]["custom_attributes"]["run_id"] = run
        batch["source_request_id"] = name
        client.post(f"{receiver.url}/events", json=batch)
    client.post(f"{receiver.url}/events", json={"mpid": 1, "source_request_id": "r-0"})
    expected = {
        None: ["r-9", "r-1", "r-5", "r-0"],
        "run-1": ["r-9", "r-5"],
        "run-2": ["r-1"],
        "run-3": [],
    }[run_id]
    assert [stored["source_request_id"] for stored in accepted(tmp_path, run_id)] == expected
