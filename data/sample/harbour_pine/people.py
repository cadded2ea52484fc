"""Who the people are: one row a person, profile columns and habits."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.random import Generator

from .draw import named, odds, one_of
from .places import cities
from .rhythm import DAY, START, instants
from .shop import CATEGORIES

ACTIVE = 20_000
SILENT = 500
GHOSTS = 40
PEOPLE = ACTIVE + SILENT
PHONES = 7_400
PHONE_ONLY = 600

FIRST_NAMES = (
    "Alex", "Ari", "Ash", "Bo", "Cam", "Charlie", "Chris", "Dana", "Devon", "Drew",
    "Eden", "Elliot", "Emery", "Fin", "Frankie", "Gabriel", "Gray", "Harley", "Hayden",
    "Indigo", "Jamie", "Jess", "Jordan", "Jules", "Kai", "Kim", "Lane", "Lee", "Logan",
    "Lou", "Marlow", "Max", "Mika", "Morgan", "Nico", "Noa", "Oakley", "Parker", "Pat",
    "Quinn", "Ray", "Reese", "Remy", "Riley", "River", "Robin", "Rowan", "Sam", "Sasha",
    "Shay", "Sky", "Taylor", "Toni", "Val", "Yuki",
)  # fmt: skip
DOMAINS = ("example.com", "example.org", "example.net")
TAGS = (
    None,
    "vip",
    "newsletter",
    "gardener",
    "sailor",
    "trade",
    "vip|sailor",
    "gardener|newsletter",
    "trade|vip|gift",
)
VISITS_BY_TIER = np.array([9.5, 14.5, 22.0, 75.0])
TIER_SHARES = [0.54, 0.34, 0.11, 0.01]
PROFILE_COLUMNS = (
    "user_id", "email", "phone", "first_name", "timezone", "country", "region", "city",
    "latitude", "longitude", "birth_date", "gender", "plan", "loyalty_points", "tags",
    "email_opt_in", "push_opt_in", "unsubscribed", "signed_up_at", "note",
)  # fmt: skip


def people(block: int, rng: Generator) -> pl.DataFrame:
    """Return one block: profile columns, `has_profile`, `active`, and the habits."""
    frame = pl.DataFrame({"user_id": [f"{block * PEOPLE + row + 1:07d}" for row in range(PEOPLE)]})
    frame = _roles(frame, rng)
    frame = frame.hstack(_homes(rng))
    frame = frame.hstack(_traits(rng))
    frame = _identities(frame, block, rng)
    return _habits(frame, rng)


def _roles(frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    order = pl.Series(rng.permutation(PEOPLE))
    return frame.with_columns(active=order >= SILENT, has_profile=order < PEOPLE - GHOSTS)


def _homes(rng: Generator) -> pl.DataFrame:
    places = cities()
    homes = places.drop("share")[rng.choice(len(places), PEOPLE, p=places["share"].to_numpy())]
    return homes.with_columns(
        (pl.col(axis) + pl.Series(rng.normal(0, 0.05, PEOPLE))).round(4) for axis in ("latitude", "longitude")
    )


def _traits(rng: Generator) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "first_name": one_of(rng, FIRST_NAMES, PEOPLE).cast(pl.String),
            "birth_date": _birth_dates(rng),
            "gender": one_of(rng, ("female", "male", "other", None), PEOPLE, (46, 44, 4, 6)),
            "plan": one_of(rng, ("free", "pro", "enterprise"), PEOPLE, (82, 15, 3)),
            "loyalty_points": rng.lognormal(5, 1.2, PEOPLE).astype(np.int64),
            "tags": one_of(rng, TAGS, PEOPLE, (70, 4, 10, 6, 4, 3, 1, 1, 1)),
            "email_opt_in": odds(rng, PEOPLE, 0.8),
            "push_opt_in": odds(rng, PEOPLE, 0.8),
            "unsubscribed": odds(rng, PEOPLE, 0.06),
            "note": pl.Series([None] * PEOPLE, dtype=pl.String),
        }
    )


def _birth_dates(rng: Generator) -> pl.Series:
    days = np.clip(rng.normal(41, 13, PEOPLE), 18, 90) * 365.25
    births = pl.Series([date(2026, 6, 30) - timedelta(days=int(day)) for day in days])
    leap_day = (births.dt.month() == 2) & (births.dt.day() == 29)
    return births - pl.Series(leap_day.cast(pl.Int64) * DAY).cast(pl.Duration("us"))


def _identities(frame: pl.DataFrame, block: int, rng: Generator) -> pl.DataFrame:
    """Give all but PHONE_ONLY people an e-mail, and PHONES people a phone."""
    order = pl.Series(rng.permutation(PEOPLE))
    number = order + block * PHONES
    area = 200 + number // 100 % 800
    phone = pl.format("+1{}55501{}", area, (number % 100).cast(pl.String).str.zfill(2))
    name = pl.col("first_name").str.to_lowercase()
    domain = one_of(rng, DOMAINS, PEOPLE, (6, 2, 2)).cast(pl.String)
    email = pl.format("{}.{}@{}", name, "user_id", domain)
    return frame.with_columns(
        phone=pl.when(order < PHONES).then(phone),
        email=pl.when(order >= PHONE_ONLY).then(email),
    )


def _habits(frame: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Add how people behave.

    `joined` and `left` (shares of the zone's clock between which they come),
    `signed_up_at`, `expected_visits`, `favourite` (position of a category), `buys`
    (probability that a basket is paid), `platform` (of the first device), `update_lag`
    (us from an app release to its use).
    """
    late = rng.random(PEOPLE) < 0.35
    joined = np.where(late, rng.random(PEOPLE) * 0.99, 0.0)
    stay = np.where(rng.random(PEOPLE) < 0.15, rng.random(PEOPLE), 1.0)
    before = START - DAY - (rng.exponential(400, PEOPLE) * DAY).astype(np.int64)
    signed_up = np.where(late, instants(joined, frame["timezone"]), before)
    tiers = rng.choice(len(TIER_SHARES), PEOPLE, p=TIER_SHARES)
    return frame.with_columns(
        joined=pl.Series(joined),
        left=pl.Series(joined + (1 - joined) * stay),
        signed_up_at=pl.Series(signed_up).cast(pl.Datetime("us", "UTC")).dt.truncate("1s"),
        expected_visits=pl.Series(VISITS_BY_TIER[tiers] * rng.uniform(0.5, 1.5, PEOPLE)),
        favourite=pl.Series(rng.integers(0, len(CATEGORIES), PEOPLE)),
        buys=pl.Series(rng.beta(2.0, 3.3, PEOPLE)),
        platform=named(("iOS", "Android", "web"), rng.choice(3, PEOPLE, p=[0.38, 0.30, 0.32])),
        update_lag=pl.Series((rng.exponential(9, PEOPLE) * DAY).astype(np.int64)),
    )
