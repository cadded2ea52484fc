"""What a file says about its rows is what its rows say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from accounts import NOW, Account, people, purchases

from workbench.store import facts
from workbench.store.ingest.run import derive_profiles

BUY = {"user_id": "1", "event": "Buy", "ts": "2026-06-30T12:00:00Z"}
JUNE, MAY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


def contents(account: Account, kind: str) -> list[dict[str, Any]]:
    """The facts of each file of a kind, in the order of the files' versions."""
    version = account.workspace.lake.at()
    wanted = ("latest", "codes", "one_each")
    return [
        {name: file.contents[name] for name in wanted if name in file.contents}
        for file in version.files
        if file.kind == kind
    ]


def test_an_event_file_says_by_when_its_rows_are_recorded(account: Account) -> None:
    """History: the last event's own time; later: the time of the ingest, or the event's where it lies beyond."""
    account.ingest("events", [BUY, {**BUY, "ts": "2026-06-01T00:00:00Z"}])
    assert contents(account, "events") == [{"latest": "2026-06-30T12:00:00+00:00"}]
    account.ingest("events", [{**BUY, "user_id": "2"}], now=NOW)
    assert contents(account, "events")[1] == {"latest": "2026-07-01T12:00:00+00:00"}
    account.ingest("events", [{**BUY, "ts": "2026-07-05T00:00:00Z"}], now=NOW)
    assert contents(account, "events")[2] == {"latest": "2026-07-05T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("got", "latest"),
    [
        ("2026-06-30T18:00:00Z", "2026-06-30T18:00:00+00:00"),
        ("2026-06-29T18:00:00Z", "2026-06-30T12:00:00+00:00"),
    ],
)
def test_a_column_says_when_events_were_recorded(account: Account, got: str, latest: str) -> None:
    """The received column counts, where it is not before the event itself."""
    account.ingest("events", [{**BUY, "got": got}], recorded="got")
    assert contents(account, "events") == [{"latest": latest}]


def test_a_file_without_the_fact_says_nothing() -> None:
    """A lake that an older workbench began."""
    assert facts.recorded_until({"latest": "2026-06-01T00:00:00+00:00"}) == JUNE
    assert facts.recorded_until({}) is None


def test_events_of_one_name_do_not_slow_the_others(account: Account) -> None:
    """Buy happened as it was recorded, View came late: only View, and any event, say so."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "event": "View"}], now=NOW)
    version = account.workspace.lake.at()
    asked = (["Buy"], ["View"], ["Buy", "View"], ["Any Event"], ["Add"])
    assert [version.as_it_happened(names) for names in asked] == [True, False, False, False, True]


def test_profiles_are_searched_only_where_a_user_has_two(account: Account) -> None:
    """One version each, then a second one; and before the one is known, it is not held yet."""
    account.ingest("profiles", people(2), now=NOW, recorded="now")
    plain = "SELECT * FROM profile_versions"
    version = account.workspace.lake.at()
    assert [version.profiles_at(at) == plain for at in (NOW, MAY)] == [True, False]
    account.ingest("profiles", [{**people(2)[1], "country": "DE"}], now=NOW)
    assert account.workspace.lake.at().profiles_at(NOW) != plain


def test_profiles_of_one_load_are_single(account: Account) -> None:
    """One version a user; a second load of new users keeps it so, a change of one user ends it."""
    account.ingest("profiles", people(3))
    assert contents(account, "profiles") == [{"latest": None, "codes": [0, 2], "one_each": True}]
    assert account.workspace.lake.at().single_profiles(MAY)
    account.ingest("profiles", people(5), now=NOW)
    assert contents(account, "profiles")[1] == {
        "latest": "2026-07-01T12:00:00+00:00", "codes": [3, 4], "one_each": True,
    }  # fmt: skip
    version = account.workspace.lake.at()
    assert version.single_profiles(NOW)
    assert not version.single_profiles(NOW - timedelta(microseconds=1))
    account.ingest("profiles", [{**people(3)[1], "country": "DE"}], now=NOW)
    assert contents(account, "profiles")[2]["codes"] == [1, 1]
    assert not account.workspace.lake.at().single_profiles(NOW)
    assert version.single_profiles(NOW)


def test_two_versions_in_one_file_are_told(account: Account) -> None:
    """Valid from May, then from June: not one each; the file is seen in full from June on."""
    rows = [{"user_id": "1", "plan": p, "since": t} for p, t in (("a", "2026-05-01"), ("b", "2026-06-01"))]
    account.ingest("profiles", rows, ts="since", timezone="UTC")
    (found,) = contents(account, "profiles")
    assert found == {"latest": "2026-06-01T00:00:00+00:00", "codes": [0, 0], "one_each": False}
    assert not account.workspace.lake.at().single_profiles(NOW)


def test_a_version_that_holds_later_than_it_was_recorded(account: Account) -> None:
    """Recorded in May for June: seen in June."""
    rows = [{"user_id": "1", "since": "2026-06-01T00:00:00Z", "told": "2026-05-01T00:00:00Z"}]
    account.ingest("profiles", rows, ts="since", recorded="told")
    assert contents(account, "profiles")[0]["latest"] == "2026-06-01T00:00:00+00:00"
    version = account.workspace.lake.at()
    assert [version.single_profiles(at) for at in (MAY, JUNE)] == [False, True]


def test_derived_profiles_have_the_facts(account: Account) -> None:
    """Known since the first event of each."""
    account.ingest("events", purchases(3))
    derive_profiles(account.workspace.lake, now=NOW)
    assert contents(account, "profiles") == [
        {"latest": "2026-06-30T12:00:00+00:00", "codes": [0, 2], "one_each": True}
    ]


def test_devices_say_by_when_they_are_seen(account: Account) -> None:
    """Devices have no code range: a user may have several."""
    account.ingest("devices", [{"user_id": "1", "device_id": "a"}, {"user_id": "1", "device_id": "b"}])
    account.ingest("devices", [{"user_id": "1", "device_id": "c"}], now=NOW)
    assert contents(account, "devices") == [{"latest": None}, {"latest": "2026-07-01T12:00:00+00:00"}]


@pytest.mark.parametrize(
    ("second", "single"),
    [
        ({"latest": None, "codes": [3, 5], "one_each": True}, True),
        ({"latest": None, "codes": [2, 5], "one_each": True}, False),
        ({"latest": None, "codes": [1, 1], "one_each": True}, False),
        ({"latest": None, "codes": [3, 5], "one_each": False}, False),
        ({"latest": "2026-06-01T00:00:00+00:00", "codes": [3, 5], "one_each": True}, True),
        ({"latest": "2026-06-01T00:00:01+00:00", "codes": [3, 5], "one_each": True}, False),
        ({"codes": [3, 5], "one_each": True}, False),
        ({}, False),
    ],
)
def test_single_profiles(second: dict[str, Any], single: bool) -> None:
    """Codes 0 to 2 in the first file; asked as of 1 June."""
    first = {"latest": None, "codes": [0, 2], "one_each": True}
    assert facts.single_profiles([first, second], JUNE) is single
    assert facts.single_profiles([second, first], JUNE) is single
