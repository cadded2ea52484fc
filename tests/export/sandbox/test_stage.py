"""Each answer of the menu, as a client on the wire sees it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import Receiver, accepted, parse_answers, report

Serve = Callable[..., Receiver]


@pytest.mark.parametrize(
    ("answer", "status", "stored", "content_type", "body"),
    [
        ("ok", 202, 1, None, ""),
        ("202", 202, 1, None, ""),
        ("202-body", 202, 1, "application/json", '{"status":"queued"}'),
        ("200", 200, 0, None, ""),
        ("200-after", 200, 1, None, ""),
        ("201", 201, 0, None, ""),
        ("204", 204, 0, None, ""),
        (
            "400",
            400,
            0,
            "application/json",
            '{"errors": [{"code": "BAD_REQUEST", "message": "scripted answer"}]}',
        ),
        ("400-text", 400, 0, "text/plain; charset=utf-8", "Bad Request\n"),
        (
            "401",
            401,
            0,
            "application/json",
            '{"errors": [{"code": "UNAUTHORIZED", "message": "scripted answer"}]}',
        ),
        ("403-empty", 403, 0, None, ""),
        (
            "html-503",
            503,
            0,
            "text/html; charset=utf-8",
            "<!doctype html><title>Service Unavailable</title><h1>Service Unavailable</h1>\n",
        ),
        ("500-after-text", 500, 1, "text/plain; charset=utf-8", "Internal Server Error\n"),
        ("504-empty", 504, 0, None, ""),
    ],
)
def test_a_status_is_answered(
    serve: Serve,
    client: requests.Session,
    batch: dict[str, Any],
    tmp_path: Path,
    answer: str,
    status: int,
    stored: int,
    content_type: str | None,
    body: str,
) -> None:
    """The status, its body and what was stored are those that the script names."""
    receiver = serve(answer)
    response = client.post(f"{receiver.url}/events", json=batch)
    assert (response.status_code, response.text) == (status, body)
    assert response.headers.get("Content-Type") == content_type
    assert (report(tmp_path).accepted, report(tmp_path).answers) == (stored, ((answer, 1),))


@pytest.mark.parametrize(
    ("answer", "header", "value"),
    [
        ("429 retry-after=2", "Retry-After", "2"),
        ("429 acceleration", "X-mp-rate-limit-exceeded", "acceleration"),
        ("429 limit=batches", "X-mp-rate-limit-exceeded", "batches"),
        ("429", "Retry-After", None),
        ("503 retry-after=1", "Retry-After", "1"),
        ("percent-used=92", "X-mp-rate-limit-percentage-used", "92"),
        ("ok", "X-mp-rate-limit-percentage-used", None),
        ("redirect", "Location", "/v2/redirected"),
        ("308", "Location", "/v2/redirected"),
    ],
)
def test_a_header_is_carried(
    serve: Serve,
    client: requests.Session,
    batch: dict[str, Any],
    answer: str,
    header: str,
    value: str | None,
) -> None:
    """An answer carries the header that its script names, and no other."""
    receiver = serve(answer)
    response = client.post(f"{receiver.url}/events", json=batch, allow_redirects=False)
    assert response.headers.get(header) == value


def test_a_followed_redirect_shows_and_stores_nothing(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A client that follows a redirect sees 202 while nothing arrived."""
    receiver = serve("307")
    assert client.post(f"{receiver.url}/events", json=batch).status_code == 202
    found = report(tmp_path)
    assert [line.path for line in found.last_requests] == ["/v2/redirected", "/v2/events"]
    assert found.accepted == 0


@pytest.mark.parametrize(
    ("answer", "stored"), [("drop-before", 0), ("drop-after", 1), ("reset", 0), ("reset-after", 1)]
)
def test_a_connection_breaks(
    serve: Serve,
    client: requests.Session,
    batch: dict[str, Any],
    tmp_path: Path,
    answer: str,
    stored: int,
) -> None:
    """The client gets no answer, whether or not the batches were stored; the next is usual."""
    receiver = serve(answer)
    with pytest.raises(requests.ConnectionError) as caught:
        client.post(f"{receiver.url}/events", json=batch)
    assert ("reset" in str(caught.value)) == answer.startswith("reset")
    assert report(tmp_path).accepted == stored
    assert client.post(f"{receiver.url}/events", json=batch).status_code == 202
    assert (report(tmp_path).accepted, report(tmp_path).duplicates) == (1, stored)


def test_a_late_answer_comes_after_storing(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """A client that waits too little has been stored all the same."""
    receiver = serve("late=0.6, late=0.2")
    with pytest.raises(requests.ReadTimeout):
        client.post(f"{receiver.url}/events", json=batch, timeout=0.3)
    assert report(tmp_path).accepted == 1
    began = time.monotonic()
    response = client.post(f"{receiver.url}/events", json=batch, timeout=5)
    assert response.status_code == 202
    assert time.monotonic() - began >= 0.2


def test_a_late_answer_does_not_hold_other_requests(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """Another request is answered while one waits, and stopping does not wait either."""
    receiver = serve("late=60")
    with pytest.raises(requests.ReadTimeout):
        client.post(f"{receiver.url}/events", json=batch, timeout=0.1)
    assert client.post(f"{receiver.url}/events", json=batch, timeout=5).status_code == 202
    began = time.monotonic()
    receiver.stop()
    assert time.monotonic() - began < 5


def test_a_trickle_sends_byte_after_byte(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """The status comes at once and the body slowly, until the trickle ends."""
    receiver = serve("trickle=0.35, trickle")
    response = client.post(f"{receiver.url}/events", json=batch, stream=True, timeout=5)
    assert response.status_code == 202
    assert 2 <= len(response.content) <= 5
    endless = client.post(f"{receiver.url}/events", json=batch, stream=True, timeout=5)
    assert next(endless.iter_content(1)) == b" "
    endless.close()
    assert report(tmp_path).accepted == 1


def test_a_huge_answer_has_twenty_megabytes(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """The body of a huge answer can be read whole, or left."""
    receiver = serve("huge*2")
    assert len(client.post(f"{receiver.url}/events", json=batch, timeout=20).content) == 20_000_000
    left = client.post(f"{receiver.url}/events", json=batch, stream=True, timeout=5)
    assert left.status_code == 202
    left.close()


def test_answers_are_added_while_it_serves(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Played answers follow the script, then the usual answer returns."""
    receiver = serve("503")
    receiver.play(parse_answers("502, drop-after"))
    statuses = [client.post(f"{receiver.url}/events", json=batch).status_code for _ in range(2)]
    with pytest.raises(requests.ConnectionError):
        client.post(f"{receiver.url}/events", json=batch)
    statuses.append(client.post(f"{receiver.url}/events", json=batch).status_code)
    assert statuses == [503, 502, 202]
    assert len(list(accepted(tmp_path))) == 1
