"""Receivers that lie: no answer holds a thread for longer than both time-outs, or is read whole."""

import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from accounts import Account
from export.recorder import Recorder
from export.sendable import CREDENTIALS, reserve, send

from workbench.errors import SettingsError
from workbench.export.client import Client, Outcome
from workbench.export.ledger import RequestState
from workbench.export.pace import Pace
from workbench.settings import MParticle

OPTIONS = MParticle(connect_timeout=0.5, read_timeout=0.5, attempts=1, batches_per_second=1e6)
PIECES = 400
STEP = 0.05


class Liar:
    """Says ``first`` to whoever connects, then ``again`` every 50 ms, for twenty seconds or until it is cut."""

    def __init__(self, first: bytes, again: bytes) -> None:
        """Listen."""
        self.pieces = 0
        self._first, self._again = first, again
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._lie)
        self._thread.start()

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v2"

    def join(self) -> None:
        """Wait until the talk is over."""
        self._thread.join()
        self._socket.close()

    def _lie(self) -> None:
        other, _ = self._socket.accept()
        with other:
            try:
                other.recv(1000)
                other.sendall(self._first)
                while self._again and self.pieces < PIECES:
                    other.sendall(self._again)
                    self.pieces += 1
                    time.sleep(STEP if len(self._again) < 1000 else 0)
            except OSError:
                return


@contextmanager
def lying(first: bytes, again: bytes = b"") -> Iterator[Liar]:
    """A liar, which is listened to until it is cut."""
    liar = Liar(first, again)
    yield liar
    liar.join()


def proxied(patch: pytest.MonkeyPatch, url: str) -> None:
    """Let everything go over one proxy, or none, whatever this machine has."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY") if url else ():
        patch.setenv(name, url)


HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
LIES = {
    "header bytes without end": (HEAD % b"202 Accepted" + b"X: ", b"a", Outcome.UNKNOWN),
    "headers without end": (HEAD % b"202 Accepted", b"X: 1\r\n", Outcome.UNKNOWN),
    "continues without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", Outcome.UNKNOWN),
    "a status line without end": (b"HTTP/1.1 202 ", b"a", Outcome.UNKNOWN),
    "an error that trickles": (HEAD % b"503 No" + b"Content-Length: 4000\r\n\r\n", b" ", Outcome.UNKNOWN),
    "a refusal that trickles": (HEAD % b"400 No" + b"Content-Length: 4000\r\n\r\n", b" ", Outcome.REJECTED),
    "a chunk length that trickles": (
        HEAD % b"400 No" + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n", b"0", Outcome.REJECTED,
    ),
    "an acceptance that trickles": (
        HEAD % b"202 Accepted" + b"Content-Length: 4000\r\n\r\n", b" ", Outcome.ACCEPTED,
    ),
    "a redirect with a huge body": (
        HEAD % b"302 Found" + b"Location: /x\r\nContent-Length: 900000000\r\n\r\n", b" " * 1_000_000,
        Outcome.WRONG_PLACE,
    ),
    "an error with a huge body": (
        HEAD % b"500 No" + b"Content-Length: 900000000\r\n\r\n", b" " * 1_000_000, Outcome.UNKNOWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_cut(lie: str) -> None:
    """It would go on for twenty seconds (or 400 MB); it is cut before, and means what its status means."""
    first, again, outcome = LIES[lie]
    with (
        lying(first, again) as liar,
        Client(liar.url, CREDENTIALS, OPTIONS) as client,
        client.line(Pace(1e6)) as line,
    ):
        assert line.post(b"[]").outcome is outcome
    assert liar.pieces < PIECES


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"", Outcome.UNKNOWN),
        (b"nonsense\r\n\r\n", Outcome.UNKNOWN),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: x\r\n\r\n", Outcome.ACCEPTED),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nabc", Outcome.ACCEPTED),
        (HEAD % b"400 No" + b"Content-Length: 90\r\n\r\n" + b"[" * 90, Outcome.REJECTED),
        (HEAD % b"400 No" + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", Outcome.REJECTED),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://[\r\n\r\n", Outcome.WRONG_PLACE),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Outcome.UNKNOWN),
    ],
)
def test_a_broken_answer_means_what_its_status_means(said: bytes, outcome: Outcome) -> None:
    """What cannot be read is unknown; a status that can be read counts, whatever comes after it."""
    with (
        lying(said) as liar,
        Client(liar.url, CREDENTIALS, OPTIONS) as client,
        client.line(Pace(1e6)) as line,
    ):
        assert line.post(b"[]").outcome is outcome


@pytest.mark.parametrize(
    ("receiver", "said", "outcome"),
    [
        ("http://receiver.test/v2", b"", Outcome.UNKNOWN),
        ("http://receiver.test/v2", b"nonsense\r\n\r\n", Outcome.UNKNOWN),
        ("https://receiver.test/v2", b"HTTP/1.1 502 No\r\n\r\n", Outcome.NOT_TAKEN),
    ],
)
def test_what_a_proxy_had_may_have_been_passed_on(
    monkeypatch: pytest.MonkeyPatch, receiver: str, said: bytes, outcome: Outcome
) -> None:
    """A proxy that hangs up on a request leaves doubt; one that has no way to the receiver, or is not there, does not."""
    with lying(said) as liar:
        proxied(monkeypatch, liar.url.removesuffix("/v2"))
        with Client(receiver, CREDENTIALS, OPTIONS) as client, client.line(Pace(1e6)) as line:
            assert line.post(b"[]").outcome is outcome
    with Client(receiver, CREDENTIALS, OPTIONS) as client, client.line(Pace(1e6)) as line:
        assert line.post(b"[]").outcome is Outcome.NOT_TAKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """What goes to the sandbox is not encrypted, and never leaves the machine."""
    with Recorder() as recorder:
        proxied(monkeypatch, "http://127.0.0.1:9")
        url = recorder.url.replace("127.0.0.1", host)
        with Client(url, CREDENTIALS, OPTIONS) as client, client.line(Pace(1e6)) as line:
            assert line.post(b"[]").outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://user:pa55@proxy.test:port"),
        ("HTTPS_PROXY", "http://user:pa#55@proxy.test"),
        ("HTTPS_PROXY", "http://user:pa55@"),
        ("HTTPS_PROXY", "socks5://user:pa55@proxy.test"),
        ("REQUESTS_CA_BUNDLE", "/pa55/none.pem"),
    ],
)
def test_an_environment_that_cannot_be_used_costs_no_request(
    monkeypatch: pytest.MonkeyPatch, account: Account, name: str, value: str
) -> None:
    """An error of the settings that shows no password; nothing is in doubt by it."""
    run = reserve(account, 2)
    proxied(monkeypatch, "")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"HTTPS_PROXY.*REQUESTS_CA_BUNDLE") as raised:
        send(account, run, "https://receiver.test/v2")
    assert "55" not in "".join(traceback.format_exception(raised.value))
    found = account.workspace.ledger.requests(run.run_id)
    assert [(item.state, item.attempts) for item in found] == [(RequestState.RESERVED, 0)] * 2


def test_no_cookie_is_kept() -> None:
    """A receiver cannot make the client carry something from answer to answer."""
    said = b"HTTP/1.1 202 Accepted\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    heads = []

    def answer(listening: socket.socket) -> None:
        other, _ = listening.accept()
        with other:
            for _ in range(2):
                head = b""
                while not head.endswith(b"]"):
                    head += other.recv(1000)
                heads.append(head.lower())
                other.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v2"
        with Client(url, CREDENTIALS, OPTIONS) as client, client.line(Pace(1e6)) as line:
            for body in (b"[]", b"[1]"):
                assert line.post(body).outcome is Outcome.ACCEPTED
        thread.join()
    assert [b"content-length: 2" in heads[0], b"content-length: 3" in heads[1]] == [True, True]
    assert not any(b"cookie" in head for head in heads)
