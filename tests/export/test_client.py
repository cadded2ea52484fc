import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from workbench.export.client import Client, Line, Outcome
from workbench.export.pace import Pace
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.settings import Credentials, MParticle

FAST = MParticle(attempts=2, read_timeout=1, batches_per_second=100_000)
BODY = (
    b'[{"environment":"development","source_request_id":"r","user_identities":{"customer_id":"1"},'
    b'"events":[]}]'
)


CREDENTIALS = Credentials(key=SecretStr("test-key"), secret=SecretStr("test-secret"))


@contextmanager
def line_to(url: str, options: MParticle = FAST) -> Iterator[Line]:
    """A line with the right key and a pace of its own."""
    with Client(url, CREDENTIALS, options) as client, client.line(Pace(options.batches_per_second)) as line:
        yield line


@pytest.fixture
def line(receiver: Receiver) -> Iterator[Line]:
    """A line with two attempts and a read time-out of one second."""
    with line_to(receiver.url) as opened:
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
    line: Line, receiver: Receiver, tmp_path: Path, answers: str, outcome: Outcome, requests: int
) -> None:
    """What mParticle can answer, what it means, and how many requests it takes to know."""
    receiver.play(parse_answers(answers))
    assert line.send(BODY, 1).outcome is outcome
    assert report(tmp_path / "sandbox").requests == requests


def test_retry_after_is_waited_for(line: Line, receiver: Receiver, tmp_path: Path) -> None:
    """The second request comes a second after the refusal, not after the client's own shorter back-off."""
    receiver.play(parse_answers("429 retry-after=1, ok"))
    line.send(BODY, 1)
    second, first = report(tmp_path / "sandbox").last_requests
    assert (second.received_at - first.received_at).total_seconds() >= 1.0


def test_the_key_is_in_no_text(line: Line, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Neither repr nor log nor answer holds the key, the secret or the body."""
    receiver.play(parse_answers("403"))
    with caplog.at_level(logging.DEBUG):
        answer = line.send(BODY, 1)
    text = repr(line) + repr(answer) + caplog.text
    assert "test-secret" not in text
    assert "test-key" not in text
    assert "customer_id" not in text


def test_nobody_listening_is_not_taken() -> None:
    """A refused connection means that nothing can have arrived."""
    with line_to("http://127.0.0.1:9/v2") as line:
        assert line.send(BODY, 1).outcome is Outcome.NOT_TAKEN
