"""Profiles and devices: a version for each change, seen from when it held and was known."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from accounts import NOW, Account
from store.rows import rows, write

from workbench.errors import IngestError
from workbench.store.ingest import derive_profiles

ANN = {"user_id": "ann", "country": "US", "age": 30}


def day(text: str) -> datetime:
    """2026-06-30 as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def country(account: Account, as_of: str, user: str = "ann") -> Any:
    """The country of a user at the end of a day: the text, None when empty, "nobody" when unknown."""
    known = {
        row["user_id"]: row.get("country")
        for row in rows(account, "profiles", day(as_of) + timedelta(hours=23))
    }
    return known.get(user, "nobody")


def versions(account: Account) -> int:
    """How many versions the lake holds."""
    return account.workspace.lake.at().rows("profiles")


def test_only_a_change_makes_a_version(account: Account) -> None:
    """The same values again are duplicates; one other value is a version."""
    assert account.ingest("profiles", [ANN]).added == 1
    again = account.ingest("profiles", [ANN, {"user_id": "bob", "country": "DE", "age": None}])
    assert (again.read, again.added, again.duplicates, again.new_users) == (2, 1, 1, 1)
    assert account.ingest("profiles", [{**ANN, "age": 31}]).added == 1
    assert versions(account) == 3


def test_columns_that_a_file_does_not_name_are_kept(account: Account) -> None:
    """A file of e-mails does not clear countries; a new column with nothing in it is no change."""
    account.ingest("profiles", [ANN])
    assert account.ingest("profiles", [{"user_id": "ann", "email": "a@x.de"}]).added == 1
    assert account.ingest("profiles", [{"user_id": "ann", "vip": None}]).added == 0
    assert rows(account, "profiles", NOW) == [
        {"user_id": "ann", "country": "US", "age": 30.0, "email": "a@x.de", "recorded_at": NOW}
    ]


def test_an_explicit_null_clears(account: Account) -> None:
    """A named column without a value says that there is none."""
    account.ingest("profiles", [ANN])
    assert account.ingest("profiles", [{**ANN, "country": None}], now=NOW).added == 1
    assert country(account, "2026-06-30") == "US"
    assert country(account, "2026-07-01") is None


def test_the_last_row_of_a_user_counts(account: Account) -> None:
    """Of three rows for one user without times the last is the profile; the others are duplicates."""
    summary = account.ingest("profiles", [ANN, {**ANN, "country": "DE"}, {**ANN, "country": "FR"}])
    assert (summary.read, summary.added, summary.duplicates) == (3, 1, 2)
    assert country(account, "2026-07-01") == "FR"


def test_the_last_file_counts(account: Account) -> None:
    """Of two files in one call the later in order wins."""
    for name, value in (("a", "US"), ("b", "DE")):
        write(account, f"in/{name}.ndjson", json.dumps({**ANN, "country": value}))
    account.ingest_file("profiles", account.home / "in")
    assert country(account, "2026-07-01") == "DE"


def test_history_is_known_at_all_times_and_now_from_now(account: Account) -> None:
    """The first load is history; the change of 1 July does not move the answer for June."""
    assert account.ingest("profiles", [ANN]).recorded == "history"
    assert account.ingest("profiles", [{**ANN, "country": "DE"}], now=NOW).recorded == "now"
    assert [country(account, date) for date in ("2020-01-01", "2026-06-30", "2026-07-01")] == [
        "US",
        "US",
        "DE",
    ]
    assert account.workspace.lake.at().reconstructed


def test_versions_with_their_own_time(account: Account) -> None:
    """With --ts each row holds from its time; before the first one there is nobody."""
    moves = [("US", "2026-01-01"), ("DE", "2026-03-01"), ("FR", "2026-05-01")]
    rows_ = [{"user_id": "ann", "country": c, "since": f"{d}T00:00:00Z"} for c, d in moves]
    summary = account.ingest("profiles", [rows_[1], rows_[0], rows_[2]], ts="since")
    assert (summary.added, summary.duplicates) == (3, 0)
    dates = ("2025-12-31", "2026-01-01", "2026-02-28", "2026-03-01", "2026-07-01")
    assert [country(account, date) for date in dates] == ["nobody", "US", "US", "DE", "FR"]


def test_a_backfill_is_compared_with_its_own_time(account: Account) -> None:
    """January's row, ingested after June's, is news although June says the same; a repeat of it is not."""
    june = {"user_id": "ann", "country": "US", "since": "2026-06-01T00:00:00Z"}
    january, march = ({**june, "since": "2026-01-01T00:00:00Z"},
                      {**june, "country": "DE", "since": "2026-03-01T00:00:00Z"})  # fmt: skip
    account.ingest("profiles", [june], ts="since", recorded="history")
    assert account.ingest("profiles", [january, march], ts="since", recorded="history").added == 2
    assert account.ingest("profiles", [march, january], ts="since", recorded="history").added == 0
    assert [country(account, date) for date in ("2026-02-01", "2026-04-01", "2026-07-01")] == [
        "US",
        "DE",
        "US",
    ]


def test_a_plain_file_after_one_with_times(account: Account) -> None:
    """What is recorded now holds from now, over a version that carried its own time."""
    account.ingest(
        "profiles", [{"user_id": "ann", "country": "US", "since": "2026-06-01T00:00:00Z"}], ts="since"
    )
    plain = [{"user_id": "ann", "country": "DE"}]
    assert account.ingest("profiles", plain, now=NOW).added == 1
    assert [country(account, date) for date in ("2026-06-30", "2026-07-01")] == ["US", "DE"]
    assert account.ingest("profiles", [*plain, *plain], now=NOW + timedelta(days=1)).added == 0


def test_history_after_a_change_takes_its_place(account: Account) -> None:
    """A corrected load that is called history is what the newest version says from then on."""
    account.ingest("profiles", [ANN])
    account.ingest("profiles", [{**ANN, "country": "DE"}], now=NOW)
    account.ingest("profiles", [{**ANN, "country": "FR"}], now=NOW + timedelta(days=5), recorded="history")
    assert [country(account, date) for date in ("2026-06-30", "2026-07-01")] == ["US", "FR"]


def test_an_older_file_that_comes_again_holds_again(account: Account) -> None:
    """US, then DE, then the first file once more: the user is back in the US; and once more is no change."""
    path = write(account, "monday.ndjson", json.dumps(ANN))
    account.ingest_file("profiles", path)
    account.ingest("profiles", [{**ANN, "country": "DE"}], now=NOW)
    assert account.ingest_file("profiles", path, now=NOW + timedelta(days=1)).added == 1
    assert account.ingest_file("profiles", path, now=NOW + timedelta(days=2)).known_files == 1
    assert [country(account, d) for d in ("2026-06-30", "2026-07-01", "2026-07-02")] == ["US", "DE", "US"]


def test_a_column_says_when_it_was_recorded(account: Account) -> None:
    """Two rows of a user, recorded in two months, are two versions; neither is seen before it was known."""
    rows_ = [
        {"user_id": "ann", "country": c, "at": f"{d}T00:00:00Z"}
        for c, d in (("US", "2026-01-01"), ("DE", "2026-03-01"))
    ]
    assert account.ingest("profiles", rows_, recorded="at").added == 2
    assert [country(account, d) for d in ("2025-12-31", "2026-02-01", "2026-03-01")] == ["nobody", "US", "DE"]


def test_a_late_correction_is_not_seen_before_it_was_recorded(account: Account) -> None:
    """Valid since January, recorded in March: in February the old value was believed."""
    base = {"user_id": "ann", "since": "2026-01-01T00:00:00Z"}
    rows_ = [
        {**base, "country": "US", "at": "2026-01-01T00:00:00Z"},
        {**base, "country": "DE", "at": "2026-03-01T00:00:00Z"},
    ]
    assert account.ingest("profiles", rows_, ts="since", recorded="at").added == 2
    assert [country(account, d) for d in ("2026-02-01", "2026-03-01")] == ["US", "DE"]


def test_a_user_with_nothing_but_an_id_is_a_profile(account: Account) -> None:
    """One column is enough to be somebody."""
    assert account.ingest("profiles", [{"user_id": "ann"}]).added == 1
    assert country(account, "2026-07-01") is None


def test_ids_are_trimmed_and_never_empty(account: Account) -> None:
    """Blanks around an id do not make another user; blanks alone are no user."""
    account.ingest("profiles", [{"user_id": f"{n}", "age": 1} for n in range(200)])
    summary = account.ingest(
        "profiles", [{"user_id": f" {n} ", "age": 1} for n in range(200)] + [{"user_id": " ", "age": 1}]
    )
    assert (summary.new_users, summary.duplicates, summary.rejected) == (0, 200, 1)


def test_devices_are_kept_by_user_and_device(account: Account) -> None:
    """Two devices of one user, and one device of two users, are three."""
    device = {"user_id": "ann", "device_id": "d1", "os": "iOS", "last_seen": "2026-06-30T12:00:00Z"}
    summary = account.ingest("devices", [device, {**device, "device_id": "d2"}, {**device, "user_id": "bob"}])
    assert (summary.added, summary.new_users, summary.without_profile) == (3, 2, 2)
    assert account.ingest("devices", [{**device, "os": "iPadOS"}, {**device, "device_id": "d2"}]).added == 1
    found = [(row["user_id"], row["device_id"], row["os"]) for row in rows(account, "devices")]
    assert sorted(found) == [
        ("ann", "d1", "iOS"), ("ann", "d1", "iPadOS"), ("ann", "d2", "iOS"), ("bob", "d1", "iOS"),
    ]  # fmt: skip
    with pytest.raises(IngestError, match='no column "device_id"'):
        account.ingest("devices", [{"user_id": "ann", "os": "iOS"}])


BUY = {"user_id": "ann", "event": "Buy", "ts": "2026-03-01T12:00:00Z"}


def test_derived_profiles_begin_with_the_first_event(account: Account) -> None:
    """Who has events only becomes a profile without attributes, known since the first event was."""
    account.ingest("events", [BUY, {**BUY, "ts": "2026-02-01T12:00:00Z"}])
    assert account.workspace.lake.at().rows("profiles") == 0
    summary = derive_profiles(account.workspace.lake, now=NOW)
    assert (summary.read, summary.added) == (1, 1)
    assert [country(account, d) for d in ("2026-01-31", "2026-02-01")] == ["nobody", None]
    assert derive_profiles(account.workspace.lake, now=NOW).added == 0


def test_derived_profiles_are_not_known_before_their_events_arrived(account: Account) -> None:
    """An event of February that was received in April makes nobody known in March."""
    account.ingest("events", [{**BUY, "at": "2026-04-01T00:00:00Z"}], recorded="at")
    derive_profiles(account.workspace.lake, now=NOW)
    assert [country(account, d) for d in ("2026-03-15", "2026-04-01")] == ["nobody", None]


@pytest.mark.parametrize("recorded", [None, "now", "history"])
def test_real_profiles_replace_derived_ones(account: Account, recorded: str | None) -> None:
    """However it is recorded, the first real file is what holds afterwards."""
    account.ingest("events", [BUY])
    derive_profiles(account.workspace.lake, now=NOW)
    account.ingest("profiles", [ANN], now=NOW, recorded=recorded)
    assert country(account, "2026-07-01") == "US"
    assert country(account, "2026-06-30") == ("US" if recorded == "history" else None)
    assert account.ingest("profiles", [ANN, ANN], now=NOW).added == 0
