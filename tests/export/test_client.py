import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

from workbench.export.client import Client, Outcome
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.settings import Credentials, MParticle

FAST = MParticle(attempts=2, read_timeout=1, batches_per_second=100_000)
BODY = (
    b'[{"environment":"development","source_request_id":"r","user_identities":{"customer_id":"1"},'
    b'"events":[]}]'
)


@pytest.fixture
def client(receiver: Receiver) -> Iterator[Client]:
    """A client with the right key, two attempts and a read time-out of one second."""
    credentials = Credentials(key=SecretStr("test-key"), secret=SecretStr("test-secret"))
    with Client(receiver.url, credentials, FAST) as opened:
        yield opened


@pytest.mark.parametrize(
    ("answers", "outcome", "requests"),
    [
        ("ok", Outcome.ACCEPTED, 1),
        ("503, ok", Outcome.ACCEPTED, 2),
        ("500*2", Outcome.UNKNOWN, 2),
        ("html-503*2", Outcome.UNKNOWN, 2),
        ("429, ok", Outcome.ACCEPTED, 2),
        ("429 acceleration, ok", Outcome.ACCEPTED, 2),
        ("429*2", Outcome.NOT_TAKEN, 2),
        ("400", Outcome.REJECTED, 1),
        ("400-text", Outcome.REJECTED, 1),
        ("404", Outcome.WRONG_PLACE, 1),
        ("drop-after, 403", Outcome.UNKNOWN, 2),
        ("drop-after, 400", Outcome.UNKNOWN, 2),
        ("401", Outcome.REFUSED_KEY, 1),
        ("403", Outcome.REFUSED_KEY, 1),
        ("200", Outcome.UNKNOWN, 1),
        ("204", Outcome.UNKNOWN, 1),
        ("redirect", Outcome.WRONG_PLACE, 1),
        ("202-body", Outcome.ACCEPTED, 1),
        ("huge", Outcome.ACCEPTED, 1),
        ("trickle=5", Outcome.ACCEPTED, 1),
        ("drop-before, ok", Outcome.ACCEPTED, 2),
        ("drop-before*2", Outcome.UNKNOWN, 2),
        ("reset*2", Outcome.UNKNOWN, 2),
        ("500-after, 429", Outcome.UNKNOWN, 2),
        ("late=3*2", Outcome.UNKNOWN, 2),
    ],
)
def test_each_answer_means_one_thing(
    client: Client, receiver: Receiver, tmp_path: Path, answers: str, outcome: Outcome, requests: int
) -> None:
    """What mParticle can answer, what it means, and how many requests it takes to know."""
    receiver.play(parse_answers(answers))
    assert client.send(BODY, 1).outcome is outcome
    assert report(tmp_path / "sandbox").requests == requests


def test_retry_after_is_waited_for(client: Client, receiver: Receiver, tmp_path: Path) -> None:
    """The second request comes a second after the refusal, not after the client's own shorter back-off."""
    receiver.play(parse_answers("429 retry-after=1, ok"))
    client.send(BODY, 1)
    second, first = report(tmp_path / "sandbox").last_requests
    assert (second.received_at - first.received_at).total_seconds() >= 1.0


def test_the_key_is_in_no_text(client: Client, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Neither repr nor log nor answer holds the key, the secret or the body."""
    receiver.play(parse_answers("403"))
    with caplog.at_level(logging.DEBUG):
        answer = client.send(BODY, 1)
    text = repr(client) + repr(answer) + caplog.text
    assert "test-secret" not in text
    assert "test-key" not in text
    assert "customer_id" not in text


def test_nobody_listening_is_not_taken() -> None:
    """A refused connection means that nothing can have arrived."""
    credentials = Credentials(key=SecretStr("k"), secret=SecretStr("s"))
    with Client("http://127.0.0.1:9/v2", credentials, FAST) as client:
        assert client.send(BODY, 1).outcome is Outcome.NOT_TAKEN


def test_requests_are_spaced_by_the_rate(receiver: Receiver, tmp_path: Path) -> None:
    """Three requests of 20 batches at 100 batches a second begin at least 0.2 s apart."""
    credentials = Credentials(key=SecretStr("test-key"), secret=SecretStr("test-secret"))
    with Client(receiver.url, credentials, MParticle(batches_per_second=100)) as client:
        for _ in range(3):
            client.send(BODY, 20)
    times = sorted(line.received_at for line in report(tmp_path / "sandbox").last_requests)
    gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
    assert min(gaps) > 0.15
