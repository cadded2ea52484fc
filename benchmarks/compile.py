"""Time to check and compile a tree of 50 conditions of every kind, against the catalogue of the sample's shape.

python benchmarks/compile.py
"""

import statistics
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from workbench.segments.build import age, all_of, any_of, bucket, device, did, near, prop, same, user
from workbench.segments.check import check
from workbench.segments.codec import from_json, to_json
from workbench.segments.python import to_python
from workbench.segments.resolve import Fixed
from workbench.segments.scope import Scope
from workbench.segments.sentence import sentence
from workbench.segments.sql import compile_sql
from workbench.store.catalogue import Catalogue, EventType, Property

AT = datetime(2026, 7, 1, tzinfo=UTC)
EVENTS = {
    f"Event {n}": EventType(name=f"Event {n}", rows=1, properties=frozenset({"price", "sku"}))
    for n in range(50)
}
CATALOGUE = Catalogue(
    version=1,
    events=EVENTS,
    properties={
        "price": Property(name="price", type="number", column="p_price"),
        "sku": Property(name="sku", type="text", column="p_sku"),
    },
    attributes={
        name: Property(name=name, type=kind, column=f"p_{name}")  # type: ignore[arg-type]
        for name, kind in {
            "country": "text", "timezone": "text", "birth_date": "date", "latitude": "number", "longitude": "number",
        }.items()
    },
    devices={"app_version": Property(name="app_version", type="version", column="p_app_version")},
)  # fmt: skip


def tree() -> object:
    """Fifty conditions: five times ten kinds, in groups."""
    groups = []
    for n in range(5):
        a, b = did(f"Event {n}"), did(f"Event {n + 10}")
        groups.append(
            any_of(
                a.where(prop("price") > n).at_least(3).in_last(days=30), ~b.in_last(days=7),
                (a.sum("price") > 500), a.first_time().in_last(days=30), a.predominantly("sku", "x"),
                a.regularly(2, of=8), a.then(b, hours=2),
                same(a.by("sku"), ~b.by("sku"), alias=f"sku{n}"),
                user("country").is_in("US", "CA") & (age() > 18) & near(50, 8, metres=1000),
                bucket(0, 500) & (device("app_version") > "2.9"),
            )
        )  # fmt: skip
    return all_of(*groups).named("fifty")


def main() -> None:
    """Print medians of 21."""
    segment = tree()
    scope = Scope(catalogue=CATALOGUE, zone=ZoneInfo("America/New_York"), salt="salt", resolver=Fixed())
    steps = {
        "check": lambda: check(segment, scope, AT),
        "compile to SQL": lambda: compile_sql(segment, AT, scope).sql,
        "sentence": lambda: sentence(segment.condition),
        "Python": lambda: to_python(segment),
        "JSON, both ways": lambda: from_json(to_json(segment)),
    }
    print("| step | median of 21, ms |\n|---|---:|")
    for name, step in steps.items():
        times = []
        for _ in range(21):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        print(f"| {name} | {statistics.median(times) * 1000:.1f} |")


if __name__ == "__main__":
    main()
