"""The throwaway copy: it holds what the account holds, touches nothing of it, and knows nobody to tell."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts import NOW, Account
from export.sendable import CREDENTIALS as KNOWN

from workbench import runs
from workbench.errors import InputError, StoreError
from workbench.export.client import Client
from workbench.export.ledger import RequestState
from workbench.export.sandbox import Receiver
from workbench.rehearsal import copying
from workbench.rehearsal.copying import Stage
from workbench.store import copied, tables
from workbench.store.compact import compact
from workbench.store.database import Database
from workbench.store.lake import utc_now
from workbench.store.sweep import sweep
from workbench.store.versions import content_digest
from workbench.workspace import open_workspace

DATABASES = ["shop", pytest.param("team", marks=pytest.mark.postgres)]


@contextmanager
def staged(account: Account, folder: Path, url: str = "http://127.0.0.1:9/v2") -> Iterator[Stage]:
    """A copy of an account."""
    with (
        closing(Database(f"sqlite:///{folder / 'all.db'}")) as source,
        copying.folder(folder / "rehearsal") as here,
    ):
        copied.copy(account.workspace.database, source)
        credentials = copying.throwaway()
        with copying.stage(
            account.workspace, source, here / "one", url=url, credentials=credentials, database=None
        ) as found:
            yield found


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with database.reading() as sql:
        return {
            table.name: sorted(map(tuple, sql.execute(sa.select(table))), key=repr)
            for table in tables.metadata.sorted_tables
        }


def files(account: Account) -> dict[str, str]:
    """The digest of every file of an account, its database first brought into one file."""
    database = account.workspace.database
    if database.is_sqlite:
        database.close()
    found = sorted(path for path in account.home.rglob("*") if path.is_file())
    return {
        str(path.relative_to(account.home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found
    }


@pytest.mark.parametrize("kind", DATABASES)
def test_every_row_is_copied(
    request: pytest.FixtureRequest, receiver: Receiver, tmp_path: Path, kind: str
) -> None:
    """Runs, requests, versions and the lake's files, of SQLite and of PostgreSQL, into SQLite."""
    account: Account = request.getfixturevalue(kind)
    runs.execute(account.workspace, runs.plan(account.workspace, "hello", as_of=NOW))
    before = rows(account.workspace.database)
    assert (len(before["requests"]), len(before["runs"])) == (5, 1)
    assert len(before["lake_files"]) >= 3
    with staged(account, tmp_path) as stage:
        assert rows(stage.workspace.database) == before
        assert stage.workspace.database.is_sqlite
        stage.workspace.database.check()
    assert rows(account.workspace.database) == before


@pytest.mark.postgres
def test_the_copy_may_be_on_a_server(shop: Account, postgres_database: str) -> None:
    """From SQLite to an empty PostgreSQL, which is empty again afterwards."""
    with closing(Database(postgres_database)) as target:
        copied.refuse_full(target)
        copied.copy(shop.workspace.database, target)
        assert rows(target) == rows(shop.workspace.database)
        with pytest.raises(
            InputError, match='has tables already, "alembic_version" among them: give an empty one'
        ):
            copied.refuse_full(target)
        copied.empty(target)
        copied.refuse_full(target)


def test_what_the_copy_writes_and_deletes_is_its_own(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """It sends, writes held-out events, compacts and sweeps: no file of the account is another one."""
    for day in range(3):
        shop.ingest("events", [{"user_id": "1", "event": "Visit", "ts": f"2026-06-0{day + 1}T12:00:00Z"}])
    before = files(shop)
    with staged(shop, tmp_path, receiver.url) as stage:
        lake = stage.workspace.lake
        client = Client(receiver.url, KNOWN, stage.workspace.settings.mparticle)
        receipt = runs.execute(stage.workspace, runs.plan(stage.workspace, "hello", as_of=NOW), client=client)
        assert receipt.users[RequestState.ACCEPTED] == 500
        assert lake.at().catalogue.events["Control Group"].rows > 0
        compact(lake, stage.workspace.settings, now=utc_now())
        with lake.writing():
            assert sweep(lake, now=utc_now() + timedelta(days=30), keep_days=1) > 3
    assert files(shop) == before


def test_the_copy_sends_to_its_receiver_whatever_the_environment_says(
    shop: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither URL nor key nor database of the real account reach it, nor a process that it starts."""
    monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", "https://s2s.mparticle.com/v2")
    monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", "real-key")
    monkeypatch.setenv("WORKBENCH_MPARTICLE_SECRET", "real-secret")
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", f"sqlite:///{tmp_path / 'real.db'}")
    with staged(shop, tmp_path) as stage:
        settings = stage.workspace.settings
        assert settings.mparticle_url == "http://127.0.0.1:9/v2"
        assert settings.receiver == "localhost"
        assert settings.database_url == f"sqlite:///{stage.folder}/state/ledger.db"
        assert stage.client().url == "http://127.0.0.1:9/v2/bulkevents"
        environment = stage.environment()
        assert "WORKBENCH_MPARTICLE_URL" not in environment
        assert environment["WORKBENCH_DATABASE_URL"] == settings.database_url
        assert (
            environment["WORKBENCH_MPARTICLE_KEY"] == stage.credentials.key.get_secret_value() != "real-key"
        )
        assert "real" not in "".join(
            text for name, text in environment.items() if name.startswith("WORKBENCH_MPARTICLE")
        )
    assert not (tmp_path / "real.db").exists()


def test_what_decides_about_bytes_stays(shop: Account, tmp_path: Path) -> None:
    """Account, salt, identities, environment and concurrency are the real ones; pacing is off."""
    declared = (
        '\n[catalogue.events."A \\"b\\""]\nproperties = { "x.y" = "number" }\n[sources.e]\nkind = "events"\n'
    )
    shop.config.write_text(shop.config.read_text(encoding="utf-8") + declared, encoding="utf-8")
    shop = Account(home=shop.home, workspace=open_workspace(shop.config))
    with staged(shop, tmp_path) as stage:
        ours, theirs = shop.workspace.settings, stage.workspace.settings
        assert (theirs.account, theirs.identities, theirs.consent) == (
            ours.account,
            ours.identities,
            ours.consent,
        )
        assert (theirs.catalogue, theirs.sources) == (ours.catalogue, ours.sources)
        assert theirs.mparticle.environment == ours.mparticle.environment
        assert theirs.mparticle.in_flight == ours.mparticle.in_flight
        assert theirs.mparticle.batches_per_second == 1_000_000
        assert (stage.folder.stat().st_mode & 0o777, stage.folder.parent.stat().st_mode & 0o777) == (
            0o700,
            0o700,
        )
        linked = [path for path in stage.folder.rglob("*.parquet") if path.is_symlink()]
        assert len(linked) == len(list(shop.home.rglob("*.parquet"))) > 2


def test_the_copy_knows_no_address(shop: Account, tmp_path: Path) -> None:
    """Every version of a campaign alerts nobody, and is still what was saved."""
    for number in (1, 2):
        shop.save_campaign("told", "buyers", cap={"per_run": number}, alert_to=["json://127.0.0.1:9/hook"])
    with staged(shop, tmp_path) as stage:
        for number in (1, 2):
            copy = stage.workspace.campaigns.get("told", number)
            assert copy.campaign.alert_to == ("json://${WORKBENCH_REHEARSAL_TELLS_NOBODY}",)
            assert copy.stored.digest == content_digest(copy.stored.body)
    assert shop.workspace.campaigns.get("told").campaign.alert_to == ("json://127.0.0.1:9/hook",)


@pytest.mark.parametrize(("host", "to_send"), [("s2s.mparticle.com", 500), ("localhost", 1000)])
def test_earlier_runs_to_the_real_receiver_count_for_caps(
    shop: Account,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    to_send: int,
) -> None:
    """A plan with a frequency cap is the same in the copy; a run to a sandbox of before does not count."""
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    table = tables.runs
    with shop.workspace.database.transaction() as sql:
        sql.execute(table.update().values(receiver=host))
    real = shop.config.read_text(encoding="utf-8").replace(
        "http://127.0.0.1:9/v2", "https://s2s.mparticle.com/v2"
    )
    shop.config.write_text(real + "\n[frequency]\nmessages = 1\ndays = 7\n", encoding="utf-8")
    monkeypatch.delenv("WORKBENCH_MPARTICLE_URL")
    account = Account(home=shop.home, workspace=open_workspace(shop.config))
    account.save_campaign("second", "buyers")
    now = utc_now()
    theirs = runs.plan(account.workspace, "second", as_of=NOW, now=now)
    assert theirs.to_send == to_send
    with staged(account, tmp_path) as stage:
        ours = runs.plan(stage.workspace, "second", as_of=NOW, now=now)
        assert ours.verdicts.equals(theirs.verdicts)
        assert ours.seen == theirs.seen


@pytest.mark.parametrize("kind", DATABASES)
def test_rows_are_those_of_one_instant(request: pytest.FixtureRequest, kind: str) -> None:
    """What is committed while a copy is read is not in it."""
    account: Account = request.getfixturevalue(kind)
    count = sa.select(sa.func.count()).select_from(tables.campaigns)
    with account.workspace.database.snapshot() as reading:
        assert reading.scalar(count) == 1
        account.save_campaign("meanwhile", "buyers")
        assert reading.scalar(count) == 1
    with account.workspace.database.reading() as reading:
        assert reading.scalar(count) == 2


def test_a_folder_to_keep_is_new(tmp_path: Path) -> None:
    """What is in a folder is not mixed with a rehearsal; without one, nothing is left."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="holds something already"), copying.folder(tmp_path / "full"):
        pass
    with copying.folder(tmp_path / "kept") as kept:
        pass
    with copying.folder(None) as gone:
        assert gone.stat().st_mode & 0o777 == 0o700
        (gone / "file").touch()
    assert (kept.exists(), gone.exists()) == (True, False)
    with (
        pytest.raises(StoreError, match="the rehearsal's folder cannot be made"),
        copying.folder(tmp_path / "full" / "file" / "below"),
    ):
        pass
