"""Conditions over users as SQL."""

from typing import assert_never

from workbench.segments import birthdays
from workbench.segments.model import Trait
from workbench.segments.sql import compare
from workbench.segments.sql.query import EVERYONE
from workbench.segments.sql.writer import Writer
from workbench.segments.traits import EARTH_RADIUS, Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.store import salted
from workbench.store.engine import quote


def trait(writer: Writer, condition: Trait, depth: int) -> str:
    """Append the step of a condition over users and return its name."""
    match condition:
        case UserProperty():
            name = condition.predicate.property
            return writer.condition(condition, _user(writer, condition), depth, slug=f"user_{name}")
        case Age():
            return writer.condition(condition, _age(writer, condition), depth)
        case Near():
            return writer.condition(condition, _near(writer, condition), depth)
        case Bucket():
            return writer.condition(condition, _bucket(writer, condition), depth)
        case Device():
            return writer.condition(condition, _device(writer, condition), depth)
        case InList():
            return writer.condition(condition, _list(writer, condition), depth, slug=f"list_{condition.list}")
        case InSegment():
            raise AssertionError("the compiler follows segments")
        case _:
            assert_never(condition)


def _user(writer: Writer, condition: UserProperty) -> str:
    item, known = condition.predicate, writer.scope.catalogue.attributes
    fits = compare.predicate(writer, item, known, writer.name("user"))
    source = (
        "profiles JOIN users USING (user_code)" if known[item.property].column == "user_id" else "profiles"
    )
    return f"  SELECT user_code FROM {source}\n  WHERE {fits}"


def _age(writer: Writer, condition: Age) -> str:
    prefix, today = writer.name("age"), writer.today
    born = quote(writer.scope.catalogue.attributes["birth_date"].column)
    year, day = (
        writer.bind(f"{prefix}_year", today.year),
        writer.bind(f"{prefix}_day", birthdays.reached(today)),
    )
    age = f"{year} - year({born}) - CASE WHEN {compare.day_of_year(born)} > {day} THEN 1 ELSE 0 END"
    fits = compare.compare(writer, f"({age})", condition.operator, condition.values, f"{prefix}_v")
    return f"  SELECT user_code FROM profiles\n  WHERE {born} <= {writer.bind(f'{prefix}_today', today)} AND {fits}"


def _near(writer: Writer, condition: Near) -> str:
    prefix, known = writer.name("near"), writer.scope.catalogue.attributes
    latitude, longitude = quote(known["latitude"].column), quote(known["longitude"].column)
    north = writer.bind(f"{prefix}_latitude", condition.latitude)
    east = writer.bind(f"{prefix}_longitude", condition.longitude)
    metres = writer.bind(f"{prefix}_metres", condition.metres)
    chord = (
        f"pow(sin(radians({latitude} - {north}) / 2), 2) + cos(radians({north})) * cos(radians({latitude})) "
        f"* pow(sin(radians({longitude} - {east}) / 2), 2)"
    )
    return (
        f"  SELECT user_code FROM profiles\n  WHERE {latitude} BETWEEN -90 AND 90 AND {longitude} BETWEEN -180 AND 180\n"
        f"    AND round({2 * EARTH_RADIUS} * asin(sqrt(least(1, {chord}))), 3) <= {metres}"
    )


def _bucket(writer: Writer, condition: Bucket) -> str:
    prefix = writer.name("bucket")
    salt = writer.bind(f"{prefix}_salt", salted.bucket_salt(writer.scope.salt))
    key = f"left(md5({salt} || ':' || user_id), {salted.DIGITS})"
    fits = [f"{key} >= {writer.bind(f'{prefix}_from', salted.bucket_start(condition.first))}"]
    if condition.last < salted.BUCKETS - 1:
        fits.append(f"{key} < {writer.bind(f'{prefix}_to', salted.bucket_start(condition.last + 1))}")
    return f"  SELECT user_code FROM {EVERYONE} JOIN users USING (user_code)\n  WHERE {' AND '.join(fits)}"


def _device(writer: Writer, condition: Device) -> str:
    source, prefix = writer.devices(), writer.name("device")
    known = writer.scope.catalogue.devices
    fits = [
        compare.predicate(writer, item, known, f"{prefix}_f{number}")
        for number, item in enumerate(condition.where, 1)
    ]
    return f"  SELECT DISTINCT user_code FROM {source}\n  WHERE " + "\n    AND ".join(fits)


def _list(writer: Writer, condition: InList) -> str:
    prefix = writer.name("list")
    version = writer.scope.list_version(condition.list, condition.version, writer.as_of)
    return (
        f"  SELECT user_code FROM lists\n  WHERE list = {writer.bind(f'{prefix}_list', condition.list)} "
        f"AND version = {writer.bind(f'{prefix}_version', version)}"
    )
