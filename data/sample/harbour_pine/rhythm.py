"""When people come: hour, weekday, the sale, slow growth; in each person's own zone."""

from datetime import date

import numpy as np
import polars as pl

MILLISECOND = 1_000
SECOND = 1_000 * MILLISECOND
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
END = int(np.datetime64("2026-06-30T18:00:00", "us").astype(np.int64))
START = END - 180 * DAY

SALE_FIRST, SALE_LAST = date(2026, 5, 11), date(2026, 5, 17)
SALE_RUSH = 1.9
SALE_PRICE = 0.8
GROWTH = 0.6
HOUR_WEIGHTS = pl.Series(
    [2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 9, 10, 12, 11, 10, 9, 10, 12, 14, 17, 19, 18, 12, 6],
    dtype=pl.Float64,
)
WEEKDAY_WEIGHTS = pl.Series([1.0, 0.95, 0.95, 1.0, 1.05, 1.35, 1.4])


def clock(zone: str) -> np.ndarray:
    """Return the share of the zone's visits before each full hour from START to END."""
    utc = pl.Series(np.arange(START, END, HOUR)).cast(pl.Datetime("us", "UTC"))
    local = utc.dt.convert_time_zone(zone)
    weights = HOUR_WEIGHTS.gather(local.dt.hour()) * WEEKDAY_WEIGHTS.gather(local.dt.weekday() - 1)
    rush = np.where(local.dt.date().is_between(SALE_FIRST, SALE_LAST).to_numpy(), SALE_RUSH, 1.0)
    growth = np.linspace(1.0, 1.0 + GROWTH, len(utc))
    total = np.cumsum(weights.to_numpy() * rush * growth)
    return np.concatenate([[0.0], total / total[-1]])


def instants(shares: np.ndarray, zones: pl.Series) -> np.ndarray:
    """Return the instant (us) at which each share of its zone's visits is reached."""
    edges = np.arange(START, END + 1, HOUR)
    found = np.empty(len(shares), dtype=np.int64)
    for zone in zones.unique().sort():
        rows = (zones == zone).to_numpy()
        found[rows] = np.interp(shares[rows], clock(zone), edges)
    return found


def in_sale(moments: np.ndarray) -> np.ndarray:
    """Return whether each instant (us) lies in the sale week, counted in UTC days."""
    first = int(np.datetime64(SALE_FIRST, "us").astype(np.int64))
    last = int(np.datetime64(SALE_LAST, "us").astype(np.int64)) + DAY
    return (moments >= first) & (moments < last)
