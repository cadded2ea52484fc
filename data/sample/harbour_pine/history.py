"""Join visits and baskets into the events of one block of people."""

import numpy as np
import polars as pl
from numpy.random import Generator

from . import baskets
from .draw import named, odds
from .rhythm import DAY, END, MILLISECOND, SECOND
from .shop import EVENT, RELEASES, product_categories, product_ids, release_at
from .visits import entrances, pages, product_views, searches, visits

MEAN_GAP = 45 * SECOND
UNINSTALL_SHARE = 0.3
ORDERS_PER_BLOCK = 500_000
EVENT_COLUMNS = (
    "user_id", "event", "ts", "event_id", "product_id", "category", "price", "quantity",
    "order_id", "query", "screen", "utm_source", "coupon", "app_version", "gift",
)  # fmt: skip


def history(people: pl.DataFrame, prices: np.ndarray, block: int, rng: Generator) -> pl.DataFrame:
    """Return the events of one block, oldest first, compact.

    Compact has `user` (row of `people`), `ts` (us) and `product` (position).
    """
    came = visits(people, rng)
    acts = pl.concat(
        [*_acts(came, people, prices, block, rng), _uninstalls(came, people, rng)],
        how="diagonal",
    )
    timed = _timed(acts, came, rng).filter(pl.col("ts") < END)
    return _versioned(timed, people).sort("ts", "user", maintain_order=True)


def _acts(
    came: pl.DataFrame,
    people: pl.DataFrame,
    prices: np.ndarray,
    block: int,
    rng: Generator,
) -> tuple[pl.DataFrame, ...]:
    viewed = product_views(came, people, prices, rng)
    carted = baskets.carts(viewed, rng)
    ordered = baskets.orders(carted, people["buys"].gather(came["user"]), block * ORDERS_PER_BLOCK + 1, rng)
    return (
        entrances(came),
        pages(came, rng),
        searches(came, rng),
        viewed,
        baskets.wishes(viewed, rng),
        carted.drop("kept"),
        baskets.removals(carted).drop("kept"),
        baskets.redemptions(ordered),
        ordered,
        baskets.reviews(ordered, rng),
        baskets.complaints(ordered, rng),
    )


def _uninstalls(came: pl.DataFrame, people: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return App Uninstalled for a share of the app users who stopped coming."""
    gone = (people["left"] < 1) & (people["platform"] != "web")
    gone &= odds(rng, len(people), UNINSTALL_SHARE)
    last = came.with_row_index("visit").filter(pl.col("start") == pl.col("start").max().over("user"))
    last = last.filter(gone.gather(last["user"]))
    wait = pl.Series(rng.integers(DAY, 5 * DAY, len(last)))
    return last.select("visit", event=pl.lit("App Uninstalled", EVENT), rank=pl.lit(6.0), delay=wait)


def _timed(acts: pl.DataFrame, came: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Place each act seconds after the one before it in the visit, plus its delay."""
    acts = acts.sort("visit", "rank", maintain_order=True)
    visit = acts["visit"].to_numpy()
    passed = np.cumsum(SECOND + rng.exponential(MEAN_GAP, len(acts)).astype(np.int64))
    first = np.searchsorted(visit, visit)
    moment = came["start"].to_numpy()[visit] + passed - passed[first]
    ts = moment + acts["delay"].fill_null(0).to_numpy()
    return acts.with_columns(
        ts=pl.Series(ts // MILLISECOND * MILLISECOND),
        user=came["user"].gather(visit),
        app=came["app"].gather(visit),
    ).drop("visit", "rank", "delay")


def _versioned(timed: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    lag = people["update_lag"].to_numpy()[timed["user"].to_numpy()]
    version = named(tuple(RELEASES), release_at(timed["ts"].to_numpy(), lag))
    return timed.with_columns(app_version=pl.when("app").then(version)).drop("app")


def readable(events: pl.DataFrame, user_ids: pl.Series, first_number: int) -> pl.DataFrame:
    """Return compact events with EVENT_COLUMNS; event ids count from `first_number`."""
    number = pl.int_range(first_number, first_number + len(events), eager=True)
    return events.with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        user_id=user_ids.gather(events["user"]),
        event_id=pl.format("e{}", number.cast(pl.String).str.zfill(8)),
        product_id=product_ids().gather(events["product"]),
        category=product_categories().gather(events["product"]),
    ).select(EVENT_COLUMNS)
