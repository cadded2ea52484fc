"""The scripted answers of the receiver, and the small language that names them.

A script is a list of answers separated by commas, each optionally repeated with `*N`:

    503*2, 429 retry-after=2, drop-after, late=0.5, ok

| answer | what the client sees | batches |
|---|---|---|
| `ok`, `202` | the usual answer | judged and stored |
| `202-body` | 202 with a JSON body | judged and stored |
| `percent-used=N` | 202 that says how much of the rate is used | judged and stored |
| `late=S` | the usual answer after S seconds (at most 60) | judged and stored |
| `trickle`, `trickle=S` | 202, then one byte after another (at most 30 s) | judged and stored |
| `huge` | 202 with a body of 20 MB | judged and stored |
| `200`, `204`, `403`, `503`, ... | that status; from 400 on with a JSON error | not stored |
| `redirect` | 302 to another path of the receiver (also `307`, `308`, ...) | not stored |
| `drop-before`, `reset` | the connection closed, or reset, without an answer | not stored |
| `drop-after`, `reset-after` | the same | judged and stored |

A status takes suffixes: `-after` (the batches are stored first), and for the body `-text`,
`-html` (also written `html-503`), `-body` (JSON) or `-empty`. Answers that are a plain reply
take options: `retry-after=S`, `acceleration` or `limit=NAME`, `percent-used=N`.
"""

import difflib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus

LATE_LIMIT = 60.0
TRICKLE_LIMIT = 30.0
RETRY_AFTER_LIMIT = 3600
REPEAT_LIMIT = 10_000
REDIRECTED_PATH = "/v2/redirected"

_STATUSES = (
    200, 201, 202, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 408, 413, 415, 429,
    500, 501, 502, 503, 504,
)  # fmt: skip
_FIRST_ERROR = HTTPStatus.BAD_REQUEST
_OPTIONS = ("retry-after=2", "acceleration", "limit=NAME", "percent-used=92")


class Act(StrEnum):
    """What the receiver does with the connection."""

    REPLY = "reply"
    DROP = "drop"
    RESET = "reset"
    TRICKLE = "trickle"
    HUGE = "huge"


class Body(StrEnum):
    """What the answer carries."""

    EMPTY = "empty"
    JSON = "body"
    TEXT = "text"
    HTML = "html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `stores` says that the batches are judged and stored before it is given."""

    text: str
    act: Act = Act.REPLY
    status: int = 202
    stores: bool = True
    body: Body = Body.EMPTY
    message: str = ""
    seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


_NAMED = {
    "ok": Answer(text="ok"),
    "huge": Answer(text="huge", act=Act.HUGE),
    "trickle": Answer(text="trickle", act=Act.TRICKLE, seconds=TRICKLE_LIMIT),
    "redirect": Answer(text="redirect", status=302, stores=False, headers=(("Location", REDIRECTED_PATH),)),
    "drop-before": Answer(text="drop-before", act=Act.DROP, stores=False),
    "drop-after": Answer(text="drop-after", act=Act.DROP),
    "reset": Answer(text="reset", act=Act.RESET, stores=False),
    "reset-after": Answer(text="reset-after", act=Act.RESET),
}
_EXAMPLES = (*_NAMED, "late=3", "percent-used=92", "202-body", "400-text", "html-503")
_KNOWN = (
    *_EXAMPLES,
    "trickle=5",
    *(f"{status}{suffix}" for status in _STATUSES for suffix in ("", "-after", "-empty")),
)


def parse_answers(text: str) -> tuple[Answer, ...]:
    """Read a script of answers.

    Raises:
        ValueError: An answer or an option is unknown or out of range; names the nearest known.

    >>> [answer.status for answer in parse_answers("503*2, ok")]
    [503, 503, 202]
    """
    if not text.strip():
        return ()
    return tuple(answer for item in text.split(",") for answer in _repeated(item.strip()))


def refusal(status: int, message: str, **headers: str) -> Answer:
    """Give the answer that refuses a request; header names are written with underscores."""
    return Answer(
        text=str(status),
        status=status,
        stores=False,
        body=Body.JSON,
        message=message,
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
    )


def _repeated(item: str) -> tuple[Answer, ...]:
    plain, star, count = item.partition("*")
    if not star:
        return (_answer(item),)
    if not re.fullmatch(r"\s*\d{1,5}\s*", count) or not 1 <= int(count) <= REPEAT_LIMIT:
        message = f'answer "{item}": the number after * is not between 1 and {REPEAT_LIMIT}'
        raise ValueError(message)
    return (_answer(plain.strip()),) * int(count)


def _answer(item: str) -> Answer:
    words = item.split()
    if not words:
        message = "a script of answers has an empty place between two commas"
        raise ValueError(message)
    answer = _base(words[0])
    headers = tuple(_option(option, item) for option in words[1:])
    if headers and answer.act is not Act.REPLY:
        message = f'answer "{item}": only a plain reply takes options'
        raise ValueError(message)
    return replace(answer, text=" ".join(words), headers=(*answer.headers, *headers))


def _base(head: str) -> Answer:
    if head in _NAMED:
        return _NAMED[head]
    name, _, value = head.partition("=")
    match name:
        case "trickle":
            seconds = _number(value, head, TRICKLE_LIMIT)
            return Answer(text=head, act=Act.TRICKLE, seconds=seconds)
        case "late":
            return Answer(text=head, seconds=_number(value, head, LATE_LIMIT))
        case "percent-used":
            return Answer(text=head, headers=(_option(head, head),))
    return _status(re.sub(r"^html-(\d+)", r"\1-html", head), head)


def _status(text: str, head: str) -> Answer:
    number, *suffixes = text.split("-")
    bodies = [suffix for suffix in suffixes if suffix != "after"]
    known = int(number) if number in map(str, _STATUSES) else None
    repeated = len(bodies) > 1 or suffixes.count("after") > 1
    if known is None or repeated or not set(bodies) <= set(Body):
        message = f'unknown answer "{head}"{_nearest(head, _KNOWN, _EXAMPLES)}'
        raise ValueError(message)
    status = HTTPStatus(known)
    body = Body(bodies[0]) if bodies else Body.JSON if status >= _FIRST_ERROR else Body.EMPTY
    if status is HTTPStatus.NO_CONTENT and body is not Body.EMPTY:
        message = f'answer "{head}": 204 has no body'
        raise ValueError(message)
    moved = HTTPStatus.MULTIPLE_CHOICES <= status < _FIRST_ERROR
    return Answer(
        text=head,
        status=known,
        stores="after" in suffixes or status is HTTPStatus.ACCEPTED,
        body=body,
        message="scripted answer",
        headers=(("Location", REDIRECTED_PATH),) if moved else (),
    )


def _option(option: str, item: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    match name, bool(equals):
        case "acceleration", False:
            return "X-mp-rate-limit-exceeded", "acceleration"
        case "limit", True if re.fullmatch(r"[\w-]{1,40}", value):
            return "X-mp-rate-limit-exceeded", value
        case "retry-after", True:
            return "Retry-After", str(_whole(value, item, RETRY_AFTER_LIMIT))
        case "percent-used", True:
            return "X-mp-rate-limit-percentage-used", str(_whole(value, item, 100))
    message = f'answer "{item}": unknown option "{option}"{_nearest(option, _OPTIONS, _OPTIONS)}'
    raise ValueError(message)


def _number(value: str, item: str, limit: float) -> float:
    if not re.fullmatch(r"\d{1,4}(\.\d{1,4})?", value) or float(value) > limit:
        message = f'answer "{item}": "{value}" is not a number of seconds between 0 and {limit:g}'
        raise ValueError(message)
    return float(value)


def _whole(value: str, item: str, limit: int) -> int:
    if not re.fullmatch(r"\d{1,4}", value) or int(value) > limit:
        message = f'answer "{item}": "{value}" is not a whole number between 0 and {limit}'
        raise ValueError(message)
    return int(value)


def _nearest(word: str, known: tuple[str, ...], shown: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f'. Did you mean "{close[0]}"?'
    return f". Known: {', '.join(shown)}"
