"""The one outside call: POST frozen bytes to mParticle and say what came of it."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

import requests
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from workbench.export.pace import Pace
from workbench.export.wire import Watch, Wire
from workbench.settings import Credentials, MParticle

LONGEST_PAUSE = 120.0
LONGEST_MESSAGE = 300
LONGEST_READ = 4096


class Outcome(StrEnum):
    """What an answer means for the request."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_TAKEN = "not taken"
    REFUSED_KEY = "refused key"
    WRONG_PLACE = "wrong place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of one request.

    Attributes:
        outcome: ``not taken``, ``refused key`` and ``wrong place`` mean that the receiver has nothing
            of it; ``unknown`` means that it may have it, and only the same bytes may be sent again.
        message: the status and the receiver's words, without anything of the body that was sent.
        retry_after: seconds that the receiver asked for; None where it did not.
        again: whether another attempt can help.
        last: the outcome of the last attempt; it differs where an earlier one may have been taken.
        limit: which limit was passed, ``acceleration`` among them; None unless one was (429).
        percentage: how much of the rate is used, where the receiver says so.
    """

    outcome: Outcome
    message: str
    retry_after: float | None = None
    again: bool = False
    last: Outcome | None = None
    limit: str | None = None
    percentage: int | None = None

    @property
    def decides(self) -> bool:
        """Whether it is about this request alone, so that the others go on."""
        return self.outcome is Outcome.ACCEPTED or Outcome.REJECTED in {self.outcome, self.last}


class Client:
    """Where requests go and with which key; its lines send them."""

    def __init__(self, url: str, credentials: Credentials, options: MParticle) -> None:
        """Prepare; the key lives in the lines and is shown nowhere."""
        self.url = f"{url}/bulkevents"
        self.key_digest = credentials.key_digest
        self.options = options
        key, secret = self._auth = (credentials.key.get_secret_value(), credentials.secret.get_secret_value())
        self._hidden = (b64encode(f"{key}:{secret}".encode()).decode(), key, secret)
        self._watch = Watch()

    def __repr__(self) -> str:
        """Show where, not who."""
        return f"Client({self.url!r})"

    def __enter__(self) -> Self:
        """Use as a context manager to end what watches the lines."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what watches the lines."""
        self._watch.close()

    def told(self, words: str) -> str:
        """Return what a receiver says as one line of printable characters, with nothing of the key in it."""
        for text in filter(None, self._hidden):
            words = words.replace(text, "***")
        return "".join(char if char.isprintable() else " " for char in words)[:LONGEST_MESSAGE]

    def line(self, pace: Pace) -> "Line":
        """Return a line of its own for one thread; ``pace`` is common to those that send at the same time."""
        return Line(self, Wire(self.url, self._auth), self._watch, pace)

    def probe(self) -> Answer:
        """Ask the receiver about the key with an empty request; nothing is delivered by it."""
        with self.line(Pace(self.options.batches_per_second)) as line:
            return line.post(b"[]")


class Line:
    """One connection to the receiver, used by one thread."""

    def __init__(self, client: Client, wire: Wire, watch: Watch, pace: Pace) -> None:
        """Let the wire be watched until the line is closed."""
        self._client = client
        self._wire = wire
        self._watch = watch
        self._pace = pace
        watch.add(wire)

    def __enter__(self) -> Self:
        """Use as a context manager to close the connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._watch.remove(self._wire)
        self._wire.close()

    def send(self, body: bytes, batches: int) -> Answer:
        """POST until it is accepted, refused for good, the attempts are used up, or the gate is closed.

        A refused key closes the gate for everybody, before anybody is told.

        Args:
            body: the frozen bytes.
            batches: how many they hold; the pace has let this many in for the first attempt.
        """
        pace = self._pace
        answer: Answer | None = None
        maybe_taken = False

        def attempt() -> Answer:
            nonlocal answer, maybe_taken
            if answer is not None and not pace.enter(batches):
                return replace(answer, again=False)
            answer = self.post(body)
            maybe_taken = maybe_taken or answer.outcome is Outcome.UNKNOWN
            if answer.percentage is not None:
                pace.used(answer.percentage)
            if answer.outcome is Outcome.REFUSED_KEY:
                pace.close()
            return answer

        found = attempt()
        if found.again:
            found = self._again(found, attempt)
        if maybe_taken and found.outcome is not Outcome.ACCEPTED:
            return Answer(outcome=Outcome.UNKNOWN, message=found.message, last=found.outcome)
        return found

    def post(self, body: bytes) -> Answer:
        """POST once. However slowly the receiver answers, it takes no longer than both time-outs together."""
        options = self._client.options
        longest = options.connect_timeout + options.read_timeout
        deadline = time.monotonic() + longest
        self._wire.begin(longest)
        try:
            with self._wire.post(body, (options.connect_timeout, options.read_timeout)) as response:
                if time.monotonic() >= deadline:
                    return Answer(outcome=Outcome.UNKNOWN, message="no answer in time", again=True)
                return _read(response, deadline, self._client.told)
        except requests.exceptions.RequestException as error:
            found = _failure(error)
            late = found.outcome is Outcome.UNKNOWN and time.monotonic() >= deadline
            return replace(found, message="no answer in time") if late else found
        finally:
            self._wire.end()

    def _again(self, first: Answer, attempt: Callable[[], Answer]) -> Answer:
        """Wait and attempt until there is an end to it, after a first attempt."""
        known = [first]
        retrying = Retrying(
            stop=stop_after_attempt(self._client.options.attempts),
            wait=self._wait,
            sleep=self._pace.sleep,
            retry=retry_if_result(lambda found: found.again),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        found: Answer = retrying(lambda: known.pop() if known else attempt())
        return found

    def _wait(self, state: RetryCallState) -> float:
        """Over a limit everybody pauses; else only this request waits, and longer each time."""
        answer = state.outcome.result() if state.outcome else None
        backoff = float(_backoff(state))
        if not isinstance(answer, Answer):
            return backoff
        if answer.limit is None:
            return backoff if answer.retry_after is None else answer.retry_after
        if answer.limit == "acceleration":
            self._pace.slow(0.5)
        if answer.limit != "acceleration" or answer.retry_after is not None:
            self._pace.pause(backoff if answer.retry_after is None else answer.retry_after)
            return 0
        return backoff


def _failure(error: requests.exceptions.RequestException) -> Answer:
    match error:
        case requests.exceptions.ConnectTimeout():
            return Answer(outcome=Outcome.NOT_TAKEN, message="no connection in time", again=True)
        case requests.exceptions.ProxyError() if _is_before_the_proxy(error):
            return Answer(outcome=Outcome.NOT_TAKEN, message="the proxy refused", again=True)
        case requests.exceptions.SSLError():
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return Answer(outcome=Outcome.NOT_TAKEN, message="the TLS certificate was not trusted")
            return Answer(outcome=Outcome.UNKNOWN, message="the TLS connection broke", again=True)
        case requests.exceptions.ConnectionError():
            if isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError):
                return Answer(outcome=Outcome.NOT_TAKEN, message="no connection", again=True)
            return Answer(outcome=Outcome.UNKNOWN, message="connection lost before an answer", again=True)
        case requests.exceptions.Timeout():
            return Answer(outcome=Outcome.UNKNOWN, message="no answer in time", again=True)
        case _:
            return Answer(outcome=Outcome.UNKNOWN, message=type(error).__name__, again=True)


def _is_before_the_proxy(error: requests.exceptions.ProxyError) -> bool:
    """Whether the request never came to the proxy, or the proxy has no way to the receiver; else it may have been passed on."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    cause = getattr(reason, "original_error", None)
    return isinstance(cause, NewConnectionError | ConnectTimeoutError) or str(cause).startswith(
        "Tunnel connection failed"
    )


def _read(response: BaseHTTPResponse, deadline: float, told: Callable[[str], str]) -> Answer:
    status = response.status
    if status == 202:
        if _number(response, "Content-Length", LONGEST_READ) is not None:
            _start(response, deadline)  # a short body that was read keeps the connection alive
        used = _number(response, "X-mp-rate-limit-percentage-used", 100)
        return Answer(outcome=Outcome.ACCEPTED, message="202", percentage=used)
    message = f"{status} {told(_words(response, deadline))}".rstrip()
    match status:
        case 401 | 403:
            return Answer(outcome=Outcome.REFUSED_KEY, message=message)
        case 429:
            return Answer(
                outcome=Outcome.NOT_TAKEN, message=message, retry_after=_retry_after(response), again=True,
                limit=response.headers.get("X-mp-rate-limit-exceeded", "")[:LONGEST_MESSAGE],
            )  # fmt: skip
        case 400 | 413 | 422:
            return Answer(outcome=Outcome.REJECTED, message=message)
        case 408:
            return Answer(outcome=Outcome.UNKNOWN, message=message, again=True)
        case _ if 300 <= status < 500:
            return Answer(outcome=Outcome.WRONG_PLACE, message=f"{message} (this is not mParticle's address)")
        case _ if status >= 500:
            return Answer(
                outcome=Outcome.UNKNOWN, message=message, retry_after=_retry_after(response), again=True
            )
        case _:
            return Answer(outcome=Outcome.UNKNOWN, message=f"{message} (only 202 means accepted)")


def _words(response: BaseHTTPResponse, deadline: float) -> str:
    """The receiver's own message, from the first bytes of a JSON error body; nothing else is kept."""
    start = _start(response, deadline)
    if "json" not in response.headers.get("Content-Type", ""):
        return ""
    try:
        return str(json.loads(start)["errors"][0]["message"])
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""


def _start(response: BaseHTTPResponse, deadline: float) -> bytes:
    """The first bytes of a body, as many as come in time."""
    found = b""
    try:
        while len(found) < LONGEST_READ and time.monotonic() < deadline:
            read = response.read1(LONGEST_READ - len(found), decode_content=False)
            if not read:
                break
            found += read
    except (HTTPError, OSError, ValueError):
        return found
    return found


def _retry_after(response: BaseHTTPResponse) -> float | None:
    """Seconds, or a date: held against the answer's own, so that no clock here can be wrong; one without asks for nothing."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return min(float(text), LONGEST_PAUSE)
    until, now = _instant(text), _instant(response.headers.get("Date", ""))
    if until is None or now is None or until <= now:
        return None
    return min(until - now, LONGEST_PAUSE)


def _instant(text: str) -> float | None:
    """A date of HTTP as seconds since 1970; None for anything else."""
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(response: BaseHTTPResponse, header: str, most: int) -> int | None:
    """A whole number of a header, if it is one and in range."""
    text = response.headers.get(header, "")
    return int(text) if text.isdecimal() and len(text) < 10 and int(text) <= most else None


_backoff = wait_exponential_jitter(multiplier=0.5, max=30)
