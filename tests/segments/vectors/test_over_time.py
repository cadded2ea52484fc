"""History in literals; that it is what each day would have said, for any tree, is a property test."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import Account, make_account

from workbench.errors import InputError
from workbench.reach import history
from workbench.segments import codec

AS_OF = datetime(2026, 3, 10, 12, tzinfo=UTC)
LAST_TWO_DAYS = {"kind": "last", "count": 2, "unit": "days"}


def segment(condition: dict[str, Any]) -> Any:
    return codec.from_json({"name": "asked", "condition": condition})


@pytest.fixture
def shop(tmp_path: Path) -> Account:
    """Ann buys at the midnight (of New York) at which the window of the 9th begins; Ben is recorded late."""
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": user} for user in ("ann", "ben")], recorded="history")
    rows = [
        {"user_id": "ann", "event": "Bought", "ts": "2026-03-07T05:00:00Z", "seen": "2026-03-07T05:00:00Z"},
        {"user_id": "ben", "event": "Bought", "ts": "2026-03-07T06:00:00Z", "seen": "2026-03-09T13:00:00Z"},
    ]
    account.ingest("events", rows, recorded="seen")
    return account


def qualified(account: Account, condition: dict[str, Any], days: int = 5) -> list[int]:
    found = history(account.workspace, segment(condition), as_of=AS_OF, days=days)
    return found.sizes["qualified"].to_list()


def test_a_window_moves_and_late_rows_are_not_seen_early(shop: Account) -> None:
    """Noon of the 6th to the 10th: Ann on the 7th, 8th and 9th; Ben, known since the 9th at 13:00, never."""
    assert qualified(shop, {"kind": "did", "events": ["Bought"], "window": LAST_TWO_DAYS}) == [0, 1, 1, 1, 0]


def test_ever_only_grows(shop: Account) -> None:
    """Ben is there from the 10th on."""
    assert qualified(shop, {"kind": "did", "events": ["Bought"]}) == [0, 1, 1, 1, 2]


def test_a_window_ends_before_the_midnight_that_is_its_end(shop: Account) -> None:
    """Two to three days ago: on the 8th that ended before Ann's midnight, on the 9th and 10th it holds it."""
    ago = {"kind": "did", "events": ["Bought"], "window": {"kind": "days ago", "farthest": 3, "nearest": 2}}
    assert qualified(shop, ago) == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("recorded", ["history", "seen"])
def test_a_text_that_leaves_is_counted_no_more(tmp_path: Path, recorded: str) -> None:
    """Ann has two different views within two days from the 5th to the 7th, whichever way they are recorded."""
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": "ann"}], recorded="history")
    viewed = [("04", "a"), ("05", "b"), ("05", "a"), ("06", None)]
    rows = [
        {
            "user_id": "ann", "event": "Viewed", "ts": f"2026-03-{day}T15:00:00Z", "product": text,
            "seen": f"2026-03-{day}T15:00:00Z",
        }
        for day, text in viewed
    ]  # fmt: skip
    account.ingest("events", rows, recorded=recorded)
    measure = {"function": "distinct", "property": "product", "operator": ">=", "values": [2]}
    window = {"kind": "last", "count": 2, "unit": "days"}
    viewers = {"kind": "did", "events": ["Viewed"], "measure": measure, "window": window}
    as_of = datetime(2026, 3, 10, 20, tzinfo=UTC)
    found = history(account.workspace, segment(viewers), as_of=as_of, days=7)
    assert found.sizes["qualified"].to_list() == [0, 1, 1, 1, 0, 0, 0]


def test_a_first_event_is_dated_when_it_happened(shop: Account) -> None:
    """On the 10th Ben's first purchase is known, and more than two days old."""
    first = {"kind": "milestone", "which": "first", "events": ["Bought"], "window": LAST_TWO_DAYS}
    assert qualified(shop, first) == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("days", [1, 3])
def test_nothing_comes_or_goes(tmp_path: Path, days: int) -> None:
    """Two purchases in February, asked in March: a count, then what was spent, then when it was last."""
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": "ann"}], recorded="history")
    rows = [
        {"user_id": "ann", "event": "Bought", "ts": f"2026-02-0{n}T05:00:00Z", "price": n} for n in (2, 3)
    ]
    account.ingest("events", rows, recorded="history")
    february = {"kind": "dates", "first": "2026-02-01", "last": "2026-02-28"}
    bought = {"kind": "did", "events": ["Bought"], "window": february}
    conditions = [
        bought,
        {**bought, "measure": {"function": "sum", "property": "price", "operator": "=", "values": [5]}},
        {**bought, "measure": {"function": "maximum", "property": "price", "operator": "=", "values": [3]}},
        {"kind": "did", "events": ["Bought"]},
        {"kind": "milestone", "which": "last", "events": ["Bought"]},
    ]
    assert qualified(account, {"kind": "all", "conditions": conditions}, days) == [1] * days


def test_a_filter_counts_from_the_day_that_is_asked(tmp_path: Path) -> None:
    """Trips booked on the 1st that begin on the 7th: begun in the last two days on the 7th, 8th and 9th."""
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": "ann"}], recorded="history")
    booked = {"user_id": "ann", "event": "Booked", "ts": "2026-03-01T12:00:00Z", "begins": "2026-03-07"}
    account.ingest("events", [booked], recorded="history")
    began = {"property": "begins", "operator": "within", "window": LAST_TWO_DAYS}
    birthday = {"property": "begins", "operator": "anniversary", "values": [0]}
    for kind in ({"kind": "did"}, {"kind": "milestone", "which": "first"}):
        asked = {**kind, "events": ["Booked"], "where": [began]}
        assert qualified(account, asked) == [0, 1, 1, 1, 0]
    account.ingest("events", [{**booked, "begins": "2025-03-08"}], recorded="history")
    assert qualified(account, {"kind": "did", "events": ["Booked"], "where": [birthday]}) == [0, 0, 1, 0, 0]


def test_a_clock_is_in_the_zone_that_was_known_on_the_day(tmp_path: Path) -> None:
    """10:00 in London is 19:00 in Tokyo: Ann is known to live there since the 8th; Ben is known since then."""
    account = make_account(tmp_path)
    account.ingest(
        "profiles",
        [
            {"user_id": "ann", "timezone": "Europe/London", "seen": "2026-01-01T00:00:00Z"},
            {"user_id": "ann", "timezone": "Asia/Tokyo", "seen": "2026-03-08T00:00:00Z"},
            {"user_id": "ben", "timezone": "Europe/London", "seen": "2026-03-08T00:00:00Z"},
        ],
        recorded="seen",
    )
    rows = [{"user_id": user, "event": "Bought", "ts": "2026-02-02T10:00:00Z"} for user in ("ann", "ben")]
    account.ingest("events", rows, recorded="history")
    for kind in ({"kind": "did"}, {"kind": "milestone", "which": "last"}):
        for hours, sizes in ((("09:00", "12:00"), [1, 1, 1, 1, 1]), (("18:00", "20:00"), [0, 0, 1, 1, 1])):
            clock = {"start": hours[0], "end": hours[1], "zone": "user"}
            assert qualified(account, {**kind, "events": ["Bought"], "clock": clock}) == sizes


@pytest.mark.parametrize(
    "predicate",
    [
        {"property": "points", "operator": ">", "values": [1]},
        {"property": "born", "operator": "within", "window": {"kind": "last", "count": 90, "unit": "years"}},
        {"property": "born", "operator": "anniversary", "values": [0]},
        {"property": "signed", "operator": "within", "window": {"kind": "last", "count": 9, "unit": "years"}},
        {"property": "signed", "operator": "anniversary", "values": [0]},
    ],
)
def test_history_begins_before_the_first_profile(tmp_path: Path, predicate: dict[str, Any]) -> None:
    """Known since the 9th; born and signed on a 10th of March."""
    account = make_account(tmp_path)
    ann = {"user_id": "ann", "points": 2, "born": "1990-03-10", "signed": "2020-03-10T12:00:00Z"}
    account.ingest("profiles", [ann], recorded="now", now=datetime(2026, 3, 9, tzinfo=UTC))
    sizes = qualified(account, {"kind": "user", "predicate": predicate})
    assert sizes[:3] == [0, 0, 0]
    assert sizes[4] == 1


def test_the_frame_names_every_condition(shop: Account) -> None:
    """Two days of one condition; times are those of the account, in UTC."""
    found = history(shop.workspace, segment({"kind": "did", "events": ["Bought"]}), as_of=AS_OF, days=2)
    assert found.sizes.schema == {
        "as_of": pl.Datetime("us", "UTC"), "everyone": pl.Int64, "qualified": pl.Int64,
    }  # fmt: skip
    assert found.sizes["as_of"].to_list() == [datetime(2026, 3, 9, 12, tzinfo=UTC), AS_OF]
    assert found.conditions["users"].to_list() == [1, 2]
    assert found.conditions["sentence"].to_list() == ['did "Bought"'] * 2


def test_a_clock_change_keeps_the_local_time(shop: Account) -> None:
    """New York goes to summer time on 8 March: 8 in the morning is 12:00, and was 13:00 in UTC."""
    found = history(shop.workspace, segment({"kind": "did", "events": ["Bought"]}), as_of=AS_OF, days=4)
    assert [instant.hour for instant in found.sizes["as_of"]] == [13, 12, 12, 12]


@pytest.mark.parametrize("days", [0, 367])
def test_days_are_bounded(shop: Account, days: int) -> None:
    """One to 366."""
    with pytest.raises(InputError, match=f"days {days}: give 1 to 366"):
        history(shop.workspace, segment({"kind": "did", "events": ["Bought"]}), as_of=AS_OF, days=days)
