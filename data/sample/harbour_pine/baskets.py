"""What becomes of a product seen: wished for, carted, taken out, bought, reviewed.

Frames of acts as in `visits`; `delay` (us) moves an act from its place in the visit to
a later time.
"""

import numpy as np
import polars as pl
from numpy.random import Generator

from .draw import odds, one_of
from .rhythm import DAY, HOUR, SECOND
from .shop import COUPONS, EVENT

CART_SHARE = 0.4
WISH_SHARE = 0.05
REMOVED_SHARE = 0.13
LATER_SHARE = 0.25
GIFT_SHARE = 0.08
COUPON_PRICE = 0.9
REVIEW_SHARE = 0.1
SUPPORT_SHARE = 0.04
AFTER_VIEW = 1e-6


def wishes(viewed: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return the viewed products put on a wish list."""
    wished = viewed.filter(odds(rng, len(viewed), WISH_SHARE))
    return wished.with_columns(event=pl.lit("Wishlist Added", EVENT), rank=pl.col("rank") + AFTER_VIEW)


def carts(viewed: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return the viewed products put in the cart: unit price, quantity, `kept`."""
    added = viewed.filter(odds(rng, len(viewed), CART_SHARE))
    return added.with_columns(
        event=pl.lit("Added To Cart", EVENT),
        rank=pl.col("rank") + AFTER_VIEW,
        quantity=pl.Series(rng.geometric(0.75, len(added)).clip(max=6), dtype=pl.Int32),
        kept=odds(rng, len(added), 1 - REMOVED_SHARE),
    )


def removals(carted: pl.DataFrame) -> pl.DataFrame:
    """Return the products taken out of the cart, at the end of the visit."""
    return carted.filter(~pl.col("kept")).with_columns(
        event=pl.lit("Removed From Cart", EVENT), rank=pl.col("rank") + 1
    )


def orders(carted: pl.DataFrame, buys: pl.Series, first_order: int, rng: Generator) -> pl.DataFrame:
    """Return one Charged a paid basket.

    Args:
        carted: the carts.
        buys: the probability, by visit, that its basket is paid.
        first_order: the number of the first order id.
        rng: the source of chance.

    Returns:
        product (the dearest of the basket), price (order total), quantity (sum),
        coupon, gift, order_id, delay.

    """
    basket = _baskets(carted)
    share = buys.gather(basket["visit"]).to_numpy()
    paid = basket.filter(odds(rng, len(basket), share))
    coupon = one_of(rng, (None, *COUPONS), len(paid), (20, 1, 1, 1, 1, 1))
    factor = pl.when(coupon.is_null()).then(1.0).otherwise(COUPON_PRICE)
    number = pl.int_range(first_order, first_order + len(paid), eager=True)
    hours = rng.uniform(1, 22, len(paid)) * (rng.random(len(paid)) < LATER_SHARE)
    return paid.with_columns(
        coupon=coupon,
        event=pl.lit("Charged", EVENT),
        rank=4.0,
        price=(pl.col("price") * factor).round(2),
        gift=odds(rng, len(paid), GIFT_SHARE),
        order_id=pl.format("o{}", number.cast(pl.String).str.zfill(7)),
        delay=pl.Series((hours * HOUR).astype(np.int64)),
    )


def _baskets(carted: pl.DataFrame) -> pl.DataFrame:
    """Return what each visit kept: dearest product, total price, total quantity."""
    kept = carted.filter("kept").sort("price", descending=True, maintain_order=True)
    return (
        kept.group_by("visit")
        .agg(
            pl.col("product").first(),
            (pl.col("price") * pl.col("quantity")).sum(),
            pl.col("quantity").sum(),
        )
        .sort("visit")
    )


def redemptions(ordered: pl.DataFrame) -> pl.DataFrame:
    """Return the coupons redeemed, just before their orders."""
    used = ordered.filter(pl.col("coupon").is_not_null())
    return used.select(
        "visit",
        "coupon",
        "order_id",
        "delay",
        event=pl.lit("Coupon Redeemed", EVENT),
        rank=3.0,
    )


def reviews(ordered: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return reviews, 3 to 14 days after the order."""
    return _afterwards(ordered, "Review Written", REVIEW_SHARE, (3 * DAY, 14 * DAY), rng).drop("order_id")


def complaints(ordered: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return calls to support, an hour to 5 days after the order."""
    return _afterwards(ordered, "Support Contacted", SUPPORT_SHARE, (HOUR, 5 * DAY), rng).drop("product")


def _afterwards(
    ordered: pl.DataFrame,
    event: str,
    share: float,
    wait: tuple[int, int],
    rng: Generator,
) -> pl.DataFrame:
    chosen = ordered.filter(odds(rng, len(ordered), share))
    waited = pl.Series(rng.integers(wait[0] // SECOND, wait[1] // SECOND, len(chosen))) * SECOND
    return chosen.select(
        "visit",
        "product",
        "order_id",
        delay=pl.col("delay") + waited,
        event=pl.lit(event, EVENT),
        rank=pl.lit(5.0),
    )
