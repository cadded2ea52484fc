"""Conditions over users as lazy frames of ``user_code``."""

from typing import assert_never

import polars as pl

from workbench.segments import birthdays
from workbench.segments.frames import compare
from workbench.segments.frames.reader import Reader
from workbench.segments.model import Trait
from workbench.segments.traits import EARTH_RADIUS, Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.store import salted


def trait(reader: Reader, condition: Trait) -> pl.LazyFrame:
    """Return the users whom a condition over users holds."""
    attributes = reader.scope.catalogue.attributes
    match condition:
        case UserProperty():
            fits = compare.predicate(reader, condition.predicate, attributes)
        case Age():
            fits = _age(reader, condition)
        case Near():
            fits = _near(reader, condition)
        case Bucket():
            fits = _bucket(reader, condition)
        case Device():
            return _device(reader, condition)
        case InList():
            version = reader.scope.list_version(condition.list, condition.version, reader.as_of)
            of_list = (pl.col("list") == condition.list) & (pl.col("version") == version)
            return reader.frames.lists.filter(of_list).select("user_code")
        case InSegment():
            raise AssertionError("the compiler follows segments")
        case _:
            assert_never(condition)
    return reader.profiles.filter(fits).select("user_code")


def _age(reader: Reader, condition: Age) -> pl.Expr:
    born, today = pl.col(reader.scope.catalogue.attributes["birth_date"].column), reader.today
    later = compare.day_of_year(born) > birthdays.reached(today)
    age = today.year - born.dt.year().cast(pl.Int64) - later.cast(pl.Int64)
    return (born <= pl.lit(today)) & compare.compare(age, condition.operator, condition.values)


def _near(reader: Reader, condition: Near) -> pl.Expr:
    known = reader.scope.catalogue.attributes
    latitude, longitude = pl.col(known["latitude"].column), pl.col(known["longitude"].column)
    north, east = pl.lit(condition.latitude), pl.lit(condition.longitude)
    chord = ((latitude - north).radians() / 2).sin().pow(2) + (
        north.radians().cos() * latitude.radians().cos() * ((longitude - east).radians() / 2).sin().pow(2)
    )
    metres = 2 * EARTH_RADIUS * pl.min_horizontal(pl.lit(1.0), chord).sqrt().arcsin()
    on_earth = latitude.is_between(-90, 90) & longitude.is_between(-180, 180)
    return on_earth & (metres.round(3, mode="half_away_from_zero") <= condition.metres)


def _bucket(reader: Reader, condition: Bucket) -> pl.Expr:
    salt = salted.bucket_salt(reader.scope.salt)
    hashed = pl.col("user_id").map_batches(
        lambda ids: pl.Series([salted.key(salt, user) for user in ids], dtype=pl.String),
        return_dtype=pl.String,
        is_elementwise=True,
    )
    fits = hashed >= salted.bucket_start(condition.first)
    if condition.last < salted.BUCKETS - 1:
        fits &= hashed < salted.bucket_start(condition.last + 1)
    return fits


def _device(reader: Reader, condition: Device) -> pl.LazyFrame:
    known = reader.scope.catalogue.devices
    fits = [compare.predicate(reader, item, known) for item in condition.where]
    return reader.devices.filter(*fits).select("user_code").unique()
