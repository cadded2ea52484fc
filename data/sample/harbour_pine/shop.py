"""What the shop sells, shows and calls things."""

import numpy as np
import polars as pl
from numpy.random import PCG64, Generator, SeedSequence

EVENT = pl.Enum(
    [
        "Page Viewed",
        "Product Viewed",
        "App Launched",
        "Search",
        "Added To Cart",
        "Email Clicked",
        "Push Opened",
        "Charged",
        "Wishlist Added",
        "Removed From Cart",
        "Coupon Redeemed",
        "Review Written",
        "Support Contacted",
        "App Uninstalled",
    ]
)
PRICE_RANGES = {
    "furniture": (80, 900),
    "lighting": (25, 240),
    "kitchen": (12, 240),
    "textiles": (20, 180),
    "garden": (15, 260),
    "camping": (20, 450),
    "sailing": (25, 420),
    "decor": (9, 160),
}
CATEGORIES = tuple(PRICE_RANGES)
PER_CATEGORY = 30
SCREENS = (
    "home",
    "category",
    "product",
    "cart",
    "account",
    "stores",
    "journal",
    "delivery",
    "returns",
)
QUERIES = (
    "lantern", "oak table", "wool blanket", "tent", "picnic basket", "rope",
    "deck chair", "enamel mug", "rain jacket", "planter", "hammock", "storm lamp",
    "gift card", "café chair", "50% off", "linen, white", "kids' tent", "dry bag",
)  # fmt: skip
SOURCES = (None, "email", "push", "google", "instagram", "pinterest", "newsletter")
SOURCE_WEIGHTS = (52, 13, 8, 15, 6, 4, 2)
COUPONS = ("WELCOME10", "PINE10", "HARBOUR10", "SPRING10", "FRIENDS10")
RELEASES = {
    "2.8.0": "2025-11-03",
    "2.9.0": "2026-01-12",
    "2.9.3": "2026-02-23",
    "2.10.0": "2026-04-07",
    "2.11.0": "2026-06-02",
}


def prices(seed: int) -> np.ndarray:
    """Return the list price of every product, the same for every block of people."""
    rng = Generator(PCG64(SeedSequence([seed, 2**31])))
    low, high = np.array(list(PRICE_RANGES.values()), dtype=float).T
    position = rng.random((PER_CATEGORY, len(low)))
    whole = np.floor(low * (high / low) ** position).T.ravel()
    return np.asarray(np.round(whole + rng.choice([0.0, 0.5, 0.9, 0.95, 0.99], len(whole)), 2))


def product_ids() -> pl.Series:
    """Return the product ids in product order, such as "HP-LIG-007"."""
    names = [
        f"HP-{category[:3].upper()}-{number:03d}"
        for category in CATEGORIES
        for number in range(1, PER_CATEGORY + 1)
    ]
    return pl.Series(names)


def product_categories() -> pl.Series:
    """Return the category of each product, in product order."""
    return pl.Series(np.repeat(CATEGORIES, PER_CATEGORY).tolist())


def release_at(instants: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Return the position of the release in use at each instant, `lag` late (us)."""
    dates = np.array(list(RELEASES.values()), dtype="datetime64[us]").astype(np.int64)
    released = np.searchsorted(dates, instants - lag, side="right")
    return np.asarray(np.maximum(released - 1, 0))
