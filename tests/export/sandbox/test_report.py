"""The report, the page, and what both leave out."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import (
    DroppedBatch,
    Receiver,
    Report,
    RequestLine,
    accepted,
    report,
)

Serve = Callable[..., Receiver]


def test_the_report_counts_everything_without_a_server(
    serve: Serve, client: requests.Session, batch: dict[str, Any], tmp_path: Path
) -> None:
    """One report over good, bad and repeated batches, read after the receiver stopped."""
    receiver = serve("503")
    live = batch | {"source_request_id": "r-2", "environment": "production"}
    bad = batch | {"source_request_id": "r-3", "ip": "x"}
    for _ in range(2):
        client.post(f"{receiver.url}/bulkevents", json=[batch, bad, live], timeout=5)
    client.post(f"{receiver.url}/events", json=batch)
    receiver.stop()
    found = report(tmp_path)
    lines = found.last_requests
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert found == Report(
        accepted=2,
        without_event=0,
        duplicates=1,
        requests=3,
        dropped=(("ip", "ip is neither an IPv4 nor an IPv6 address", 1),),
        dropped_batches=(
            DroppedBatch(
                request=2,
                position=2,
                rule="ip",
                reason="ip is neither an IPv4 nor an IPv6 address",
            ),
        ),
        warnings=(),
        cut=(),
        answers=(("202", 2), ("503", 1)),
        accepted_per_run=(("run-1", 2),),
        accepted_per_environment=(("development", 1), ("production", 1)),
        last_requests=lines,
    )
    assert found.dropped_count == 1
    assert [(line.number, line.batches, line.answer) for line in lines] == [
        (3, 1, "202"), (2, 3, "202"), (1, None, "503"),
    ]  # fmt: skip
    assert lines[2] == RequestLine(
        number=1,
        received_at=noon,
        path="/v2/bulkevents",
        batches=None,
        bytes=lines[1].bytes,
        answer="503",
        sha256=lines[1].sha256,
    )


def test_a_receiver_that_took_nothing_reports_zeros(tmp_path: Path) -> None:
    """The file is there as soon as a receiver is made."""
    Receiver(tmp_path / "new", key="key", secret="secret")
    found = report(tmp_path / "new")
    assert (found.accepted, found.duplicates, found.requests, found.answers) == (0, 0, 0, ())


def test_a_directory_without_a_receiver_has_no_report(tmp_path: Path) -> None:
    """No number stands for what was never counted."""
    with pytest.raises(FileNotFoundError, match="no receiver has stored anything in"):
        report(tmp_path)
    with pytest.raises(FileNotFoundError, match="no receiver has stored anything in"):
        next(accepted(tmp_path))


def test_the_page_shows_counts_and_nothing_personal(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """The page is one file with the counts, for light and dark, without anything sent."""
    receiver = serve("503")
    batch["user_identities"]["email"] = "person@example.com"
    for _ in range(3):
        client.post(f"{receiver.url}/bulkevents", json=[batch, {"mpid": "person-7"}])
    response = client.get(receiver.url.removesuffix("/v2") + "/", auth=None)
    page = response.text
    assert response.status_code == 200
    assert re.findall(r"<b>([\d,]+)</b><span>([a-z ]+)</span>", page) == [
        ("1", "accepted batches"),
        ("0", "of them without an event"),
        ("2", "dropped batches"),
        ("1", "duplicates"),
        ("3", "requests"),
    ]
    assert "mpid is not an integer" in page
    assert "prefers-color-scheme: dark" in page
    assert "http" not in page.replace("sandbox", "")
    for absent in ("person", "c-1", "r-1", "secret"):
        assert absent not in page.replace("no personal data", "")


def test_the_page_writes_what_it_shows_as_text(
    serve: Serve, client: requests.Session, batch: dict[str, Any]
) -> None:
    """A run id that looks like markup is shown, not obeyed."""
    receiver = serve()
    batch["events"][0]["data"]["custom_attributes"]["run_id"] = "<script>1</script>"
    client.post(f"{receiver.url}/events", json=batch)
    page = client.get(receiver.url.removesuffix("/v2") + "/").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_healthz_answers_without_credentials(serve: Serve, client: requests.Session) -> None:
    """A supervisor can ask whether it serves."""
    receiver = serve("503")
    response = client.get(receiver.url.removesuffix("/v2") + "/healthz", auth=None)
    assert (response.status_code, response.text) == (200, "ok\n")
