"""Who may post, how fast, and what a refused request leaves behind."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import Receiver, report

Serve = Callable[..., Receiver]


def basic(pair: str) -> str:
    """Give the header of a key and secret."""
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 401),
        ("Basic", 401),
        ("Basic !!!", 401),
        ("Bearer " + basic("key:secret")[6:], 401),
        (basic("keysecret"), 401),
        (basic("key:wrong"), 403),
        (basic("wrong:secret"), 403),
        (basic("key:"), 403),
        (basic("key:secret "), 403),
        (basic("ké:secret"), 403),
        (basic("key:secret"), 202),
        ("basic " + basic("key:secret")[6:], 202),
    ],
)
def test_the_pair_is_asked_for(
    serve: Serve, batch: dict[str, Any], tmp_path: Path, header: str | None, status: int
) -> None:
    """No readable header is 401, another key or secret 403."""
    receiver = serve()
    with requests.Session() as client:
        client.trust_env = False
        headers = {} if header is None else {"Authorization": header}
        response = client.post(f"{receiver.url}/events", json=batch, headers=headers)
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert report(tmp_path).answers == ((str(status), 1),)
    assert report(tmp_path).accepted == (status == 202)


def test_a_colon_in_the_secret_is_part_of_it(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """The first colon ends the key."""
    receiver = serve()
    client.auth = ("key", "secret:more")
    assert client.post(f"{receiver.url}/events", json=batch).status_code == 403


@pytest.mark.parametrize(("key", "secret"), [("", "s"), ("k", ""), ("k:k", "s")])
def test_an_unusable_pair_does_not_start(tmp_path: Path, key: str, secret: str) -> None:
    """The receiver names the rule and not the pair."""
    with pytest.raises(ValueError, match="needs a key without a colon, and a secret"):
        Receiver(tmp_path, key=key, secret=secret)


def test_a_scripted_success_does_not_excuse_a_wrong_secret(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """An answer that stores first still asks for the pair."""
    receiver = serve("500-after, 503")
    client.auth = ("key", "wrong")
    assert client.post(f"{receiver.url}/events", json=batch).status_code == 403
    assert client.post(f"{receiver.url}/events", json=batch).status_code == 503
    assert report(tmp_path).accepted == 0


def test_the_rate_limit_slides_over_one_second(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """Over the limit is 429 with its headers, nothing stored, until a second has passed."""
    times = [datetime(2026, 3, 1, 12, 0, tzinfo=UTC)]
    receiver = serve(rate_limit=10, now=lambda: times[-1])
    seen = []
    for n, seconds in enumerate((0.0, 0.5, 0.4, 0.2, 0.3)):
        times.append(times[-1] + timedelta(seconds=seconds))
        batches = [batch | {"source_request_id": f"r-{n}-{m}"} for m in range(5)]
        response = client.post(f"{receiver.url}/bulkevents", json=batches)
        used = response.headers.get("X-mp-rate-limit-percentage-used")
        seen.append((response.status_code, used))
    assert seen == [(202, "50"), (202, "100"), (429, None), (202, "100"), (429, None)]
    assert response.headers["Retry-After"] == "1"
    assert response.headers["X-mp-rate-limit-exceeded"] == "batches"
    assert report(tmp_path).accepted == 15


def test_a_request_larger_than_the_limit_passes_alone(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """A full bulk request gets through a low limit, and the next one waits."""
    receiver = serve(rate_limit=2)
    statuses = [client.post(f"{receiver.url}/bulkevents", json=[batch] * 5) for _ in range(2)]
    assert [response.status_code for response in statuses] == [202, 429]


def test_a_rate_limit_below_one_does_not_start(tmp_path: Path) -> None:
    """The error names the value."""
    with pytest.raises(ValueError, match="rate_limit=0 is below 1 batch a second"):
        Receiver(tmp_path, key="key", secret="secret", rate_limit=0)
