"""The ledger on both databases: migrations, two writers, refusals without a secret in them."""

import subprocess
import sys
import traceback
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts import NOW, SETTINGS, Account, make_account
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from store.rows import rows

from workbench.errors import InputError, SettingsError, StoreError
from workbench.store import tables
from workbench.store.database import Database
from workbench.workspace import open_workspace

VERSION = {"version": 1, "created_at": NOW, "created_by": "t"}


def differences(database: Database) -> list[object]:
    """What the tables have that the metadata has not, and the other way round."""
    with database.transaction() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, tables.metadata))


def check_migrations(url: str) -> None:
    """Migrate twice, compare, and write and read every kind of value."""
    database = Database(url)
    with pytest.raises(StoreError, match="the ledger is at version none"):
        database.check()
    database.migrate()
    database.migrate()
    database.check()
    assert differences(database) == []
    local = datetime(2026, 7, 1, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    file = {
        "path": "p", "kind": "events", "added": 1, "row_count": 2**40, "bytes": 2**40, "first_ts": local,
        "last_ts": datetime(1, 1, 1, tzinfo=UTC), "contents": {"é": ["NO", 1.5, None, True]},
    }  # fmt: skip
    with database.transaction() as connection:
        connection.execute(tables.lake_files.insert().values(**file))
    with database.reading() as connection:
        (row,) = connection.execute(sa.select(tables.lake_files)).mappings()
    database.close()
    assert {key: row[key] for key in file} == file


def test_migrations_on_sqlite(tmp_path: Path) -> None:
    """The migrations make exactly the tables that the code describes."""
    check_migrations(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.mark.postgres
def test_migrations_on_postgres(postgres_database: str) -> None:
    """The same on PostgreSQL."""
    check_migrations(postgres_database)


def check_read_only(url: str) -> None:
    """A read-only door reads, and refuses every write with exit code 4."""
    writer, reader = Database(url), Database(url, read_only=True)
    writer.migrate()
    with writer.transaction() as connection:
        connection.execute(tables.lake_versions.insert().values(**VERSION))
    reader.check()
    with reader.reading() as connection:
        assert connection.scalar(sa.select(tables.lake_versions.c.version)) == 1
    with pytest.raises(StoreError) as caught, reader.transaction() as connection:
        connection.execute(tables.lake_versions.insert().values(**{**VERSION, "version": 2}))
    assert caught.value.exit_code == 4
    with writer.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.lake_versions)) == 1
    reader.close()
    writer.close()


@pytest.mark.parametrize("name", ["ledger.db", "a b#c%20?d&e=f.db", "it's.db"])
def test_read_only_sqlite(tmp_path: Path, name: str) -> None:
    """Also where the path holds the signs of a URL."""
    check_read_only(sa.URL.create("sqlite", database=str(tmp_path / name)).render_as_string())


@pytest.mark.postgres
def test_read_only_postgres(postgres_database: str) -> None:
    """The server refuses, not only our code."""
    check_read_only(postgres_database)


def test_a_read_only_door_makes_no_file(tmp_path: Path) -> None:
    """A dashboard on a ledger that is not there says so and creates nothing."""
    with pytest.raises(StoreError, match="unable to open database file"):
        Database(f"sqlite:///{tmp_path / 'none.db'}", read_only=True).check()
    assert list(tmp_path.iterdir()) == []


def test_a_naive_time_is_refused(account: Account) -> None:
    """An instant without a zone never reaches a table."""
    naive = datetime.fromisoformat("2026-07-01T12:00:00")
    with pytest.raises((StoreError, ValueError)), account.workspace.database.transaction() as connection:
        connection.execute(tables.lake_versions.insert().values(**{**VERSION, "created_at": naive}))


def test_instants_sort_as_text() -> None:
    """Equal width, UTC, so that the database compares what we compare."""
    instant = tables.Instant()
    texts = [
        instant.process_bind_param(value, sa.create_engine("sqlite://").dialect)
        for value in (
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(2026, 7, 1, 12, tzinfo=UTC),
            datetime(9999, 12, 31, tzinfo=UTC),
        )
    ]
    assert texts == [
        "0001-01-01T00:00:00.000000Z",
        "2026-07-01T12:00:00.000000Z",
        "9999-12-31T00:00:00.000000Z",
    ]


WRITER = """
import sys
from datetime import UTC, datetime
from workbench.segments import codec
from workbench.workspace import open_workspace
workspace = open_workspace(sys.argv[1])
scope = workspace.scope(workspace.lake.at())
for n in range(15):
    named = {"property": "country", "operator": "=", "values": [sys.argv[2] + str(n)]}
    tree = {"kind": "user", "predicate": named}
    segment = codec.from_json({"name": "shared", "condition": tree})
    workspace.segments.save(segment, scope, now=datetime.now(UTC))
"""


def write_from_processes(home: Path, settings: str) -> None:
    """Two processes open a new account at the same moment and save 15 versions each of one segment."""
    home.mkdir()
    config = home / "workbench.toml"
    config.write_text(settings, encoding="utf-8")
    command = [sys.executable, "-c", WRITER, str(config)]
    writers = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    for writer in writers:
        _, told = writer.communicate(timeout=120)
        assert writer.returncode == 0, told
    workspace = open_workspace(config)
    conditions = [workspace.segments.get("shared", n).segment.condition for n in range(1, 31)]
    workspace.database.close()
    found = [condition.predicate.values[0] for condition in conditions]  # type: ignore[union-attr]
    assert sorted(found) == sorted(f"{name}{n}" for name in "ab" for n in range(15))
    assert [name for name in found if name[0] == "a"] == [f"a{n}" for n in range(15)]


def test_two_processes_write_to_sqlite(tmp_path: Path) -> None:
    """One makes the tables, the other waits for it; 30 saves, none lost, each in its own version."""
    write_from_processes(tmp_path / "home", SETTINGS)


@pytest.mark.postgres
def test_two_processes_write_to_postgres(tmp_path: Path, postgres_database: str) -> None:
    """The same on PostgreSQL."""
    write_from_processes(tmp_path / "home", SETTINGS + f'\n[store]\ndatabase = "{postgres_database}"\n')


@pytest.mark.postgres
def test_a_lake_beside_postgres(tmp_path: Path, postgres_database: str) -> None:
    """Ingest, versions and catalogue work alike, names with quotes and NUL values included."""
    settings = SETTINGS + f'\n[store]\ndatabase = "{postgres_database}"\n'
    account = make_account(tmp_path / "home", settings)
    row = {"user_id": "1", "event": "Buy\0", "ts": "2026-06-30T12:00:00Z", 'x"; --': "a\0b", "n" * 200: 1}
    account.ingest("events", [row])
    account.ingest("events", [row, {**row, "user_id": "2"}])
    assert [found["user_id"] for found in rows(account)] == ["1", "2"]
    assert account.workspace.lake.at().catalogue.events["Buy\0"].rows == 2
    account.workspace.database.close()


def test_an_unreachable_server(tmp_path: Path) -> None:
    """Exit code 4, the host, and neither the password nor the user's name."""
    database = Database("postgresql+psycopg://someone:s3cret@127.0.0.1:9/db?password=s3cret2")
    for door in (database.migrate, database.check):
        with pytest.raises(StoreError, match=r"the ledger \(postgresql at 127\.0\.0\.1\) failed") as caught:
            door()
        assert caught.value.exit_code == 4
        assert "s3cret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert "s3cret" not in repr(database)
    assert database.told == "PostgreSQL at 127.0.0.1:9, database db"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////srv/shop/ledger.db", "SQLite, /srv/shop/ledger.db"),
        ("sqlite://", "SQLite, in memory"),
        ("postgresql+psycopg://u:s3cret@db.example.com/shop", "PostgreSQL at db.example.com, database shop"),
        ("postgresql+psycopg://u:s3cret@/shop?host=/run/pg&password=s3cret", "PostgreSQL at a local socket, database shop"),
    ],
)  # fmt: skip
def test_what_people_are_told_of_a_database(url: str, told: str) -> None:
    """Its file or its server, without user and password."""
    assert Database(url).told == told


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "",
        "postgresql+psycopg://u:s3cret@h:port/db",
        "oracle+none://u:s3cret@h/db",
        "postgresql+psycopg://u:p@s3cret@h/db",
        "postgresql+psycopg://u:s3cret/db",
    ],
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    """Told without the URL, which may hold a password."""
    with pytest.raises(
        InputError, match="the ledger's URL cannot be used: one is written as postgresql"
    ) as caught:
        Database(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_what_was_written_is_in_no_error(account: Account) -> None:
    """A notebook shows what an error comes from: the statement, and no value of it."""
    with pytest.raises(StoreError) as caught, account.workspace.database.transaction() as sql:
        sql.execute(sa.text("INSERT INTO nowhere VALUES (:who)"), {"who": "s3cret"})
    assert "s3cret" not in str(caught.value.__cause__)


def test_a_password_in_the_settings_is_refused(tmp_path: Path) -> None:
    """It belongs in the environment; the message does not repeat it."""
    config = tmp_path / "workbench.toml"
    config.write_text(
        SETTINGS + '\n[store]\ndatabase = "postgresql+psycopg://u:s3cret@h/db"\n', encoding="utf-8"
    )
    with pytest.raises(SettingsError, match="a password does not belong in this file") as caught:
        open_workspace(config)
    assert "s3cret" not in str(caught.value)


def test_a_newer_ledger_is_refused(account: Account) -> None:
    """An older workbench does not touch what a newer one wrote."""
    database = account.workspace.database
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer workbench"):
        Database(account.workspace.settings.database_url).migrate()
    with pytest.raises(StoreError, match="the ledger is at version 9999"):
        Database(account.workspace.settings.database_url, read_only=True).check()
