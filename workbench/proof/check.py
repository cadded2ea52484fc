"""One thing that was looked at, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from workbench.errors import StoreError


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


def rows(frame: pl.LazyFrame, columns: Mapping[str, type[pl.DataType]], noun: str) -> pl.DataFrame:
    """Return the rows of a frozen file, whose digest may have been made to fit whatever is in it.

    Raises:
        StoreError: it has not these columns.
    """
    try:
        return frame.select(pl.col(name).cast(kind) for name, kind in columns.items()).collect()
    except pl.exceptions.PolarsError:
        raise StoreError(f"what its digest was made of is no {noun}") from None


def some(numbers: Sequence[int]) -> str:
    """Name the first of many numbers."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown} and {len(numbers) - 5:,} more" if len(numbers) > 5 else shown
