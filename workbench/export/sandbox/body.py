"""The body of a request, read into the batches that it carries."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Never

BULK_LIMIT = 100

_SPACE = re.compile(r"[ \t\n\r]*")


class MalformedError(ValueError):
    """The body is not what the path expects; the message holds nothing of the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One batch as it was sent: its JSON text and what the text says."""

    text: str
    value: object

    @property
    def size(self) -> int:
        """Give the size of the batch in bytes of the request."""
        return len(self.text.encode())


def read_batches(body: bytes, *, bulk: bool) -> tuple[Sent, ...]:
    """Read one batch, or a bulk array of 1 to 100.

    Raises:
        MalformedError: The body is not JSON, not an object or array as asked, or too long an array.
    """
    try:
        text = body.decode()
        batches = tuple(_array(text)) if bulk else (_single(text),)
    except MalformedError:
        raise
    except (ValueError, RecursionError):
        message = "the body is not valid JSON"
        raise MalformedError(message) from None
    if not 1 <= len(batches) <= BULK_LIMIT:
        message = f"a bulk request carries 1 to {BULK_LIMIT} batches"
        raise MalformedError(message)
    return batches


def _single(text: str) -> Sent:
    sent, end = _value(text, _skip(text, 0))
    if _skip(text, end) != len(text):
        message = "the body goes on after its batch"
        raise MalformedError(message)
    if not isinstance(sent.value, dict):
        message = "the body is not one batch"
        raise MalformedError(message)
    return sent


def _array(text: str) -> Iterator[Sent]:
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        _value(text, at)
        message = "the body is not an array of batches"
        raise MalformedError(message)
    at = _skip(text, at + 1)
    closed = text[at : at + 1] == "]"
    while not closed:
        sent, end = _value(text, at)
        yield sent
        at = _skip(text, end)
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            message = "the array is not closed"
            raise MalformedError(message)
        at = at if closed else _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        message = "the body goes on after its array"
        raise MalformedError(message)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _value(text: str, at: int) -> tuple[Sent, int]:
    value, end = _DECODER.raw_decode(text, at)
    return Sent(text=text[at:end], value=value), end


def _fraction(text: str) -> Decimal:
    """Read a number with a point or exponent as Decimal: `1.0` is then not an integer."""
    if math.isinf(float(text)):
        message = "a number of the body is too large"
        raise MalformedError(message)
    return Decimal(text)


def _constant(_: str) -> Never:
    message = "NaN and Infinity are not JSON"
    raise MalformedError(message)


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_constant=_constant)
