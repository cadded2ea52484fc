"""Bodies that are refused as a whole with 400."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import Receiver, report

Serve = Callable[..., Receiver]
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("events", b"", "the body is not valid JSON"),
        ("events", b"{", "the body is not valid JSON"),
        ("events", b'{"mpid": 1} {}', "the body goes on after its batch"),
        ("events", b'[{"mpid": 1}]', "the body is not one batch"),
        ("events", b"null", "the body is not one batch"),
        ("events", b'{"mpid": NaN}', "NaN and Infinity are not JSON"),
        ("events", b'{"mpid": -Infinity}', "NaN and Infinity are not JSON"),
        ("events", b'{"mpid": 1e999}', "a number of the body is too large"),
        ("events", b'{"ip": "\xff"}', "the body is not valid JSON"),
        ("events", b'\xef\xbb\xbf{"mpid": 1}', "the body is not valid JSON"),
        ("events", b'{"mpid": ' + b"9" * 5000 + b"}", "the body is not valid JSON"),
        ("events", b"\x1f\x8b\x08\x00", "the body is not valid JSON"),
        ("bulkevents", b"[" * 100_000, "the body is not valid JSON"),
        ("bulkevents", b"{}", "the body is not an array of batches"),
        ("bulkevents", b"", "the body is not valid JSON"),
        ("bulkevents", b"[]", "a bulk request carries 1 to 100 batches"),
        ("bulkevents", b"[" + b"{}," * 100 + b"{}]", "a bulk request carries 1 to 100 batches"),
        ("bulkevents", b"[{}", "the array is not closed"),
        ("bulkevents", b"[{} {}]", "the array is not closed"),
        ("bulkevents", b"[{},]", "the body is not valid JSON"),
        ("bulkevents", b"[{}] []", "the body goes on after its array"),
        ("bulkevents", b'[{"a": [1, NaN]}]', "NaN and Infinity are not JSON"),
    ],
)
def test_a_malformed_body_is_refused(
    serve: Serve, client: requests.Session, tmp_path: Path, path: str, body: bytes, message: str
) -> None:
    """The answer is 400 with an error that holds nothing of the body; nothing is judged."""
    receiver = serve()
    response = client.post(f"{receiver.url}/{path}", data=body, headers=JSON)
    assert response.status_code == 400
    assert response.json() == {"errors": [{"code": "BAD_REQUEST", "message": message}]}
    (line,) = report(tmp_path).last_requests
    assert (line.answer, line.batches, line.bytes) == ("400", None, len(body))


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(
    serve: Serve, client: requests.Session, batch: dict[str, Any], kind: str | None
) -> None:
    """JSON without its Content-Type is a 400."""
    receiver = serve()
    headers = {"Content-Type": kind} if kind else {}
    body = json.dumps(batch).encode()
    response = client.post(f"{receiver.url}/events", data=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == "Content-Type is not application/json"


def test_a_charset_beside_the_content_type_is_fine(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """`application/json; charset=utf-8` is JSON."""
    receiver = serve()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps(batch).encode()
    assert client.post(f"{receiver.url}/events", data=body, headers=headers).status_code == 202


@pytest.mark.parametrize(("size", "status"), [(255_999, 202), (256_000, 400), (300_000, 400)])
def test_a_request_stays_under_256_kb(
    serve: Serve,
    client: requests.Session,
    batch: dict[str, Any],
    tmp_path: Path,
    size: int,
    status: int,
) -> None:
    """The whole body counts, white space too."""
    receiver = serve()
    body = json.dumps([batch]).encode().ljust(size)
    response = client.post(f"{receiver.url}/bulkevents", data=body, headers=JSON)
    assert response.status_code == status
    assert report(tmp_path).accepted == (status == 202)


def test_a_bulk_request_takes_a_hundred_batches_with_white_space(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """The array may be written with any JSON white space."""
    receiver = serve()
    batches = [batch | {"source_request_id": f"r-{n}"} for n in range(100)]
    body = f"\n {json.dumps(batches, indent=1)} \r\n\t".encode()
    assert client.post(f"{receiver.url}/bulkevents", data=body, headers=JSON).status_code == 202
    assert report(tmp_path).accepted == 100
