import json
import logging
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from accounts import Account
from export.recorder import ACCEPTED, Recorder
from export.sendable import reserve, send
from pydantic import SecretStr

from workbench.errors import DestinationError
from workbench.export.client import Client, Line, Outcome
from workbench.export.pace import Pace
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.settings import Credentials, MParticle

FAST = MParticle(attempts=2, read_timeout=1, batches_per_second=100_000)
BODY = (
    b'[{"environment":"development","source_request_id":"r","user_identities":{"customer_id":"1"},'
    b'"events":[]}]'
)

JSON = {"Content-Type": "application/json"}
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


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


SENT = "Wed, 25 Nov 2026 20:00:00 GMT"


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("7", SENT, 7.0),
        ("0", SENT, 0.0),
        ("9" * 400, SENT, 120.0),
        ("Wed, 25 Nov 2026 20:00:07 GMT", SENT, 7.0),
        ("Wednesday, 25-Nov-26 20:00:07 GMT", SENT, 7.0),
        ("Wed Nov 25 20:00:07 2026", SENT, 7.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", SENT, 120.0),
        ("Wed, 25 Nov 2026 20:00:00 GMT", SENT, None),
        ("Wed, 25 Nov 2026 19:59:00 GMT", SENT, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "soon", None),
        ("Wed, 25 Nov 99999 20:00:07 GMT", SENT, None),
        ("Wed, 25 Nov 2026 20:00:07 +9999", SENT, None),
        ("Wed, 99999999999999 Nov 2026 20:00:07 GMT", SENT, None),
        ("soon", SENT, None),
        ("-5", SENT, None),
        ("1.5", SENT, None),
        ("", SENT, None),
    ],
)
@pytest.mark.usefixtures("tokyo")
def test_how_long_the_receiver_asks_to_wait(retry_after: str, date: str, seconds: float | None) -> None:
    """Seconds or a date, which is held against the answer's own: a wrong clock here changes nothing. Never over two minutes."""
    asked = {"Retry-After": retry_after, "Date": date}
    with Recorder(answer=lambda n: (429, asked)) as recorder, line_to(recorder.url) as line:
        assert line.post(BODY).retry_after == seconds


def test_a_date_is_waited_for() -> None:
    """The second request comes when the receiver said, years off by this machine's clock."""
    asked = {"Retry-After": "Wed, 25 Nov 2020 20:00:01 GMT", "Date": "Wed, 25 Nov 2020 20:00:00 GMT"}
    with (
        Recorder(answer=lambda n: (429, asked) if n == 1 else ACCEPTED) as recorder,
        line_to(recorder.url) as line,
    ):
        assert line.send(BODY, 1).outcome is Outcome.ACCEPTED
    (first, _), (second, _) = recorder.arrivals
    assert second - first >= 1.0


def test_the_key_is_in_no_text(line: Line, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Neither repr nor log nor answer holds the key, the secret or the body."""
    receiver.play(parse_answers("403"))
    with caplog.at_level(logging.DEBUG):
        answer = line.send(BODY, 1)
    text = repr(line) + repr(answer) + caplog.text
    assert "test-secret" not in text
    assert "test-key" not in text
    assert "customer_id" not in text


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_receiver_that_repeats_the_key(team: Account, status: int) -> None:
    """Its words are kept without the key, as one line that every ledger can hold."""
    token = b64encode(b"test-key:test-secret").decode()
    words = f"\ud800 test-key,\0test-secret,\n{token} \x1b[31m" + "x" * 400
    body = json.dumps({"errors": [{"message": words}]}).encode()
    run = reserve(team, 3)
    with (
        Recorder(lambda number: (status if number > 1 else 202, JSON), content=body) as recorder,
        suppress(DestinationError),
    ):
        send(team, run, recorder.url)
    answers = team.workspace.ledger.requests(run.run_id)
    assert (answers[1].answer or "").startswith(f"{status}   ***, ***, ***  [31mxxx")
    assert len(answers[1].answer or "") == 4 + 300


def test_nobody_listening_is_not_taken() -> None:
    """A refused connection means that nothing can have arrived."""
    with line_to("http://127.0.0.1:9/v2") as line:
        assert line.send(BODY, 1).outcome is Outcome.NOT_TAKEN
