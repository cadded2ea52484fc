"""Generate BIG: a shop's events in time order, as a source of the ingest.

`python benchmarks/big/generate.py OUT [--users 1000000] [--events 100000000] [--noise 1]`

180 days from 2026-01-01, 50 event names by a Zipf law (the first has 22 %), users of three tiers (0.2 %
of them make 8 % of the events), seven typed properties. One Parquet file a month (zstd), a day at a time
in memory; the same arguments give the same rows. `--noise 2` doubles the events that no reference segment
names, and leaves the others as they are.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.random import PCG64, Generator, SeedSequence

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 180
NAMED = {
    1: "page_view", 2: "product_viewed", 4: "search", 6: "add_to_cart", 12: "email_clicked",
    30: "purchase", 48: "App Uninstalled",
}  # fmt: skip
EVENTS = [NAMED.get(rank, f"event_{rank:02}") for rank in range(1, 51)]
WITH_PRODUCT = ("product_viewed", "add_to_cart", "purchase")
TIERS = ((0.002, 0.08), (0.098, 0.40), (0.9, 0.52))
COUNTRIES = ["US", "GB", "DE", "FR", "IN", "BR", "JP", "CA", "NL", "SE"]
COUNTRY_SHARES = [0.34, 0.14, 0.12, 0.09, 0.09, 0.07, 0.05, 0.05, 0.03, 0.02]
PLANS, PLAN_SHARES = ["free", "basic", "pro", "enterprise"], [0.68, 0.17, 0.11, 0.04]
PRODUCTS, FAVOURITES = 2_000, 8
SOURCES = ["direct", "search", "social", "email", "ads", "partner"]
CATEGORIES = ["shoes", "coats", "tents", "stoves", "packs", "maps", "ropes", "lamps", "boots", "knives"]
SCHEMA = {
    "user_id": pl.String, "event": pl.String, "ts": pl.Datetime("us", "UTC"), "price": pl.Float64,
    "product_id": pl.String, "category": pl.String, "quantity": pl.Float64, "coupon": pl.Boolean,
    "source": pl.String, "seconds": pl.Float64,
}  # fmt: skip


def main() -> None:
    """Write profiles and events below the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("out", type=Path)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--noise", type=int, default=1)
    options = parser.parse_args()
    generate(options.out, users=options.users, events=options.events, noise=options.noise)


def generate(
    out: Path, *, users: int, events: int, noise: int = 1, report: Callable[[str], None] = print
) -> None:
    """Write `profiles.parquet` and `events-YYYY-MM.parquet`."""
    out.mkdir(parents=True, exist_ok=True)
    profiles(users).write_parquet(out / "profiles.parquet")
    ids = pl.Series([f"u{n:07}" for n in range(users)])
    writer, open_month = None, ""
    for day, frame in days(ids, events // DAYS, noise):
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if f"{day:%Y-%m}" != open_month:
            if writer:
                writer.close()
            open_month = f"{day:%Y-%m}"
            writer = pq.ParquetWriter(out / f"events-{open_month}.parquet", table.schema, compression="zstd")
        assert writer is not None
        writer.write_table(table, row_group_size=122_880)
        report(f"{day:%Y-%m-%d} {frame.height:,} events")
    if writer:
        writer.close()


def profiles(users: int) -> pl.DataFrame:
    """Return one row a user."""
    rng = Generator(PCG64(SeedSequence([7, 0])))
    ids = pl.Series([f"u{n:07}" for n in range(users)])
    return pl.DataFrame(
        {
            "user_id": ids,
            "email": ids + "@example.com",
            "country": pl.Series(COUNTRIES).gather(rng.choice(len(COUNTRIES), users, p=COUNTRY_SHARES)),
            "plan": pl.Series(PLANS).gather(rng.choice(len(PLANS), users, p=PLAN_SHARES)),
            "value": np.round(rng.gamma(1.2, 180.0, users), 2),
            "unsubscribed": rng.random(users) < 0.08,
        }
    )


def days(ids: pl.Series, per_day: int, noise: int) -> Iterator[tuple[datetime, pl.DataFrame]]:
    """Yield each day's events in time order."""
    shares = 1 / np.arange(1, len(EVENTS) + 1)
    shares /= shares.sum()
    for number in range(DAYS):
        day = START + timedelta(days=number)
        parts = [_rows(Generator(PCG64(SeedSequence([7, 1, number]))), ids, per_day, shares, day)]
        for copy in range(1, noise):
            more = _rows(Generator(PCG64(SeedSequence([7, 1, number, copy]))), ids, per_day, shares, day)
            parts.append(more.filter(~pl.col("event").is_in(list(NAMED.values()))))
        yield day, pl.concat(parts).sort("ts", maintain_order=True)


def _rows(rng: Generator, ids: pl.Series, rows: int, shares: np.ndarray, day: datetime) -> pl.DataFrame:
    users = _users(rng, len(ids), rows)
    kinds = rng.choice(len(EVENTS), rows, p=shares)
    names = pl.Series(EVENTS).gather(kinds)
    seconds = rng.integers(0, 86_400_000_000, rows)
    favourite = (users * 2_654_435_761 + rng.integers(0, FAVOURITES, rows) * 40_503) % PRODUCTS
    products = pl.Series([f"p{n:04}" for n in range(PRODUCTS)]).gather(favourite)
    shop = pl.col("event").is_in(WITH_PRODUCT)
    return (
        pl.DataFrame(
            {
                "user_id": ids.gather(users),
                "event": names,
                "ts": pl.Series(seconds + int(day.timestamp() * 1e6)).cast(pl.Datetime("us", "UTC")),
                "price": np.round(20 + (favourite % 97) * 3.7 + rng.integers(0, 500, rows) / 100, 2),
                "product_id": products,
                "category": pl.Series(CATEGORIES).gather(favourite % len(CATEGORIES)),
                "quantity": rng.integers(1, 4, rows).astype(float),
                "coupon": rng.random(rows) < 0.2,
                "source": pl.Series(SOURCES).gather(rng.integers(0, len(SOURCES), rows)),
                "seconds": np.round(rng.exponential(40.0, rows), 1),
            }
        )
        .with_columns(
            *(pl.when(shop).then(pl.col(name)) for name in ("price", "product_id", "category")),
            pl.when(pl.col("event").is_in(["add_to_cart", "purchase"])).then(pl.col("quantity")),
            pl.when(pl.col("event") == "purchase").then(pl.col("coupon")),
            pl.when(~shop).then(pl.col("source")),
            pl.when(pl.col("event") == "page_view").then(pl.col("seconds")),
        )
        .cast(SCHEMA)
    )  # type: ignore[arg-type]


def _users(rng: Generator, users: int, rows: int) -> np.ndarray:
    """Choose users by tiers; who is in the first tier is spread over the ids."""
    tier = rng.choice(len(TIERS), rows, p=[share for _, share in TIERS])
    chosen = np.empty(rows, dtype=np.int64)
    first = 0
    for number, (part, _) in enumerate(TIERS):
        size = max(round(part * users), 1)
        here = tier == number
        chosen[here] = first + rng.integers(0, size, int(here.sum()))
        first = min(first + size, users - 1)
    return (chosen * 7_919 + 13) % users


if __name__ == "__main__":
    main()
