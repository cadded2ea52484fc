"""What a tree reads, as it was known at the instant of the question."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import polars as pl

from workbench.segments.scope import ZONES, Scope
from workbench.store.frames import INSTANT, Frames


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The lake's frames at one instant."""

    as_of: datetime
    scope: Scope
    frames: Frames

    @property
    def today(self) -> date:
        """The account's date of the question."""
        return self.scope.today(self.as_of)

    @property
    def now(self) -> pl.Expr:
        """The instant of the question."""
        return instant(self.as_of)

    @cached_property
    def events(self) -> pl.LazyFrame:
        """The events that had happened and were received."""
        received = pl.coalesce("received_at", "ts")
        return self.frames.events.filter(pl.col("ts") <= self.now, received <= self.now)

    @cached_property
    def profiles(self) -> pl.LazyFrame:
        """One row a user, with ``user_id``."""
        newest = _newest(self.frames.profiles, ["user_code"], self.now)
        return newest.join(self.frames.users, on="user_code")

    @cached_property
    def devices(self) -> pl.LazyFrame:
        """One row a user and device."""
        return _newest(self.frames.devices, ["user_code", "device_id"], self.now)

    @property
    def everyone(self) -> pl.LazyFrame:
        """The codes of the users with a profile."""
        return self.profiles.select("user_code")

    @cached_property
    def user_zones(self) -> pl.LazyFrame:
        """``user_code, zone``: the time zone of each user; an unknown one is the account's."""
        column = pl.col(self.scope.catalogue.attributes["timezone"].column)
        known = pl.when(column.is_in(list(ZONES))).then(column).otherwise(pl.lit(self.scope.zone.key))
        return self.profiles.select("user_code", zone=known)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The zones that occur; Polars converts to one named zone at a time."""
        found = self.user_zones.select(pl.col("zone").unique()).collect()
        return tuple(sorted(found["zone"].to_list()))


def instant(value: datetime) -> pl.Expr:
    """Return an instant as a literal of the lake's type."""
    return pl.lit(value, dtype=INSTANT)


def one_of(column: pl.Expr, values: tuple[Any, ...]) -> pl.Expr:
    """Return whether a value is among ``values``; null where it is absent."""
    return pl.any_horizontal(column == pl.lit(value) for value in values)


def _newest(versions: pl.LazyFrame, identity: list[str], now: pl.Expr) -> pl.LazyFrame:
    moment = pl.coalesce("valid_from", "recorded_at")
    return (
        versions.filter(
            pl.coalesce("recorded_at", "valid_from", now) <= now, pl.coalesce("valid_from", now) <= now
        )
        .sort(moment, "seq", "recorded_at", nulls_last=False)
        .unique(subset=identity, keep="last", maintain_order=True)
    )
