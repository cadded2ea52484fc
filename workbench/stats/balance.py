"""Are the arms alike: every attribute of the profiles, target against control.

The standardized mean difference is the difference of two means over the root of the mean of their variances;
of a share ``s`` the variance is ``s (1 - s)``. It does not grow with the number of users, so 0.1 means the
same everywhere.

Source: Austin, Statistics in Medicine 28 (2009), 3083-3107; its threshold of 0.1 is section 4.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from workbench.settings import PropertyType
from workbench.stats.power import percent
from workbench.store import engine
from workbench.store.catalogue import Catalogue, Property

THRESHOLD = 0.1
MOST_VALUES, FEWEST_USERS = 5, 10
MEAN, TRUE, OTHER, MISSING, ITEMS = "mean", "true", "other values", "missing", "mean number of items"
# Of these it is compared who has one; nothing in them is shown.
PERSONAL = frozenset({"customer_id", "email", "phone", "first_name", "last_name"})
ROUNDING = 1e-9

# ``target`` and ``control`` are shares from 0 to 1 for ``unit`` share, instants for days since 1970, else means.
SCHEMA = {
    "attribute": pl.String, "type": pl.String, "level": pl.String, "unit": pl.String, "target": pl.Float64,
    "control": pl.Float64, "smd": pl.Float64, "flagged": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Target beside control, before anything is sent.

    Attributes:
        campaign: its id.
        target: qualified users of the target, whether or not they can be sent to.
        control: qualified users who are held out.
        rows: ``attribute, type, level, unit, target, control, smd, flagged``: the largest difference first.
            ``smd`` is null where there is no spread to compare with; such a row is flagged.
        empty: attributes that none of these users has.
        why: why nothing is compared; None if it is.
        reconstructed: whether some rows count as recorded at their own time.
    """

    campaign: str
    as_of: datetime
    target: int
    control: int
    rows: pl.DataFrame
    empty: tuple[str, ...]
    why: str | None
    reconstructed: bool
    seconds: float

    @property
    def flagged(self) -> int:
        """How many rows differ by more than the threshold."""
        return int(self.rows["flagged"].sum())

    @property
    def by_chance(self) -> float:
        """How many of the rows chance alone would flag between arms of this size."""
        if not self.target or not self.control:
            return 0.0
        error = math.sqrt(1 / self.target + 1 / self.control)
        return self.rows.height * math.erfc(THRESHOLD / error / math.sqrt(2))

    @property
    def summary(self) -> str:
        """One sentence: how many are flagged, and how many chance would."""
        if self.why is not None:
            return f"nothing to compare: {self.why}"
        rows = self.rows.height
        return (
            f"{self.flagged:,} of {rows:,} comparisons differ by more than {THRESHOLD} standard deviations; between "
            f"{self.target:,} and {self.control:,} users chance alone gives about {self.by_chance:.1f}"
        )


def compare(
    connection: engine.Connection,
    arms: pl.DataFrame,
    *,
    profiles: str,
    as_of: datetime,
    catalogue: Catalogue,
    identities: Collection[str],
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Compare every attribute between two arms.

    Args:
        connection: with the views of the lake version.
        arms: ``user_code, control``; both arms have users.
        profiles: SQL of the profiles at ``$as_of``.
        as_of: the instant of the question.
        catalogue: of the same lake version.
        identities: attributes of which only the presence is compared.

    Returns:
        The rows of ``Balance``, and the attributes that nobody has.
    """
    hidden = {*PERSONAL, *identities}
    known = [item for item in catalogue.attributes.values() if item.name != "user_id"]
    columns = ", ".join(f"{_value(item, hidden)} AS {_name(n)}" for n, item in enumerate(known))
    connection.register("arms", arms.select("user_code", "control"))
    engine.execute(
        connection,
        f"CREATE OR REPLACE TEMP TABLE balanced AS SELECT a.control, {columns or 'NULL'} "
        f"FROM arms a LEFT JOIN ({profiles}) p USING (user_code)",
        {"as_of": as_of} if "$as_of" in profiles else {},
    )
    sums = ", ".join(
        f"count({_name(n)}), avg({_name(n)}), var_samp({_name(n)})"
        if _is_number(item, hidden) else f"count({_name(n)}), NULL, NULL"
        for n, item in enumerate(known)
    )  # fmt: skip
    found = {
        control: (users, numbers)
        for control, users, *numbers in engine.rows(
            connection, f"SELECT control, count(*)::BIGINT, {sums} FROM balanced GROUP BY control"
        )
    }
    (target, ours), (control, theirs) = found[False], found[True]
    rows: list[dict[str, Any]] = []
    empty = []
    for n, item in enumerate(known):
        first, second = ours[3 * n : 3 * n + 3], theirs[3 * n : 3 * n + 3]
        if not first[0] + second[0]:
            empty.append(item.name)
            continue
        shares = [
            (level, a / target, b / control)
            for level, a, b in _levels(connection, n, item, hidden, first, second)
        ]
        means = list(_means(item, first, second)) if _is_number(item, hidden) else []
        missing = ((target - first[0]) / target, (control - second[0]) / control)
        if any(missing) or not (shares or means):
            shares.append((MISSING, *missing))
        rows += means
        rows += [_share(item, level, a, b) for level, a, b in shares]
    engine.execute(connection, "DROP TABLE balanced")
    connection.unregister("arms")
    frame = pl.DataFrame(rows, schema=SCHEMA)
    return frame.sort(pl.col("smd").abs(), descending=True, nulls_last=False, maintain_order=True), tuple(
        empty
    )


def difference(
    target: float, control: float, target_variance: float, control_variance: float
) -> float | None:
    """Return the standardized mean difference; None where the means differ and nothing varies."""
    spread = math.sqrt((target_variance + control_variance) / 2)
    room = ROUNDING * max(abs(target), abs(control))
    if spread > room:
        return (target - control) / spread
    return 0.0 if abs(target - control) <= room else None


def value(found: float, unit: str) -> str:
    """Say a mean or a share: of dates as a date.

    >>> value(0.25, "share"), value(10957.4, "day"), value(1234.5, "number")
    ('25.0 %', '2000-01-01', '1,234.5')
    """
    if unit == "share":
        return percent(found)
    if unit == "day":
        return str(date(1970, 1, 1) + timedelta(days=int(found // 1)))
    return f"{found:,.4g}" if abs(found) < 1000 else f"{found:,.1f}"


def spoken(found: float | None) -> str:
    """Say a standardized difference; where there is no spread, that."""
    return "no spread" if found is None else f"{found:+.3f}"


def _levels(
    connection: engine.Connection,
    n: int,
    item: Property,
    hidden: Collection[str],
    first: list[Any],
    second: list[Any],
) -> Iterator[tuple[str, int, int]]:
    """Count the users of each level that is shown: true, or the most frequent values and the others."""
    if item.name in hidden or item.type not in {"text", "version", "boolean"}:
        return
    name = _name(n)
    if item.type == "boolean":
        yield TRUE, round(first[0] * (first[1] or 0)), round(second[0] * (second[1] or 0))
        return
    values = engine.rows(
        connection,
        f"SELECT {name}, count(*) FILTER (WHERE NOT control), count(*) FILTER (WHERE control) FROM balanced "
        f"WHERE {name} IS NOT NULL GROUP BY {name} HAVING count(*) >= {FEWEST_USERS} "
        f"ORDER BY count(*) DESC, {name} LIMIT {MOST_VALUES}",
    )
    yield from values
    others = [whole[0] - sum(value[arm] for value in values) for arm, whole in ((1, first), (2, second))]
    if values and any(others):
        yield OTHER, *others


def _means(item: Property, first: list[Any], second: list[Any]) -> Iterator[dict[str, Any]]:
    """Compare the means among those who have the attribute; nothing where one arm has no two of them."""
    if item.type == "boolean" or first[0] < 2 or second[0] < 2:
        return
    smd = difference(first[1], second[1], first[2], second[2])
    unit = {"date": "day", "instant": "day", "list": "items"}.get(item.type, "number")
    level = ITEMS if item.type == "list" else MEAN
    yield _row(item, level, unit, first[1], second[1], smd)


def _share(item: Property, level: str, target: float, control: float) -> dict[str, Any]:
    smd = difference(target, control, target * (1 - target), control * (1 - control))
    return _row(item, level, "share", target, control, smd)


def _row(
    item: Property, level: str, unit: str, target: float, control: float, smd: float | None
) -> dict[str, Any]:
    flagged = smd is None or abs(smd) > THRESHOLD
    return {
        "attribute": item.name, "type": item.type, "level": level, "unit": unit, "target": target,
        "control": control, "smd": smd, "flagged": flagged,
    }  # fmt: skip


def _is_number(item: Property, hidden: Collection[str]) -> bool:
    return item.name not in hidden and item.type not in {"text", "version"}


def _value(item: Property, hidden: Collection[str]) -> str:
    """Return the SQL of what is compared: a number, a text, or only whether it is there."""
    column = f"p.{engine.quote(item.column)}"
    if item.name in hidden:
        return f"CASE WHEN {column} IS NOT NULL THEN true END"
    forms: dict[PropertyType, str] = {
        "boolean": f"{column}::INTEGER",
        "date": f"date_diff('day', DATE '1970-01-01', {column})",
        "instant": f"epoch_us({column}) / 86400000000.0",
        "list": f"len({column})",
    }
    return forms.get(item.type, column)


def _name(n: int) -> str:
    return f"c{n}"
