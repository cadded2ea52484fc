"""Versioned documents: a version for each change, also when two people save at once."""

import threading
from datetime import timedelta

import pytest
from accounts import NOW, Account

from workbench.errors import NotFoundError
from workbench.store import tables
from workbench.store.database import Database
from workbench.store.versions import Versions, content_digest


def library(account: Account) -> Versions:
    """The table of segments as plain documents."""
    return Versions(account.workspace.database, tables.segments, "segment")


def test_only_new_content_is_a_version(account: Account) -> None:
    """The order of keys does not matter; the order of a list does; going back is a version."""
    versions = library(account)
    bodies = [{"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, {"a": 1, "b": [2, 1]}, {"a": 1, "b": [1, 2]}]
    assert [versions.save("s", body, now=NOW).version for body in bodies] == [1, 1, 2, 3]
    assert versions.get("s", 2).body == {"a": 1, "b": [2, 1]}
    assert versions.get("s").digest == versions.get("s", 1).digest
    assert versions.first_saved("s") == NOW
    assert (versions.get("s").created_by, versions.get("s").created_at) == ("tester", NOW)


def test_archive(account: Account) -> None:
    """Out of the lists, found by version, alive again when saved."""
    versions = library(account)
    versions.save("s", {"a": 1}, now=NOW)
    versions.save("t", {"a": 1}, now=NOW)
    versions.archive("s", now=NOW + timedelta(days=1))
    assert versions.ids() == ["t"]
    assert versions.find("s") is None
    assert versions.get("s", 1).archived_at == NOW + timedelta(days=1)
    with pytest.raises(NotFoundError):
        versions.get("s")
    assert versions.save("s", {"a": 1}, now=NOW).version == 2
    assert versions.ids() == ["s", "t"]


def test_what_is_not_there_is_told(account: Account) -> None:
    """An unknown id names the nearest; an unknown version says so."""
    versions = library(account)
    versions.save("buyers", {"a": 1}, now=NOW)
    with pytest.raises(NotFoundError, match=r'unknown segment "buyer"\. Did you mean "buyers"\?'):
        versions.get("buyer")
    with pytest.raises(NotFoundError, match='segment "buyers" has no version 2'):
        versions.get("buyers", 2)


def test_the_digest_is_pinned() -> None:
    """Canonical JSON: sorted keys, no blanks, UTF-8; the hash is a fact outside this program."""
    assert content_digest({"b": "é", "a": [1, 2.5, None]}) == content_digest({"a": [1, 2.5, None], "b": "é"})
    assert content_digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def race(url: str, savers: int = 4, saves: int = 5) -> None:
    """Several threads save new versions of one document at once; each gets its own back."""
    failures: list[BaseException] = []
    got: list[int] = []
    begin = threading.Barrier(savers)

    def work(number: int) -> None:
        database = Database(url)
        versions = Versions(database, tables.segments, "segment")
        begin.wait(30)
        try:
            for n in range(saves):
                body = {"saver": number, "n": n}
                saved = versions.save("s", body, now=NOW)
                assert saved.body == body
                got.append(saved.version)
        except BaseException as error:
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(savers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(got) == list(range(1, savers * saves + 1))


def test_concurrent_saves_on_sqlite(account: Account) -> None:
    """20 saves of four threads are 20 versions, none lost, none mixed up."""
    race(account.workspace.settings.database_url)


@pytest.mark.postgres
def test_concurrent_saves_on_postgres(postgres_database: str) -> None:
    """The same where nothing serialises them but the primary key."""
    database = Database(postgres_database)
    database.migrate()
    database.close()
    race(postgres_database)
