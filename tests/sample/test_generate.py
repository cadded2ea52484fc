"""The sample data holds what data/sample/README.md promises, row by row."""

import re
import runpy
import zoneinfo
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import duckdb
import polars as pl
import pytest

GENERATE = Path(__file__).parents[2] / "data" / "sample" / "generate.py"
FILES = ("events.parquet", "profiles.csv", "devices.ndjson")
AS_OF = datetime(2026, 6, 30, 18, tzinfo=UTC)

build = runpy.run_path(str(GENERATE))["build"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the default sample once."""
    out: Path = tmp_path_factory.mktemp("sample")
    build(out)
    return out


@pytest.fixture(scope="module")
def events(raw: Path) -> pl.DataFrame:
    """Read the events."""
    return pl.read_parquet(raw / "events.parquet")


@pytest.fixture(scope="module")
def profiles(raw: Path) -> pl.DataFrame:
    """Read the profiles as text."""
    return pl.read_csv(raw / "profiles.csv", infer_schema=False)


@pytest.fixture(scope="module")
def devices(raw: Path) -> pl.DataFrame:
    """Read the devices."""
    return pl.read_ndjson(raw / "devices.ndjson", infer_schema_length=None)


@pytest.fixture(scope="module")
def database(raw: Path) -> duckdb.DuckDBPyConnection:
    """Open the files as the tables events and profiles."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.read_parquet(str(raw / "events.parquet")).create_view("events")
    connection.read_csv(str(raw / "profiles.csv")).create_view("profiles")
    return connection


def emails(profiles: pl.DataFrame) -> pl.Series:
    """Return the e-mails as a cleaner would: trimmed, lower case, no absent ones."""
    clean = profiles["email"].str.strip_chars().str.to_lowercase()
    return clean.filter(~clean.is_in(["nan", "null"]) & clean.is_not_null())


def digest(path: Path) -> str:
    """Return a fingerprint of a file."""
    return sha256(path.read_bytes()).hexdigest()


def test_rows_and_users(events: pl.DataFrame, profiles: pl.DataFrame, devices: pl.DataFrame) -> None:
    """The files have their documented numbers of rows and users."""
    assert events.height == 1_080_821
    assert events["user_id"].n_unique() == 20_000
    assert profiles.height == profiles["user_id"].n_unique() == 20_460
    assert devices.height == devices["device_id"].n_unique() == 26_256


def test_event_columns(events: pl.DataFrame) -> None:
    """Events have their columns and types, ids stay text."""
    text = ["user_id", "event", "event_id", "product_id", "category", "order_id"]
    text += ["query", "screen", "utm_source", "coupon", "app_version"]
    assert dict(events.schema) == {
        **dict.fromkeys(text, pl.String()),
        "ts": pl.Datetime("us", "UTC"),
        "price": pl.Float64(),
        "quantity": pl.Int32(),
        "gift": pl.Boolean(),
    }
    assert events["user_id"].str.contains(r"^0\d{6}$").all()
    assert events["event_id"].is_unique().all()
    assert (events["price"].round(2) == events["price"]).all()


def test_last_event_is_the_fixed_instant(events: pl.DataFrame) -> None:
    """History covers 180 days and ends with one event at the fixed instant."""
    assert events["ts"].is_sorted()
    assert events["ts"][0] >= AS_OF - timedelta(days=180)
    assert (events["ts"] == AS_OF).sum() == 1
    assert events["ts"][-1] == AS_OF


def test_event_names(events: pl.DataFrame) -> None:
    """All fourteen event names occur, exactly spelled."""
    assert set(events["event"].unique()) == {
        "App Launched",
        "Page Viewed",
        "Product Viewed",
        "Search",
        "Added To Cart",
        "Removed From Cart",
        "Charged",
        "Wishlist Added",
        "Email Clicked",
        "Push Opened",
        "Review Written",
        "App Uninstalled",
        "Support Contacted",
        "Coupon Redeemed",
    }


def test_demo_audience(database: duckdb.DuckDBPyConnection) -> None:
    """The demo campaign has its audience: carts over 50 in the last 7 days, unpaid."""
    audience = database.execute(
        """
        with recent as (
            select * from events
            where ts >= timezone('America/New_York', timestamp '2026-06-23 00:00:00')
        )
        select count(*) from profiles
        where country in ('US', 'CA', 'GB')
        and user_id in (
            select user_id from recent where event = 'Added To Cart' and price > 50)
        and user_id not in (select user_id from recent where event = 'Charged')
        """
    ).fetchone()
    assert audience == (1009,)


def test_carts_turn_into_orders(database: duckdb.DuckDBPyConnection) -> None:
    """About 35 % of the carts are followed by an order within a day."""
    share = database.execute(
        """
        select avg((paid.ts is not null and paid.ts <= cart.ts + interval 1 day)::int)
        from (from events where event = 'Added To Cart') cart
        asof left join (from events where event = 'Charged') paid
        on cart.user_id = paid.user_id and cart.ts <= paid.ts
        """
    ).fetchone()
    assert share is not None
    assert 0.30 < share[0] < 0.40


def test_orders_are_carted_products(events: pl.DataFrame) -> None:
    """Every order has its own id and a product that the user carted before."""
    charged = events.filter(event="Charged")
    cart = events.filter(event="Added To Cart").select("user_id", "product_id", "ts")
    first = cart.group_by("user_id", "product_id").agg(carted=pl.col("ts").min())
    orders = charged.join(first, on=["user_id", "product_id"], how="left")
    assert (orders["carted"] < orders["ts"]).sum() == charged.height
    assert charged.drop("event_id").unique()["order_id"].is_unique().all()


def test_sale_week(events: pl.DataFrame) -> None:
    """The sale week has at least 1.6 times the events of the week before and after."""
    weeks = events.group_by(pl.col("ts").dt.truncate("1w").dt.date()).len().sort("ts")
    sizes = dict(weeks.cast({"ts": pl.String}).iter_rows())
    assert sizes["2026-05-11"] > 1.6 * sizes["2026-05-04"]
    assert sizes["2026-05-11"] > 1.6 * sizes["2026-05-18"]


def test_evening_in_the_own_zone(database: duckdb.DuckDBPyConnection) -> None:
    """In each of three zones the busiest local hour is in the evening."""
    busiest = database.execute(
        """
        select timezone, mode(hour(timezone(timezone, ts)))
        from events join profiles using (user_id)
        where timezone in ('Asia/Tokyo', 'Europe/Berlin', 'America/Los_Angeles')
        group by timezone
        """
    ).fetchall()
    assert len(busiest) == 3
    assert all(hour in (19, 20, 21) for _, hour in busiest)


def test_users_without_profile_or_events(events: pl.DataFrame, profiles: pl.DataFrame) -> None:
    """40 users of events have no profile, 500 profiles have no event."""
    active = events.select("user_id").unique()
    assert active.join(profiles, on="user_id", how="anti").height == 40
    assert profiles.join(active, on="user_id", how="anti").height == 500


def test_unusable_identities(profiles: pl.DataFrame) -> None:
    """150 profiles have no usable identity, however "nan" and "null" are read."""
    email, phone = profiles["email"], profiles["phone"]
    word = email.is_in(["nan", "null"])
    assert (email.is_null() & phone.is_null()).sum() == 150
    assert ((email.is_null() | word.fill_null(True)) & phone.is_null()).sum() == 150


def test_spoilt_emails(profiles: pl.DataFrame) -> None:
    """Ten e-mails each are "nan", are "null", have blanks around them."""
    email = profiles["email"]
    assert (email == "nan").sum() == 10
    assert (email == "null").sum() == 10
    assert (email != email.str.strip_chars()).sum() == 10


def test_duplicate_emails(profiles: pl.DataFrame) -> None:
    """120 e-mails are used twice, 40 of them in another case, none three times."""
    counts = emails(profiles).value_counts()
    assert counts.filter(pl.col("count") == 2).height == 120
    assert counts["count"].max() == 2
    exact = profiles.filter(~pl.col("email").is_in(["nan", "null"]))["email"]
    assert exact.value_counts().filter(pl.col("count") == 2).height == 80


@pytest.mark.parametrize(
    ("column", "count"),
    [
        ("first_name", 900),
        ("country", 300),
        ("region", 300),
        ("latitude", 300),
        ("timezone", 200),
    ],
)
def test_missing_values(profiles: pl.DataFrame, column: str, count: int) -> None:
    """A documented number of profiles lacks a name, a home, a zone."""
    assert profiles[column].null_count() == count


def test_unknown_zone(profiles: pl.DataFrame) -> None:
    """25 profiles name a zone that does not exist; all others exist."""
    zones = profiles["timezone"].drop_nulls()
    assert (zones == "Mars/Olympus").sum() == 25
    assert set(zones.unique()) - zoneinfo.available_timezones() == {"Mars/Olympus"}


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        (r"[\u26F5\x{1F000}-\x{1FFFF}]", 12),
        (r"\p{M}", 12),
        (r"[\x{0590}-\x{06FF}]", 12),
        (r"""["']""", 12),
        (r"\n", 3),
    ],
    ids=["emoji", "combining", "right-to-left", "quotes", "line-break"],
)
def test_unusual_names(profiles: pl.DataFrame, pattern: str, count: int) -> None:
    """A documented number of first names has unusual characters."""
    assert profiles["first_name"].str.contains(pattern).sum() == count


def test_over_long_note(profiles: pl.DataFrame) -> None:
    """Five notes have 5,000 characters; nobody else has a note."""
    assert profiles["note"].drop_nulls().str.len_chars().to_list() == [5_000] * 5


def test_leap_day_births(profiles: pl.DataFrame) -> None:
    """40 people are born on 29 February."""
    assert profiles["birth_date"].str.ends_with("-02-29").sum() == 40


@pytest.mark.parametrize(
    ("zone", "jump"),
    [
        ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ],
)
def test_daylight_saving_witnesses(
    events: pl.DataFrame, profiles: pl.DataFrame, zone: str, jump: datetime
) -> None:
    """20 people of a zone have an event on both sides of its clock change."""
    local = profiles.filter(timezone=zone)["user_id"].implode()
    seen = events.filter(pl.col("user_id").is_in(local))
    before = seen.filter(ts=jump - timedelta(milliseconds=1))["user_id"]
    after = seen.filter(ts=jump)["user_id"]
    assert len(before) == 20
    assert set(before) == set(after)
    assert jump.astimezone(zoneinfo.ZoneInfo(zone)).hour == 3


def test_equal_events(events: pl.DataFrame) -> None:
    """250 events are equal to another one in everything but event_id."""
    assert events.height - events.drop("event_id").unique().height == 250


def test_consent_shares(profiles: pl.DataFrame) -> None:
    """About 80 % opted in, about 6 % unsubscribed."""
    share = {c: (profiles[c] == "true").mean() for c in profiles.columns}
    assert share["email_opt_in"] == pytest.approx(0.8, abs=0.02)
    assert share["push_opt_in"] == pytest.approx(0.8, abs=0.02)
    assert share["unsubscribed"] == pytest.approx(0.06, abs=0.01)


def test_devices_per_profile(profiles: pl.DataFrame, devices: pl.DataFrame) -> None:
    """People have no device, one, two or three; web devices have no push token."""
    counts = profiles.join(devices, on="user_id", how="left").group_by("user_id")
    held = counts.agg(pl.col("device_id").count())["device_id"].value_counts()
    assert dict(held.iter_rows()) == {0: 1581, 1: 12973, 2: 4435, 3: 1471}
    assert devices.filter(platform="web")["push_token"].is_null().all()
    assert devices["push_token"].drop_nulls().str.contains("^[0-9a-f]{64}$").all()


def test_only_fictional_identities(raw: Path, events: pl.DataFrame, profiles: pl.DataFrame) -> None:
    """Every e-mail domain in any file is reserved, every phone number is fictional."""
    domains = re.findall(r"@([^\s,\"]+)", (raw / "profiles.csv").read_text())
    assert {text.lower() for text in domains} == {
        "example.com",
        "example.org",
        "example.net",
    }
    assert "@" not in (raw / "devices.ndjson").read_text()
    assert not any(text.str.contains("@").any() for text in events.select(pl.col(pl.String)))
    phones = profiles["phone"].drop_nulls()
    assert phones.is_unique().all()
    assert phones.str.contains(r"^\+1\d{3}55501\d\d$").all()


def test_same_seed_same_files(raw: Path, tmp_path: Path) -> None:
    """A second build with the same seed gives the same bytes and the same rows."""
    build(tmp_path)
    for name in FILES[1:]:
        assert digest(tmp_path / name) == digest(raw / name)
    twin = pl.read_parquet(tmp_path / FILES[0])
    assert twin.equals(pl.read_parquet(raw / FILES[0]))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_scale_adds_people(raw: Path, tmp_path: Path) -> None:
    """Scale 2 begins with the people of scale 1, adds as many, reports each block."""
    told: list[str] = []
    build(tmp_path, scale=2, progress=told.append)
    for name in FILES[1:]:
        assert (tmp_path / name).read_bytes().startswith((raw / name).read_bytes())
    users = pl.read_csv(tmp_path / "profiles.csv", infer_schema=False)["user_id"]
    assert users.n_unique() == users.len() == 40_920
    assert [re.sub(r":.*", "", text) for text in told] == [
        "block 1 of 2",
        "block 2 of 2",
    ]


def test_scale_below_one(tmp_path: Path) -> None:
    """A scale below 1 is an error that names the value."""
    with pytest.raises(ValueError, match="scale is 0"):
        build(tmp_path, scale=0)
