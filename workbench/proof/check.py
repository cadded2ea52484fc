"""One thing that was looked at, and what was found."""

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
