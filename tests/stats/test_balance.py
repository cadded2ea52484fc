"""Balance: differences by hand, and a naive comparison of random profiles."""

import math
import random
import statistics
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from accounts import NOW, Account

from workbench.stats.balance import Balance, compare, difference
from workbench.store import engine
from workbench.store.held import profiles_at

USERS = 400
TYPES = {
    "points": "number",
    "vip": "boolean",
    "tags": "list",
    "born": "date",
    "seen": "instant",
    "client": "version",
}


@pytest.mark.parametrize(
    ("target", "control", "variances", "expected"),
    [
        (11.0, 10.0, (16.0, 9.0), 1 / math.sqrt(12.5)),
        (10.0, 11.0, (16.0, 9.0), -1 / math.sqrt(12.5)),
        (0.5, 0.4, (0.25, 0.24), 0.1 / math.sqrt(0.245)),
        (3.0, 3.0, (0.0, 0.0), 0.0),
        (0.1, 0.1 + 1e-16, (0.0, 1e-34), 0.0),
        (1.0, 0.0, (0.0, 0.0), None),
        (0.0, 0.0, (0.0, 0.0), 0.0),
    ],
)
def test_the_difference_is_that_of_the_means_over_the_spread(
    target: float, control: float, variances: tuple[float, float], expected: float | None
) -> None:
    """Without any spread, equal means are equal, and others cannot be compared."""
    assert difference(target, control, *variances) == (None if expected is None else pytest.approx(expected))


def profile(number: int, **values: Any) -> dict[str, Any]:
    """The profile of the user of a number."""
    return {"user_id": f"{number:05d}", "email": f"user{number}@example.com", **values}


def compared(
    account: Account, control: set[int], as_of: datetime = NOW
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Compare the users of ``control`` with all others."""
    lake = account.workspace.lake.at()
    connection = lake.connect()
    users = engine.rows(connection, "SELECT user_code, user_id FROM users")
    arms = pl.DataFrame(
        [(code, int(user) in control) for code, user in users], schema={"user_code": pl.UInt32, "control": pl.Boolean},
        orient="row",
    )  # fmt: skip
    rows, empty = compare(
        connection, arms, profiles=profiles_at(), as_of=as_of, catalogue=lake.catalogue, identities=["email"]
    )
    connection.close()
    return rows.to_dicts(), empty


def test_each_type_is_compared_in_its_own_way(account: Account) -> None:
    """Means of numbers and dates, shares of values, presence of what is personal, and what nobody has."""
    people = [
        profile(n, points=n % 4, city="Rome" if n % 2 else "Oslo", vip=n < 20, born=f"2000-01-0{1 + n % 2}", first_name="Ada")
        for n in range(40)
    ]  # fmt: skip
    account.ingest("profiles", people, recorded="history", types={"born": "date"})
    rows, empty = compared(account, set(range(20)))
    found = {(row["attribute"], row["level"]): row for row in rows}
    assert list(found) == [
        ("vip", "true"), ("born", "mean"), ("city", "Oslo"), ("city", "Rome"), ("email", "missing"),
        ("first_name", "missing"), ("points", "mean"),
    ]  # fmt: skip
    vip = found["vip", "true"]
    assert (vip["target"], vip["control"], vip["smd"], vip["flagged"]) == (0, 1, None, True)
    assert found["points", "mean"] == {
        "attribute": "points", "type": "number", "level": "mean", "unit": "number", "target": 1.5, "control": 1.5,
        "smd": 0.0, "flagged": False,
    }  # fmt: skip
    day = (date(2000, 1, 1) - date(1970, 1, 1)).days
    assert (found["born", "mean"]["unit"], found["born", "mean"]["target"]) == ("day", day + 0.5)
    assert (found["city", "Rome"]["unit"], found["city", "Rome"]["target"]) == ("share", 0.5)
    assert found["email", "missing"]["target"] == 0.0
    assert "country" in empty
    assert "user_id" not in empty


def test_a_difference_above_a_tenth_is_flagged(account: Account) -> None:
    """40 against 45 of 100 are 0.101 standard deviations, 40 against 44 are 0.081."""
    people = [
        profile(n, a=n % 100 < (40 if n < 100 else 45), b=n % 100 < (40 if n < 100 else 44))
        for n in range(200)
    ]
    account.ingest("profiles", people, recorded="history", types={"a": "boolean", "b": "boolean"})
    rows, _ = compared(account, set(range(100, 200)))
    assert [(row["attribute"], round(row["smd"], 3), row["flagged"]) for row in rows[:2]] == [
        ("a", -0.101, True), ("b", -0.081, False),
    ]  # fmt: skip


def test_values_of_few_users_are_not_shown(account: Account) -> None:
    """Nine users of one city are among the others; notes of one user each are compared by presence alone."""
    cities = ["Rome"] * 30 + ["Oslo"] * 10 + ["Bern"] * 9
    people = [profile(n, city=city, note=f"about {n}") for n, city in enumerate(cities)]
    account.ingest("profiles", people, recorded="history")
    rows, _ = compared(account, {*range(10), *range(30, 35), 40})
    assert {row["level"] for row in rows if row["attribute"] == "city"} == {"Rome", "Oslo", "other values"}
    assert [row["level"] for row in rows if row["attribute"] == "note"] == ["missing"]
    text = str(rows)
    assert "about" not in text
    assert "@" not in text


def test_profiles_are_those_of_the_instant(account: Account) -> None:
    """What was recorded after it is not compared."""
    account.ingest(
        "profiles", [profile(n, points=1) for n in range(4)], recorded="now", now=NOW - timedelta(days=2)
    )
    account.ingest(
        "profiles", [profile(n, points=9) for n in range(2)], recorded="now", now=NOW - timedelta(hours=1)
    )
    (then,) = [
        row for row in compared(account, {0, 1}, NOW - timedelta(days=1))[0] if row["attribute"] == "points"
    ]
    (now,) = [row for row in compared(account, {0, 1})[0] if row["attribute"] == "points"]
    assert (then["control"], now["control"], now["target"]) == (1, 9, 1)


def test_chance_alone_flags_small_groups() -> None:
    """Between 200 and 200 a difference of 0.1 is one standard error: 31.7 % of ten rows; between 20,000 it is ten."""
    ten = pl.DataFrame({"flagged": [True] * 2 + [False] * 8})

    def of(users: int) -> Balance:
        return Balance(
            campaign="hello", as_of=NOW, target=users, control=users, rows=ten, empty=(), why=None,
            reconstructed=False, seconds=0,
        )  # fmt: skip

    assert of(200).by_chance == pytest.approx(3.173, abs=0.001)
    assert of(20_000).by_chance == pytest.approx(0, abs=1e-6)
    assert of(200).summary == (
        "2 of 10 comparisons differ by more than 0.1 standard deviations; between 200 and 200 users chance alone "
        "gives about 3.2"
    )


def test_random_profiles_compare_as_a_naive_reader_compares(account: Account) -> None:
    """Every row is computed again from the literals."""
    chance = random.Random(3)

    def maybe(value: object) -> object:
        return None if chance.random() < 0.2 else value

    people = [
        profile(
            n, points=maybe(chance.gauss(10, 3)), vip=maybe(chance.random() < 0.3), city=maybe(chance.choice("aabcdefgh")),
            tags=maybe([str(i) for i in range(chance.randrange(1, 4))]), client=maybe(f"{chance.randrange(3)}.1"),
            born=maybe((date(1990, 1, 1) + timedelta(days=chance.randrange(9000))).isoformat()),
            seen=maybe(datetime.fromtimestamp(chance.randrange(10**9), UTC).isoformat()),
        )
        for n in range(USERS)
    ]  # fmt: skip
    account.ingest("profiles", people, recorded="history", types=TYPES)
    control = {n for n in range(USERS) if chance.random() < 0.3}
    rows, _ = compared(account, control)
    arms = [[person for n, person in enumerate(people) if (n in control) is held] for held in (False, True)]
    seen = set()
    for row in rows:
        name, level = row["attribute"], row["level"]
        seen.add((name, level))
        values = [[person.get(name) for person in arm] for arm in arms]
        if level == "missing":
            pairs = [[float(value is None) for value in arm] for arm in values]
        elif level == "true":
            pairs = [[float(value is True) for value in arm] for arm in values]
        elif level.startswith("mean"):
            pairs = [[as_number(value) for value in arm if value is not None] for arm in values]
        elif level == "other values":
            shown = {item["level"] for item in rows if item["attribute"] == name} - {
                "missing",
                "other values",
            }
            pairs = [[float(value is not None and value not in shown) for value in arm] for arm in values]
        else:
            pairs = [[float(value == level) for value in arm] for arm in values]
        means = [statistics.fmean(arm) for arm in pairs]
        spread = statistics.variance if level.startswith("mean") else statistics.pvariance
        whole = math.sqrt((spread(pairs[0]) + spread(pairs[1])) / 2)
        smd = (means[0] - means[1]) / whole if whole else 0.0
        assert (row["target"], row["control"]) == (pytest.approx(means[0]), pytest.approx(means[1]))
        assert row["smd"] == pytest.approx(smd)
        assert row["flagged"] is (abs(smd) > 0.1)
    assert len([1 for name, _ in seen if name == "city"]) == 7
    assert {name for name, _ in seen} == {*TYPES, "city", "email"}
    assert [abs(row["smd"]) for row in rows] == sorted((abs(row["smd"]) for row in rows), reverse=True)


def as_number(value: Any) -> float:
    """A value as it is averaged."""
    if isinstance(value, list):
        return len(value)
    if isinstance(value, str) and len(value) == 10:
        return (date.fromisoformat(value) - date(1970, 1, 1)).days
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp() / 86_400
    return float(value)
