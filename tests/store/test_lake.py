"""A pinned version never changes, and a damaged lake answers nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts import NOW, SETTINGS, Account, make_account
from store.rows import rows

from workbench.errors import StoreError
from workbench.store import engine
from workbench.store.pinned import LakeVersion

BUY = {"user_id": "1", "event": "Buy", "ts": "2026-06-30T12:00:00Z", "price": 5, "note": "n" * 500}


def count(version: LakeVersion) -> int:
    """The events of a version."""
    connection = version.connect()
    ((found,),) = engine.rows(connection, "SELECT count(*) FROM events WHERE p_price + length(p_note) > 0")
    connection.close()
    return int(found)


def test_a_pinned_version_stays(account: Account) -> None:
    """A reader sees the same rows after later ingests, through the connection that it has and a new one."""
    account.ingest("events", [BUY])
    pinned = account.workspace.lake.at()
    open_ = pinned.connect()
    account.ingest("events", [{**BUY, "user_id": "2", "colour": "red"}])
    assert engine.rows(open_, "SELECT count(*) FROM events") == [(1,)]
    open_.close()
    assert count(pinned) == 1
    assert count(account.workspace.lake.at(1)) == 1
    assert count(account.workspace.lake.at()) == 2
    assert account.workspace.lake.at(0).files == ()


def test_an_empty_lake_has_its_views(account: Account) -> None:
    """Before the first ingest every view is there, with no row."""
    connection = account.workspace.lake.at().connect()
    views = ("users", "events", "profile_versions", "device_versions")
    assert [engine.rows(connection, f"SELECT count(*) FROM {view}") for view in views] == [[(0,)]] * 4
    connection.close()


@pytest.mark.parametrize("version", [-1, 2, 99])
def test_an_unknown_version_is_refused(account: Account, version: int) -> None:
    """There is no version beyond the newest."""
    account.ingest("events", [BUY])
    with pytest.raises(StoreError, match=f"the lake has versions 0 to 1, not {version}"):
        account.workspace.lake.at(version)


def truncate(path: Path) -> None:
    """Cut the end off."""
    path.write_bytes(path.read_bytes()[:-20])


def swap(path: Path) -> None:
    """Put a smaller sound Parquet file in its place."""
    connection = engine.connect()
    engine.execute(
        connection,
        f"COPY (SELECT * FROM read_parquet('{path}') WHERE false) TO '{path}.new' (FORMAT parquet)",
    )
    connection.close()
    Path(f"{path}.new").rename(path)


def scramble(path: Path) -> None:
    """Keep the size and spoil the pages."""
    content = bytearray(path.read_bytes())
    footer = int.from_bytes(content[-8:-4], "little") + 8
    content[4:-footer] = b"\xff" * (len(content) - footer - 4)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [Path.unlink, truncate, swap, scramble, lambda path: path.write_bytes(b"")]
)
def test_a_damaged_lake_answers_nothing(account: Account, damage) -> None:  # type: ignore[no-untyped-def]
    """A file that is gone, cut, replaced or spoilt is an error of one line, never a smaller count."""
    account.ingest("events", [{**BUY, "user_id": str(n)} for n in range(100)])
    account.ingest("events", [{**BUY, "user_id": str(n)} for n in range(100, 200)])
    assert count(account.workspace.lake.at()) == 200
    version = account.workspace.lake.at()
    damage(Path(version.paths("events")[0]))
    with pytest.raises(StoreError) as caught:
        count(version)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_file_that_vanishes_under_an_open_reader(account: Account) -> None:
    """The query that finds it gone fails; it does not answer from the rest."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    version = account.workspace.lake.at()
    connection = version.connect()
    Path(version.paths("events")[1]).unlink()
    with pytest.raises(StoreError):
        engine.rows(connection, "SELECT count(*) FROM events WHERE p_price + length(p_note) > 0")
    connection.close()


def test_names_of_files_are_never_sql(account: Account) -> None:
    """A state folder with quotes, blanks and globs in its name works like any other."""
    home = account.home.parent / 'it\'s [a] *weird* {b} "lake" #1 100%?'
    weird = make_account(home)
    weird.ingest("events", [BUY])
    assert [row["user_id"] for row in rows(weird)] == ["1"]


def test_the_catalogue_adds_up(account: Account) -> None:
    """Rows by event over all files, properties by event, the span; declared names beside them."""
    settings = SETTINGS + '\n[catalogue.events.Refund.properties]\namount = "number"\n'
    mine = make_account(account.home.parent / "declared", settings)
    mine.ingest("events", [BUY, {**BUY, "event": "View", "price": None}])
    mine.ingest("events", [{**BUY, "ts": "2026-05-01T00:00:00Z", "colour": "red"}])
    catalogue = mine.workspace.lake.at().catalogue
    assert {name: (e.rows, sorted(e.properties)) for name, e in catalogue.events.items() if name in {"Buy", "View", "Refund"}} == {
        "Buy": (2, ["colour", "note", "price"]), "View": (1, ["note"]), "Refund": (0, ["amount"]),
    }  # fmt: skip
    assert (catalogue.first_ts, catalogue.last_ts) == (
        datetime(2026, 5, 1, tzinfo=UTC),
        datetime(2026, 6, 30, 12, tzinfo=UTC),
    )
    assert catalogue.properties_of(["View", "Refund"]) == {"note", "amount"}
    assert catalogue.properties_of(["Any Event"]) == {"colour", "note", "price", "amount"}


def test_row_counts_come_from_the_file_list(account: Account) -> None:
    """The lake's own numbers are those of its files."""
    account.ingest("events", [BUY, BUY])
    account.ingest("profiles", [{"user_id": "1"}, {"user_id": "2"}])
    version = account.workspace.lake.at()
    assert {kind: version.rows(kind) for kind in ("users", "events", "profiles", "devices")} == {
        "users": 2, "events": 2, "profiles": 2, "devices": 0,
    }  # fmt: skip


def test_the_files_of_a_month_lie_together(account: Account) -> None:
    """A row goes to the UTC month of its time."""
    account.ingest("events", [{**BUY, "ts": f"2026-{m}T23:59:59-01:00"} for m in ("05-31", "06-15")])
    paths = [file.path.split("/")[1] for file in account.workspace.lake.at().files if file.kind == "events"]
    assert paths == ["month=2026-06"]


def test_events_received_later_are_not_seen(account: Account) -> None:
    """The second ingest of June's events, on 1 July, is not known on 30 June."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}], now=NOW)
    connection = account.workspace.lake.at().connect()
    seen = "SELECT count(*) FROM events WHERE ts <= $as_of AND coalesce(received_at, ts) <= $as_of"
    assert [engine.rows(connection, seen, {"as_of": NOW + timedelta(seconds=s)}) for s in (-1, 0)] == [
        [(1,)],
        [(2,)],
    ]
    connection.close()


def test_the_newest_version_is_read_once_and_replaced_by_the_next(tmp_path: Path) -> None:
    """Two workspaces of one account: what one ingests, the other sees with its next question."""
    first, second = make_account(tmp_path), make_account(tmp_path)
    first.ingest("profiles", [{"user_id": "ann"}])
    known = second.workspace.lake.at()
    assert second.workspace.lake.at() is known
    first.ingest("profiles", [{"user_id": "ben"}])
    found = second.workspace.lake.at()
    assert (known.version, found.version, found.rows("profiles")) == (1, 2, 2)
    assert second.workspace.lake.at(1).rows("profiles") == 1
