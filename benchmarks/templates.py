"""Users a second whose values are rendered: by the engine, by the engine and Liquid, by Liquid alone.

python benchmarks/templates.py [--users 400000]
"""

import argparse
import time
from datetime import UTC, datetime

import polars as pl

from workbench.campaigns.candidates import USERS
from workbench.campaigns.content.rendering import Rendering
from workbench.campaigns.content.template import read
from workbench.store import engine
from workbench.store.catalogue import Catalogue, Property

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = ("Ann", "Maximiliana", "Zoë", None, "bob", "Eve", "Leo", "Ida")
KNOWN = {"first_name": "text", "city": "text", "points": "number", "plan": "text"}
CATALOGUE = Catalogue(
    attributes={name: Property(name=name, type=kind, column=name) for name, kind in KNOWN.items()}  # type: ignore[arg-type]
)
GREETING = 'Hi {{ Profile.first_name | default: "there" }}, you have {{ Profile.points }} points in {{ Profile.city }}.'
CASES = {
    "names and defaults": GREETING,
    "with capitalize, 1 in 8 beyond ASCII": GREETING.replace('"there"', '"there" | capitalize'),
    "if, elsif, filters": (
        "{% if Profile.points > 900 %}Gold{% elsif Profile.points > 500 %}Silver{% else %}Hello{% endif %} "
        "{{ Profile.first_name | default: 'you' | upcase }}, {{ Profile.points | divided_by: 100 | floor }} coupons"
    ),
}


def main() -> None:
    """Render each case for all users, as a plan does it: a part at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=400_000)
    users = parser.parse_args().users
    for name, text in CASES.items():
        wall, processor = seconds(text, users)
        print(f"{name}: {users / wall:,.0f} users/s, {users / processor:,.0f} a second of one core")


def seconds(text: str, users: int) -> tuple[float, float]:
    """Return the seconds, by the clock and of all cores, for the values and reasons of all users.

    The look-up of their profiles is included.
    """
    connection = engine.connect()
    codes = pl.Series("user_code", range(users), dtype=pl.UInt32)
    people = pl.DataFrame({"user_code": codes}).with_columns(
        first_name=pl.Series([NAMES[n % len(NAMES)] for n in range(users)]),
        city=pl.lit("Rome"),
        points=pl.col("user_code").cast(pl.Float64) % 1000,
        plan=pl.lit("free"),
        valid_from=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
        recorded_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
        seq=pl.lit(1),
    )
    connection.register("profile_versions", people)
    connection.register("users", pl.DataFrame({"user_code": codes, "user_id": codes.cast(pl.String)}))
    found = [read("greeting", text, CATALOGUE)]
    rendering = Rendering(
        found, connection, catalogue=CATALOGUE, constants={}, matched={}, as_of=NOW, now=NOW
    )
    values = "".join(f", length({value}) AS v{n}" for n, value in enumerate(rendering.values.values()))
    sql = (
        f"SELECT u.user_code{values}, {rendering.reason} AS reason FROM users u JOIN profile_versions p "
        f"USING (user_code) {rendering.joins} WHERE u.user_code BETWEEN $first AND $last"
    )
    began = time.perf_counter(), time.process_time()
    done = 0
    for first in range(0, users, USERS):
        limits = {"first": first, "last": first + USERS - 1}
        rendering.render("users", **limits)
        done += engine.frame(connection, sql, {**limits, **rendering.bound(sql)}).height
    spent = time.perf_counter() - began[0], time.process_time() - began[1]
    assert done == users
    connection.close()
    return spent


if __name__ == "__main__":
    main()
