"""When each person comes, and what they look at.

Every frame of acts has `visit` (row of the visits frame), `rank` (order inside the
visit) and `event`.
"""

import numpy as np
import polars as pl
from numpy.random import Generator

from .draw import odds, one_of
from .rhythm import SALE_PRICE, in_sale, instants
from .shop import (
    CATEGORIES,
    EVENT,
    PER_CATEGORY,
    QUERIES,
    SCREENS,
    SOURCE_WEIGHTS,
    SOURCES,
)

FAVOURITE_SHARE = 0.5
APP_SHARE = 0.85


def visits(people: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return one row a visit: user (row of `people`), start (us), app, source."""
    span = (people["left"] - people["joined"]).to_numpy()
    active = people["active"].to_numpy()
    drawn = rng.poisson(people["expected_visits"].to_numpy() * span)
    counts = np.where(active, np.maximum(drawn, 1), 0)
    user = np.repeat(np.arange(len(people), dtype=np.uint32), counts)
    share = people["joined"].to_numpy()[user] + span[user] * rng.random(len(user))
    app = odds(rng, len(user), APP_SHARE) & (people["platform"].gather(user) != "web")
    return pl.DataFrame(
        {
            "user": user,
            "start": instants(share, people["timezone"].gather(user)),
            "app": app,
            "source": _sources(people[user], app, rng),
        }
    )


def _sources(visitors: pl.DataFrame, app: pl.Series, rng: Generator) -> pl.Series:
    source = one_of(rng, SOURCES, len(app), SOURCE_WEIGHTS).alias("source")
    no_email = (source == "email") & ~visitors["email_opt_in"]
    no_push = (source == "push") & ~(visitors["push_opt_in"] & app)
    allowed = ~(no_email | no_push).fill_null(False)
    return pl.select(pl.when(allowed).then(source)).to_series()


def entrances(visits: pl.DataFrame) -> pl.DataFrame:
    """Return the message that brought each visit, if one did, and its first page."""
    acts = visits.with_row_index("visit").select(
        "visit", "app", utm_source="source", screen=pl.lit("home", pl.Enum(SCREENS))
    )
    first = pl.when("app").then(pl.lit("App Launched")).otherwise(pl.lit("Page Viewed"))
    opened = acts.with_columns(event=first.cast(EVENT), rank=-1.0)
    messages = {"email": "Email Clicked", "push": "Push Opened"}
    message = pl.col("utm_source").cast(pl.String).replace_strict(messages, default=None)
    clicked = acts.drop("screen").with_columns(event=message.cast(EVENT), rank=-2.0)
    clicked = clicked.filter(pl.col("event").is_not_null())
    return pl.concat([clicked, opened], how="diagonal").drop("app")


def pages(visits: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return further pages and screens of each visit: screen."""
    acts = _acts("Page Viewed", rng.poisson(0.65, len(visits)), rng)
    return acts.with_columns(screen=one_of(rng, SCREENS, len(acts), range(len(SCREENS), 0, -1)))


def searches(visits: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return the searches of each visit: query."""
    acts = _acts("Search", rng.poisson(0.3, len(visits)), rng)
    return acts.with_columns(
        query=one_of(rng, QUERIES, len(acts), [1 / rank for rank in range(1, len(QUERIES) + 1)])
    )


def product_views(
    visits: pl.DataFrame, people: pl.DataFrame, prices: np.ndarray, rng: Generator
) -> pl.DataFrame:
    """Return the products seen: product (position in `prices`), price (on that day)."""
    acts = _acts("Product Viewed", rng.poisson(2.0, len(visits)), rng)
    visit = acts["visit"].to_numpy()
    favourite = people["favourite"].to_numpy()[visits["user"].to_numpy()[visit]]
    other = rng.integers(0, len(CATEGORIES), len(acts))
    category = np.where(rng.random(len(acts)) < FAVOURITE_SHARE, favourite, other)
    popular = (PER_CATEGORY * rng.random(len(acts)) ** 2).astype(np.int64)
    product = category * PER_CATEGORY + popular
    reduced = in_sale(visits["start"].to_numpy()[visit])
    price = np.round(prices[product] * np.where(reduced, SALE_PRICE, 1.0), 2)
    return acts.with_columns(product=pl.Series(product, dtype=pl.Int16), price=pl.Series(price))


def _acts(event: str, counts: np.ndarray, rng: Generator) -> pl.DataFrame:
    visit = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    rank = pl.Series(rng.random(len(visit)))
    return pl.DataFrame({"visit": visit, "rank": rank}).with_columns(event=pl.lit(event, EVENT))
