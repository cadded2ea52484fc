"""What people hold: no device, or up to three."""

import numpy as np
import polars as pl
from numpy.random import Generator

from .draw import named, odds, one_of
from .rhythm import DAY, START
from .shop import RELEASES, release_at

OTHER_PLATFORMS = ("iOS", "Android", "web")
DESKTOPS = ("Windows", "macOS", "Linux")
BROWSERS = ("Chrome", "Safari", "Firefox", "Edge")
OS_VERSIONS = {
    "iOS": ("16.7", "17.6", "18.5", "18.10"),
    "Android": ("12", "13", "14", "15"),
    "Windows": ("10", "11"),
    "macOS": ("14.7", "15.5"),
    "Linux": ("6.8",),
}
TOKEN_SHARE = 0.9
UNKNOWN_SHARE = 0.25
DEVICE_COLUMNS = (
    "user_id", "device_id", "platform", "os", "os_version", "browser", "app_version",
    "push_token", "last_seen",
)  # fmt: skip


def devices(people: pl.DataFrame, last_events: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Return the devices of everyone with a profile.

    Args:
        people: the people of the block.
        last_events: `user` (row of `people`) and `ts` (us) of the last event.
        rng: the source of chance.

    Returns:
        The columns DEVICE_COLUMNS. The first device is the one in use, last seen at the
        last event.

    """
    owners = people.join(last_events, on="user", how="left")
    owners = owners.sort("user").filter("has_profile")
    held = owners[np.repeat(np.arange(len(owners)), _counts(owners, rng))]
    held = held.with_columns(first=pl.int_range(pl.len()).over("user") == 0)
    held = _platforms(held, rng)
    held = _last_seen(held, rng)
    held = _app(held, rng)
    return _system(held, rng).with_columns(device_id=_uuids(len(held), rng)).select(DEVICE_COLUMNS)


def _counts(owners: pl.DataFrame, rng: Generator) -> np.ndarray:
    """Return devices per person; only those without an app can have none."""
    counts = rng.choice([1, 2, 3], len(owners), p=[0.68, 0.24, 0.08])
    unknown = (owners["platform"] == "web") & odds(rng, len(owners), UNKNOWN_SHARE)
    return np.where(unknown.to_numpy(), 0, counts)


def _platforms(held: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    other = one_of(rng, OTHER_PLATFORMS, len(held), (3, 3, 4))
    return held.with_columns(platform=pl.when("first").then("platform").otherwise(other))


def _last_seen(held: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    signed_up = pl.col("signed_up_at").dt.timestamp("us")
    latest = pl.coalesce("ts", signed_up)
    back = pl.Series((rng.exponential(40, len(held)) * DAY).astype(np.int64))
    earlier = pl.max_horizontal(latest - back, signed_up)
    seen = pl.when("first").then(latest).otherwise(earlier)
    return held.with_columns(last_seen=seen.cast(pl.Datetime("us", "UTC")).dt.truncate("1s"))


def _app(held: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    """Add app_version and push_token, both only where the app is."""
    seen = held["last_seen"].dt.timestamp("us").to_numpy()
    version = named(
        tuple(RELEASES),
        release_at(np.maximum(seen, START), held["update_lag"].to_numpy()),
    )
    token = pl.Series([rng.bytes(32).hex() for _ in range(len(held))])
    app = pl.col("platform") != "web"
    allowed = app & pl.col("push_opt_in") & odds(rng, len(held), TOKEN_SHARE)
    return held.with_columns(app_version=pl.when(app).then(version), push_token=pl.when(allowed).then(token))


def _system(held: pl.DataFrame, rng: Generator) -> pl.DataFrame:
    desktop = one_of(rng, DESKTOPS, len(held), (6, 3, 1)).cast(pl.String)
    browser = one_of(rng, BROWSERS, len(held), (55, 22, 13, 10))
    web = pl.col("platform") == "web"
    system = pl.when(web).then(desktop).otherwise(pl.col("platform").cast(pl.String))
    held = held.with_columns(os=system, browser=pl.when(web).then(browser))
    draw = rng.random(len(held))
    versions = [
        OS_VERSIONS[name][int(share * len(OS_VERSIONS[name]))]
        for name, share in zip(held["os"], draw, strict=True)
    ]
    return held.with_columns(os_version=pl.Series(versions))


def _uuids(size: int, rng: Generator) -> pl.Series:
    """Return random UUIDs (version 4) as text."""
    texts = [rng.bytes(16).hex() for _ in range(size)]
    return pl.Series([f"{t[:8]}-{t[8:12]}-4{t[13:16]}-a{t[17:20]}-{t[20:]}" for t in texts])
