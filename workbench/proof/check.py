"""One thing that was looked at, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        holds: None where it cannot be told.
        sentence: what was found.
    """

    name: str
    holds: bool | None
    sentence: str


def some(numbers: Sequence[int]) -> str:
    """Name the first of many numbers."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown} and {len(numbers) - 5:,} more" if len(numbers) > 5 else shown
