"""Conversions: edges of the window, what was recorded when, revenue, and a naive count of random events."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from accounts import Account, make_account
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.campaigns.model import Goal
from workbench.errors import InputError
from workbench.segments.predicates import Operator, Predicate
from workbench.stats import goal

SEND = datetime(2026, 6, 10, 9, tzinfo=UTC)
HOUR = Goal(event="Purchase", within_minutes=60, revenue="price")
LATER = SEND + timedelta(days=1)
NEVER = {"converted": False, "first_at": None, "events": 0, "revenue": 0.0, "unpriced": 0}


def at(seconds: float, **event: Any) -> dict[str, Any]:
    """A purchase of 10 by user 0, so long after the send."""
    ts = (SEND + timedelta(seconds=seconds)).isoformat()
    return {"user_id": "0", "event": "Purchase", "ts": ts, "price": 10, **event}


def counted(
    account: Account,
    *events: dict[str, Any],
    wanted: Goal = HOUR,
    as_of: datetime = LATER,
    received_at: datetime | None = None,
) -> dict[str, Any]:
    """Ingest events, and return what became of user 0, who was sent to at ``SEND``."""
    unrelated = {"user_id": "0", "event": "Visit", "ts": "2026-01-01T00:00:00Z", "price": 0}
    # Where no purchase is told, its name is known all the same.
    known = {"user_id": "1", "event": "Purchase", "ts": "2026-01-01T00:00:00Z", "price": 1}
    account.ingest("events", [unrelated, known], recorded="history")
    recorded = {"recorded": "now", "now": received_at} if received_at else {"recorded": "history"}
    if events:
        account.ingest("events", events, **recorded)
    frame = ask(account, wanted, as_of, {0: SEND})
    (row,) = frame.to_dicts()
    assert frame.schema == goal.SCHEMA
    return row


def ask(account: Account, wanted: Goal, as_of: datetime, sent: dict[int, datetime]) -> pl.DataFrame:
    """Count conversions by the number in the user's id."""
    version = account.workspace.lake.at()
    question = account.workspace.question(version, as_of)
    codes = {int(user): code for user, code in _users(version)}
    schema = {"user_code": pl.UInt32, "start": pl.Datetime("us", "UTC")}
    rows = [(codes[user], start) for user, start in sent.items()]
    return goal.conversions(question, wanted, pl.DataFrame(rows, schema=schema, orient="row"))


def _users(version: Any) -> list[tuple[str, int]]:
    connection = version.connect()
    found: list[tuple[str, int]] = connection.sql("SELECT user_id, user_code FROM users").fetchall()
    connection.close()
    return found


def test_an_event_at_the_instant_of_the_send_counts(account: Account) -> None:
    """The window includes its start."""
    found = counted(account, at(0))
    assert (found["converted"], found["first_at"], found["revenue"]) == (True, SEND, 10.0)


@pytest.mark.parametrize(
    ("seconds", "converted"),
    [(-0.000001, False), (-86_400, False), (3599.999999, True), (3600, False), (3600.000001, False)],
)
def test_the_window_excludes_what_is_before_and_its_end(
    account: Account, seconds: float, converted: bool
) -> None:
    """A microsecond before the send is not the campaign's; an hour later exactly is over."""
    assert counted(account, at(seconds))["converted"] is converted


def test_two_purchases_are_one_conversion_with_the_revenue_of_both(account: Account) -> None:
    """The first instant counts, whatever the order of the rows; the third purchase is too late."""
    found = counted(account, at(1800, price=20), at(600, price=5.5), at(7200, price=99))
    assert found == {
        "user_code": found["user_code"], "start": SEND, "converted": True,
        "first_at": SEND + timedelta(minutes=10), "events": 2, "revenue": 25.5, "unpriced": 0, "closed": True,
    }  # fmt: skip


def test_no_revenue_adds_nothing_and_is_counted_and_a_refund_is_subtracted(account: Account) -> None:
    """A purchase without a price is a conversion all the same."""
    found = counted(account, at(60, price=None), at(120, price=30), at(180, price=-45))
    assert (found["events"], found["revenue"], found["unpriced"]) == (3, -15.0, 1)
    alone = ask(account, Goal(event="Purchase", within_minutes=2, revenue="price"), LATER, {0: SEND})
    assert alone.select("converted", "revenue", "unpriced").row(0) == (True, 0.0, 1)


def test_without_a_revenue_property_there_is_no_revenue(account: Account) -> None:
    """Null, never 0: nothing was asked for."""
    found = counted(account, at(60), wanted=Goal(event="Purchase", within_minutes=60))
    assert (found["converted"], found["revenue"], found["unpriced"]) == (True, None, 0)


def test_what_was_recorded_later_is_not_seen(account: Account) -> None:
    """The event happened in the window and arrived two hours after the send."""
    found = counted(
        account,
        at(60),
        as_of=SEND + timedelta(minutes=119),
        received_at=SEND + timedelta(hours=2),
    )
    assert {name: found[name] for name in NEVER} == NEVER
    later = ask(account, HOUR, SEND + timedelta(hours=2), {0: SEND}).to_dicts()[0]
    assert (later["converted"], later["first_at"]) == (True, SEND + timedelta(minutes=1))


def test_what_has_not_happened_yet_is_not_seen_though_it_is_recorded(account: Account) -> None:
    """A clock that runs ahead: received an hour before it says that it happened."""
    found = counted(
        account, at(1800), as_of=SEND + timedelta(minutes=5), received_at=SEND - timedelta(hours=1)
    )
    assert (found["converted"], found["closed"]) == (False, False)
    (later,) = ask(account, HOUR, SEND + timedelta(minutes=30), {0: SEND}).to_dicts()
    assert (later["converted"], later["first_at"]) == (True, SEND + timedelta(minutes=30))


def test_a_window_is_open_until_its_end(account: Account) -> None:
    """What has not happened yet is not seen; at the end exactly nothing can be added."""
    found = counted(account, at(60), at(1800), as_of=SEND + timedelta(minutes=5))
    assert (found["events"], found["closed"]) == (1, False)
    ends = [SEND + timedelta(minutes=60, microseconds=n) for n in (-1, 0)]
    assert [ask(account, HOUR, end, {0: SEND})["closed"][0] for end in ends] == [False, True]


def test_a_filter_comes_before_everything(account: Account) -> None:
    """Of two purchases one is dear."""
    dear = Goal(
        event="Purchase", within_minutes=60, revenue="price",
        where=(Predicate(property="price", operator=Operator.AT_LEAST, values=(50,)),),
    )  # fmt: skip
    found = counted(account, at(60, price=49), at(120, price=50), wanted=dear)
    assert (found["events"], found["revenue"], found["first_at"]) == (1, 50.0, SEND + timedelta(minutes=2))


def test_each_user_has_a_window_of_their_own(account: Account) -> None:
    """The same instants, sends an hour apart; the order of the answer is that of the question."""
    counted(account, at(0), at(3600), *(at(seconds, user_id="2") for seconds in (0, 3600)))
    found = ask(account, HOUR, LATER, {2: SEND + timedelta(hours=1), 0: SEND})
    assert found["first_at"].to_list() == [SEND + timedelta(hours=1), SEND]
    assert found["events"].to_list() == [1, 1]


def test_nobody_and_an_event_without_rows_are_valid_answers(account: Account) -> None:
    """No user gives no row, no event no conversion."""
    assert {name: counted(account)[name] for name in NEVER} == NEVER
    nobody = ask(account, HOUR, LATER, {})
    assert (nobody.height, nobody.schema) == (0, goal.SCHEMA)
    assert goal.total(nobody) == goal.Total(users=0, converted=0, revenue=None, unpriced=0, open=0)
    assert goal.total(nobody).rate is None


def test_a_user_who_is_there_twice_is_refused(account: Account) -> None:
    """Conversions are counted for one run at a time; so is a code of another lake."""
    counted(account, at(60))
    question = account.workspace.question(account.workspace.lake.at(), LATER)
    twice = pl.DataFrame({"user_code": [0, 0], "start": [SEND, SEND]})
    with pytest.raises(InputError, match="a user is there twice"):
        goal.conversions(question, HOUR, twice)
    with pytest.raises(InputError, match="user code 7 is not in this lake, which has 2 users"):
        goal.conversions(question, HOUR, pl.DataFrame({"user_code": [7], "start": [SEND]}))
    with pytest.raises(InputError, match="without an instant of the send"):
        goal.conversions(question, HOUR, pl.DataFrame({"user_code": [0], "start": [None]}))


USERS, EVENTS, MINUTE = 40, 1_500, 60_000_000
# Times in whole minutes of a day and a half, so that edges of windows are met often.
minutes = st.integers(0, 2_160)


def random_rows() -> list[dict[str, Any]]:
    """1,500 events of 40 users, some received late, some without a price."""
    chance = random.Random(11)
    rows = []
    for number in range(EVENTS):
        happened = SEND + timedelta(minutes=chance.randrange(2_160))
        rows.append(
            {
                "user_id": str(number % USERS if number < USERS else chance.randrange(USERS)),
                "event": chance.choice(["Purchase", "Purchase", "Visit"]), "ts": happened.isoformat(),
                "received_at": (happened + timedelta(minutes=chance.choice([0, 0, 0, 30, 700]))).isoformat(),
                "event_id": str(number), "price": chance.choice([None, 0, 1, 2.5, 10, -4]), "sku": chance.choice(["a", "b"]),
            }
        )  # fmt: skip
    return rows


ROWS = random_rows()


@pytest.fixture(scope="module")
def random_world(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The random events, in three ingests."""
    account = make_account(tmp_path_factory.mktemp("random") / "home")
    for part in range(3):
        account.ingest("events", ROWS[part::3], recorded="received_at", now=SEND + timedelta(days=9))
    return account


def naive(wanted: Goal, as_of: datetime, user: int, start: datetime) -> tuple[Any, ...]:
    """Read every event of one user."""
    end = start + timedelta(minutes=wanted.within_minutes)
    fits = [
        row for row in ROWS
        if row["user_id"] == str(user) and row["event"] == "Purchase"
        and start <= (ts := datetime.fromisoformat(row["ts"])) < end and ts <= as_of
        and datetime.fromisoformat(row["received_at"]) <= as_of
        and all(row[item.property] in item.values for item in wanted.where)
    ]  # fmt: skip
    first = min((datetime.fromisoformat(row["ts"]) for row in fits), default=None)
    prices = [row["price"] for row in fits]
    revenue = sum(price for price in prices if price is not None) if wanted.revenue else None
    unpriced = prices.count(None) if wanted.revenue else 0
    return bool(fits), first, len(fits), revenue, unpriced, end <= as_of


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(0, USERS - 1), minutes, max_size=USERS),
    st.integers(1, 900), minutes, st.sampled_from([None, "price"]), st.sampled_from([(), ("a",), ("a", "b")]),
)  # fmt: skip
def test_random_sends_count_as_a_naive_reader_counts(
    random_world: Account,
    sent: dict[int, int],
    within: int,
    asked: int,
    revenue: str | None,
    skus: tuple[str, ...],
) -> None:
    """Whatever the sends, the window, the filter and the instant of the question are."""
    where = (Predicate(property="sku", operator=Operator.IN, values=skus),) if skus else ()
    wanted = Goal(event="Purchase", within_minutes=within, where=where, revenue=revenue)
    as_of = SEND + timedelta(minutes=asked)
    starts = {user: SEND + timedelta(minutes=minute) for user, minute in sent.items()}
    found = ask(random_world, wanted, as_of, starts)
    columns = ("converted", "first_at", "events", "revenue", "unpriced", "closed")
    assert found.select(columns).rows() == [
        naive(wanted, as_of, user, start) for user, start in starts.items()
    ]
    together = goal.total(found)
    assert (together.users, together.converted) == (len(sent), sum(found["converted"]))
