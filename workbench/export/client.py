"""The one outside call: POST frozen bytes to mParticle and say what came of it."""

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

import requests
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter
from urllib3.exceptions import NewConnectionError

from workbench.settings import Credentials, MParticle

LONGEST_PAUSE = 120.0
LONGEST_MESSAGE = 300


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
    """

    outcome: Outcome
    message: str
    retry_after: float | None = None
    again: bool = False
    last: Outcome | None = None


class Client:
    """Sends the bytes of a request, again and unchanged while that can help."""

    def __init__(self, url: str, credentials: Credentials, options: MParticle) -> None:
        """Open a session; the key lives in it and is shown nowhere."""
        self.url = f"{url}/bulkevents"
        self.key_digest = credentials.key_digest
        self._options = options
        self._session = requests.Session()
        self._session.auth = (credentials.key.get_secret_value(), credentials.secret.get_secret_value())
        self._session.headers["Content-Type"] = "application/json"
        self._free_at = 0.0

    def __repr__(self) -> str:
        """Show where, not who."""
        return f"Client({self.url!r})"

    def __enter__(self) -> Self:
        """Use as a context manager to close the connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._session.close()

    def send(self, body: bytes, batches: int) -> Answer:
        """POST until it is accepted, refused for good, or the attempts are used up.

        Args:
            body: the frozen bytes.
            batches: how many users they hold, for pacing.
        """
        self._pace(batches)
        retrying = Retrying(
            stop=stop_after_attempt(self._options.attempts),
            wait=_wait,
            retry=retry_if_result(lambda answer: answer.again),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        maybe_taken = False
        answer = Answer(outcome=Outcome.NOT_TAKEN, message="not attempted")

        def attempt() -> Answer:
            nonlocal maybe_taken
            found = self._post(body)
            maybe_taken = maybe_taken or found.outcome is Outcome.UNKNOWN
            return found

        answer = retrying(attempt)
        if maybe_taken and answer.outcome is not Outcome.ACCEPTED:
            return Answer(outcome=Outcome.UNKNOWN, message=answer.message, last=answer.outcome)
        return answer

    def probe(self) -> Answer:
        """Ask the receiver about the key with an empty request; nothing is delivered by it."""
        return self._post(b"[]")

    def _pace(self, batches: int) -> None:
        """Keep below the account's rate by spacing requests out."""
        now = time.monotonic()
        if self._free_at > now:
            time.sleep(self._free_at - now)
        self._free_at = max(now, self._free_at) + batches / self._options.batches_per_second

    def _post(self, body: bytes) -> Answer:
        options = self._options
        try:
            response = self._session.post(
                self.url, data=body, timeout=(options.connect_timeout, options.read_timeout),
                allow_redirects=False, stream=True,
            )  # fmt: skip
            with response:
                return _read(response)
        except requests.exceptions.ConnectTimeout:
            return Answer(outcome=Outcome.NOT_TAKEN, message="no connection in time", again=True)
        except requests.exceptions.ProxyError:
            return Answer(outcome=Outcome.NOT_TAKEN, message="the proxy refused", again=True)
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                return Answer(outcome=Outcome.NOT_TAKEN, message="the TLS certificate was not trusted")
            return Answer(outcome=Outcome.UNKNOWN, message="the TLS connection broke", again=True)
        except requests.exceptions.ConnectionError as error:
            if isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError):
                return Answer(outcome=Outcome.NOT_TAKEN, message="no connection", again=True)
            return Answer(outcome=Outcome.UNKNOWN, message="connection lost before an answer", again=True)
        except requests.exceptions.Timeout:
            return Answer(outcome=Outcome.UNKNOWN, message="no answer in time", again=True)
        except requests.exceptions.RequestException as error:
            return Answer(outcome=Outcome.UNKNOWN, message=type(error).__name__, again=True)


def _read(response: requests.Response) -> Answer:
    status = response.status_code
    message = f"{status}{_words(response)}"
    match status:
        case 202:
            if response.headers.get("Content-Length", "").isdecimal():
                next(response.iter_content(1), b"")  # an empty body that was read keeps the connection alive
            return Answer(outcome=Outcome.ACCEPTED, message="202")
        case 401 | 403:
            return Answer(outcome=Outcome.REFUSED_KEY, message=message)
        case 429:
            return Answer(
                outcome=Outcome.NOT_TAKEN, message=message, retry_after=_retry_after(response), again=True
            )
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


def _words(response: requests.Response) -> str:
    """The receiver's own message, from the first bytes of a JSON error body; nothing else is kept."""
    if "json" not in response.headers.get("Content-Type", ""):
        return ""
    try:
        start = next(response.iter_content(4096), b"")
        errors = json.loads(start)["errors"]
        return f" {str(errors[0]['message'])[:LONGEST_MESSAGE]}"
    except (ValueError, KeyError, IndexError, TypeError, requests.exceptions.RequestException):
        return ""


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_PAUSE) if text.isdecimal() else None


_backoff = wait_exponential_jitter(multiplier=0.5, max=30)


def _wait(state: RetryCallState) -> float:
    answer = state.outcome.result() if state.outcome else None
    if isinstance(answer, Answer) and answer.retry_after is not None:
        return answer.retry_after
    return float(_backoff(state))
