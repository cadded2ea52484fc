from datetime import UTC, datetime
from pathlib import Path

import pytest
from accounts import NOW, Account, make_account

from workbench.errors import StoreError
from workbench.segments import codec
from workbench.store import tallies
from workbench.store.compact import compact
from workbench.workspace import VECTORS

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
THREE_TIMES = codec.from_json({
    "name": "three times",
    "condition": {
        "kind": "did", "events": ["Viewed"], "measure": {"function": "count", "operator": ">=", "values": [3]},
    },
})  # fmt: skip


def rows(user: str, event: str, *days: int, month: int = 2) -> list[dict[str, str]]:
    return [{"user_id": user, "event": event, "ts": f"2026-{month:02}-{day:02}T10:00:00Z"} for day in days]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Ann viewed five times in two months, Ben twice; an event is frequent from four rows on."""
    monkeypatch.setattr(tallies, "FEWEST", 4)
    account = make_account(tmp_path)
    account.ingest("profiles", [{"user_id": user} for user in ("ann", "ben", "cem")], recorded="history")
    viewed = rows("ann", "Viewed", 1, 2, 3) + rows("ben", "Viewed", 4) + rows("ben", "Bought", 5)
    earlier = rows("ann", "Viewed", 1, 1, month=1) + rows("ben", "Viewed", 1, month=1)
    account.ingest("events", viewed + earlier, recorded="history")
    return account


def test_a_frequent_event_is_counted_beside_its_file(shop: Account) -> None:
    """February has four views; January three, too few, and one purchase is no tally either."""
    lake = shop.workspace.lake.at()
    (tally,) = [file for file in lake.files if file.kind == tallies.KIND]
    assert tally.contents["tallies"] == {"Viewed": "uint8"}
    counts = tallies.read(lake.lake / tally.path, tally.contents["tallies"], "Viewed")
    assert counts.tolist() == [3, 1, 0]


def test_a_count_adds_tallies_and_rows(shop: Account) -> None:
    """February from its tally, January from its rows: five and two."""
    VECTORS.clear()
    lake = shop.workspace.lake.at()
    assert shop.workspace.ask(THREE_TIMES, lake, AS_OF).users["user_code"].to_list() == [0]
    before_february = datetime(2026, 2, 1, tzinfo=UTC)
    assert shop.workspace.ask(THREE_TIMES, lake, before_february).users.height == 0
    second_day = datetime(2026, 2, 2, tzinfo=UTC)
    assert shop.workspace.ask(THREE_TIMES, lake, second_day).users["user_code"].to_list() == [0]


def test_a_user_who_came_later_is_not_in_an_older_tally(shop: Account) -> None:
    """Dan has code 3; the tally of February ends at 2."""
    shop.ingest("profiles", [{"user_id": "dan"}], recorded="history")
    shop.ingest("events", rows("dan", "Viewed", 20, 21, 22, 23), recorded="history")
    lake = shop.workspace.lake.at()
    assert shop.workspace.ask(THREE_TIMES, lake, AS_OF).users["user_code"].to_list() == [0, 3]


def test_compaction_counts_anew(shop: Account) -> None:
    """Two files of February and their tallies become one of each; the answer stays."""
    shop.ingest("events", rows("ben", "Viewed", 10, 11, 12, 13), recorded="history")
    workspace = shop.workspace
    before = workspace.ask(THREE_TIMES, workspace.lake.at(), AS_OF).users["user_code"].to_list()
    compact(workspace.lake, workspace.settings, now=NOW)
    lake = workspace.lake.at()
    (tally,) = [file for file in lake.files if file.kind == tallies.KIND]
    counts = tallies.read(lake.lake / tally.path, tally.contents["tallies"], "Viewed")
    assert counts.tolist() == [3, 5, 0]
    VECTORS.clear()
    assert workspace.ask(THREE_TIMES, lake, AS_OF).users["user_code"].to_list() == before == [0, 1]


def test_a_truncated_tally_is_an_error(shop: Account) -> None:
    """Never a count without it."""
    lake = shop.workspace.lake.at()
    path = next(lake.lake / file.path for file in lake.files if file.kind == tallies.KIND)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StoreError, match="is damaged"):
        shop.workspace.ask(THREE_TIMES, lake, AS_OF)
