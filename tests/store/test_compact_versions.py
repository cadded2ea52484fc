"""A compaction keeps older versions of the lake for those who read them, and then says that they are gone."""

from datetime import timedelta
from pathlib import Path

import pytest
from accounts import NOW, SETTINGS, Account, make_account
from store.crowded import BUY, DAY, contents, known, merged, on_disk

from workbench.errors import StoreError
from workbench.export.ledger import Run, RunState
from workbench.store.sweep import sweep


def test_an_old_version_is_read_for_the_kept_days(account: Account) -> None:
    """Seven days by default; then the next writer deletes the files, and the version says so."""
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    lake = account.workspace.lake
    old = lake.at()
    rows = contents(old)
    merged(account, NOW)
    account.ingest("events", [{**BUY, "user_id": "3"}], now=NOW + 7 * DAY - timedelta(microseconds=1))
    assert contents(lake.at(2)) == rows
    assert lake.oldest() == 0
    account.ingest("events", [{**BUY, "user_id": "4"}], now=NOW + 7 * DAY)
    for version in (1, 2):
        with pytest.raises(StoreError) as caught:
            lake.at(version)
        assert str(caught.value) == (
            f"lake version {version} was compacted away on 2026-07-08; the oldest that can be read is 3"
        )
    assert lake.oldest() == 3
    assert len(contents(lake.at(3))["events"]) == 2
    assert len(contents(lake.at())["events"]) == 4
    assert on_disk(account) == known(account)
    with pytest.raises(StoreError, match="cannot be read"):
        old.connect()


@pytest.mark.postgres
def test_versions_go_alike_beside_postgres(tmp_path: Path, postgres_database: str) -> None:
    """Merge, keep, delete, and the sentence of the version that is gone."""
    settings = SETTINGS + f'\n[store]\ndatabase = "{postgres_database}"\n'
    account = make_account(tmp_path / "home", settings)
    lake = account.workspace.lake
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    rows = contents(lake.at())
    merged(account, NOW)
    assert contents(lake.at()) == contents(lake.at(2)) == rows
    sweep(lake, now=NOW + 7 * DAY, keep_days=7)
    with pytest.raises(StoreError, match="lake version 2 was compacted away on 2026-07-08"):
        lake.at(2)
    assert contents(lake.at()) == rows
    assert on_disk(account) == known(account)
    account.workspace.database.close()


def test_the_kept_days_are_a_setting(tmp_path: Path) -> None:
    """One day."""
    account = make_account(tmp_path / "home", SETTINGS + "\n[store]\nkeep_removed_days = 1\n")
    for user in "ab":
        account.ingest("events", [{**BUY, "user_id": user}])
    merged(account, NOW)
    assert len(on_disk(account)) == 6
    account.ingest("events", [{**BUY, "user_id": "c"}], now=NOW + DAY)
    assert on_disk(account) == known(account)


def test_a_run_that_is_not_complete_keeps_its_version(account: Account) -> None:
    """The files that a run reads stay, however old; those that none reads go. With the run's end all go."""
    lake = account.workspace.lake
    account.ingest("events", [BUY])
    account.ingest("events", [{**BUY, "user_id": "2"}])
    merged(account, NOW)
    account.ingest("events", [{**BUY, "user_id": "3"}])
    merged(account, NOW)
    reserve(account, lake_version=2)
    sweep(lake, now=NOW + 30 * DAY, keep_days=7)
    assert len(contents(lake.at(2))["events"]) == 2
    with pytest.raises(StoreError, match=r"lake version 3 was compacted away on 2026-07-31; .* read is 5"):
        lake.at(3)
    with lake.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE runs SET finished_at = '2026-08-01T00:00:00.000000Z'")
    sweep(lake, now=NOW + 31 * DAY, keep_days=7)
    with pytest.raises(StoreError, match="lake version 2 was compacted away on 2026-08-01"):
        lake.at(2)
    assert on_disk(account) == known(account)


def reserve(account: Account, lake_version: int) -> None:
    """Record a run that was reserved and sent nothing yet."""
    run = Run(
        run_id="r-1", campaign_id="r", campaign_version=1, occurrence=NOW, as_of=NOW,
        lake_version=lake_version, environment="development", state=RunState.RUNNING, audience_path="a",
        audience_digest="d", bodies_path="b", receiver="localhost", key_digest="k", salt_digest="s",
        qualified=0, verdicts=[], created_at=NOW, created_by="t",
    )  # fmt: skip
    assert account.workspace.ledger.reserve(run, []) == "done"
