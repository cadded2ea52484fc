"""Spoil exact numbers of rows a block, so that cleaning is checked by counting."""

from datetime import date

import numpy as np
import polars as pl
from numpy.random import Generator

from .rhythm import END, MILLISECOND, START
from .shop import EVENT, SCREENS

PHONED_CORNERS = {"email is the text nan": 10, "email is the text null": 10}
CORNERS = {
    **PHONED_CORNERS,
    "email with blanks around it": 10,
    "duplicate email, same case": 80,
    "duplicate email, other case": 40,
    "no email and no phone": 150,
    "first_name missing": 900,
    "first_name with an emoji": 12,
    "first_name with combining marks": 12,
    "first_name right to left": 12,
    "first_name with quotes": 12,
    "first_name with a line break": 3,
    "home missing": 300,
    "timezone unknown": 25,
    "timezone missing": 200,
    "note of 5000 characters": 5,
    "born on 29 February": 40,
}
ACUTE, CEDILLA = chr(0x301), chr(0x327)
SHIRA = "".join(map(chr, (0x5E9, 0x5D9, 0x5E8, 0x5D4)))
SALMA = "".join(map(chr, (0x633, 0x644, 0x645, 0x649)))
FIXED_VALUES: dict[str, tuple[str, tuple[str | date | None, ...]]] = {
    "email is the text nan": ("email", ("nan",)),
    "email is the text null": ("email", ("null",)),
    "first_name missing": ("first_name", (None,)),
    "first_name with an emoji": ("first_name", ("Sky 🌲", "⛵ Finn", "Ana 👩‍🌾")),
    "first_name with combining marks": (
        "first_name",
        (f"Rene{ACUTE}e", f"Franc{CEDILLA}oise"),
    ),
    "first_name right to left": ("first_name", (SHIRA, SALMA)),
    "first_name with quotes": ("first_name", ('Max "Mac"', "D'Arcy")),
    "first_name with a line break": ("first_name", ("Mary\nAnn",)),
    "timezone unknown": ("timezone", ("Mars/Olympus",)),
    "timezone missing": ("timezone", (None,)),
    "note of 5000 characters": (
        "note",
        ("Asked for a quiet delivery. ".ljust(5_000, "~"),),
    ),
    "born on 29 February": (
        "birth_date",
        tuple(date(year, 2, 29) for year in (1968, 1980, 1992, 2000)),
    ),
}
HOME = ("country", "region", "city", "latitude", "longitude")
EQUAL_EVENTS = 250
DST_WITNESSES = 20
DST_GAPS = {
    "America/New_York": "2026-03-08T07:00:00",
    "Europe/Berlin": "2026-03-29T01:00:00",
}


def dirty_profiles(people: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return the people with every corner of CORNERS, each on profiles of its own."""
    rows = _rows(people, rng)
    spoilt = _emails(people, rows)
    for corner, (column, values) in FIXED_VALUES.items():
        spoilt = _put(spoilt, column, rows[corner], *values)
    for column in HOME:
        spoilt = _put(spoilt, column, rows["home missing"], None)
    for column in ("email", "phone"):
        spoilt = _put(spoilt, column, rows["no email and no phone"], None)
    return spoilt


def dirty_events(events: pl.DataFrame, people: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return the events with equal rows, both sides of clock changes, one at END."""
    equal = events[np.sort(rng.choice(len(events), EQUAL_EVENTS, replace=False))]
    witnesses = [_witnesses(people, zone, gap) for zone, gap in DST_GAPS.items()]
    last = _page(people.filter("active", "has_profile")["user"].head(1), END)
    together = pl.concat([events, equal, *witnesses, last], how="diagonal")
    return together.sort("ts", "user", maintain_order=True)


def _rows(people: pl.DataFrame, rng: Generator) -> dict[str, np.ndarray]:
    """Return the rows of each corner: all with an e-mail, PHONED_CORNERS with a phone.

    Whoever has "nan" for an e-mail so keeps an identity; no corner hides in another.
    """
    shuffled = _with_email(people[rng.permutation(len(people))])
    has_phone = pl.col("phone").is_not_null()
    phoned = shuffled.filter(has_phone).head(sum(PHONED_CORNERS.values()))["user"]
    others = shuffled.filter(~pl.col("user").is_in(phoned.implode()))["user"]
    ends = np.cumsum(list(CORNERS.values()))
    chosen = pl.concat([phoned, others]).head(int(ends[-1])).to_numpy()
    return dict(zip(CORNERS, np.split(chosen, ends[:-1]), strict=True))


def _with_email(people: pl.DataFrame) -> pl.DataFrame:
    return people.filter("has_profile", pl.col("email").is_not_null())


def _emails(people: pl.DataFrame, rows: dict[str, np.ndarray]) -> pl.DataFrame:
    """Put blanks around e-mails, and repeat those of people whom no corner touches."""
    blank = rows["email with blanks around it"]
    same, other = (
        rows["duplicate email, same case"],
        rows["duplicate email, other case"],
    )
    touched = pl.Series(np.concatenate(list(rows.values())))
    free = _with_email(people).filter(~pl.col("user").is_in(touched.implode()))["email"]
    loud = free.slice(len(same), len(other)).str.to_uppercase()
    spoilt = _put(people, "email", same, *free.head(len(same)))
    spoilt = _put(spoilt, "email", other, *loud)
    padded = [f" {email}  " for email in people["email"].gather(blank)]
    return _put(spoilt, "email", blank, *padded)


def _put(people: pl.DataFrame, column: str, rows: np.ndarray, *values: str | date | None) -> pl.DataFrame:
    """Write the values, in turn, into a column at the rows."""
    turns = [values[turn % len(values)] for turn in range(len(rows))]
    column_type = people.schema[column]
    spoilt = people[column].scatter(rows.tolist(), pl.Series(turns, dtype=column_type))
    return people.with_columns(spoilt)


def _witnesses(people: pl.DataFrame, zone: str, gap: str) -> pl.DataFrame:
    """Return pages seen a millisecond before a zone's clock jumps, and as it jumps."""
    jump = int(np.datetime64(gap, "us").astype(np.int64))
    member = pl.col("signed_up_at").dt.timestamp("us") < START
    there = people.filter("active", "has_profile", member, pl.col("timezone") == zone)
    users = there["user"].head(DST_WITNESSES)
    return pl.concat([_page(users, jump - MILLISECOND), _page(users, jump)])


def _page(users: pl.Series, moment: int) -> pl.DataFrame:
    return pl.DataFrame({"user": users}).with_columns(
        ts=pl.lit(moment, pl.Int64),
        event=pl.lit("Page Viewed", EVENT),
        screen=pl.lit("home", pl.Enum(SCREENS)),
    )
