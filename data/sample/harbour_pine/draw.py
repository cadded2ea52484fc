"""Draw from named options."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.random import Generator


def one_of(
    rng: Generator,
    options: Sequence[str | None],
    size: int,
    weights: Sequence[float] | None = None,
) -> pl.Series:
    """Return `size` options as an Enum column; `weights` are relative."""
    shares = None if weights is None else np.asarray(weights) / np.sum(weights)
    return named(options, rng.choice(len(options), size, p=shares))


def named(options: Sequence[str | None], codes: np.ndarray) -> pl.Series:
    """Return the options at the positions `codes`, as an Enum column."""
    names = pl.Enum([option for option in options if option is not None])
    return pl.Series(options, dtype=names).gather(codes)


def odds(rng: Generator, size: int, share: float | np.ndarray) -> pl.Series:
    """Return `size` true/false values, true with probability `share`."""
    return pl.Series(rng.random(size) < share)
