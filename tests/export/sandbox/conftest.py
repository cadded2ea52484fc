"""A receiver on loopback whose clock stands still, and one good batch."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from workbench.export.sandbox import Receiver, parse_answers

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def batch() -> dict[str, Any]:
    """Give a batch that breaks no rule and draws no warning at 2026-03-01 12:00 UTC."""
    return {
        "environment": "development",
        "source_request_id": "r-1",
        "user_identities": {"customer_id": "c-1"},
        "events": [
            {
                "event_type": "custom_event",
                "data": {
                    "event_name": "Campaign Message",
                    "custom_event_type": "other",
                    "timestamp_unixtime_ms": 1772366400000,
                    "source_message_id": "m-1",
                    "custom_attributes": {"campaign_id": "spring", "run_id": "run-1"},
                },
            }
        ],
    }


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Receiver]]:
    """Start receivers over one directory with key "key" and secret "secret"."""
    with ExitStack() as stack:

        def start(answers: str = "", **options: Any) -> Receiver:
            options.setdefault("now", lambda: NOW)
            script = parse_answers(answers)
            receiver = Receiver(tmp_path, key="key", secret="secret", answers=script, **options)
            return stack.enter_context(receiver)

        yield start


@pytest.fixture
def client() -> Iterator[requests.Session]:
    """Open a session with the right credentials that ignores the environment's proxies."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("key", "secret")
        yield session
