"""Custom lists: who is matched, what is told of every row, and what stays after a failure."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from accounts import NOW, SETTINGS, Account, make_account

from workbench.errors import IngestError
from workbench.segments import codec, qualify
from workbench.store import engine
from workbench.store.ingest import ListSummary, import_list

PEOPLE = [
    {"user_id": "01", "email": "Ann@Example.com", "phone": "+1 555 01", "customer_id": "C1"},
    {"user_id": "02", "email": "both@example.com", "phone": "+1 555 02"},
    {"user_id": "03", "email": "both@example.com"},
    {"user_id": "04"},
]


@pytest.fixture
def people(tmp_path: Path) -> Account:
    """Four profiles, two of them with one address, and an event of somebody without a profile."""
    account = make_account(tmp_path / "home", SETTINGS + "[store]\nbad_row_share = 0.3\n")
    account.ingest("profiles", PEOPLE, recorded="now", now=NOW - timedelta(days=9))
    account.ingest("events", [{"user_id": "ghost", "event": "Buy", "ts": "2026-06-30T12:00:00Z"}])
    return account


def bring(account: Account, text: str, *, days: int = 0, **options: Any) -> ListSummary:
    """Import a text as the list ``vips``."""
    path = account.home / "list.csv"
    path.write_text(text, encoding="utf-8")
    workspace, now = account.workspace, NOW + timedelta(days=days)
    return import_list(workspace.lake, workspace.settings, "vips", str(path), now=now, **options)


def members(account: Account, *, days: int = 0, **fields: Any) -> list[str]:
    """The ids of the users of a segment that is the list ``vips``."""
    workspace = account.workspace
    version = workspace.lake.at()
    segment = codec.from_json({"name": "s", "condition": {"kind": "list", "list": "vips", **fields}})
    query = qualify.compiled(segment, NOW + timedelta(days=days), workspace.scope(version))
    connection = version.connect()
    users = dict(engine.rows(connection, "SELECT user_code, user_id FROM users"))
    found = sorted(users[code] for code in qualify.qualified(query, connection)["user_code"])
    connection.close()
    return found


def test_every_row_is_told_with_its_line(people: Account) -> None:
    """Ids and identities match, the rest is in the rejects file; the rows add up."""
    rows = [
        "g,01",
        "i,ann@EXAMPLE.com ",
        "i,BOTH@example.com",
        "g,99",
        "x,04",
        "g,",
        "g,ghost",
        "i,+1 555 02",
        "i,C1",
        "G,04",
    ]
    found = bring(people, "Type,Identity\n" + "\n".join(rows) + "\n")
    assert (found.read, found.matched, found.duplicates, found.unmatched, found.malformed) == (10, 3, 3, 2, 2)
    assert (found.users, found.version, found.is_new) == (4, 1, True)
    assert members(people) == ["01", "02", "03", "04"]
    assert found.rejects_path is not None
    with found.rejects_path.open(encoding="utf-8") as stream:
        told = [(int(row["line"]), row["reason"], row["value"]) for row in csv.DictReader(stream)]
    assert sorted(told) == [
        (3, "its users came before", "ann@EXAMPLE.com"), (5, "no profile fits", "99"),
        (6, "the type is neither g nor i", ""), (7, "no identity", ""), (8, "no profile fits", "ghost"),
        (9, "its users came before", "+1 555 02"), (10, "its users came before", "C1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "options", "users"),
    [
        ("user_id\n01\n004\n", {}, ["01"]), ("Email\nboth@example.com\n", {}, ["02", "03"]),
        ("who\nC1\n", {"identity": "customer_id"}, ["01"]), ("phone\n+1 555 02\n", {}, ["02"]),
        ("Identity;Type\n".replace("Identity;Type", "Type;Identity") + "g;03\n", {}, ["03"]),
        ('user_id\n"01"\n', {}, ["01"]),
    ],
)  # fmt: skip
def test_one_column_or_two(people: Account, text: str, options: dict[str, Any], users: list[str]) -> None:
    """A header says what one column holds, else an option does; the separator is recognised."""
    bring(people, text, **options)
    assert members(people) == users


def test_a_failed_import_keeps_the_last_good_list(people: Account) -> None:
    """Too many malformed rows, no match, another format: the version before stays the newest."""
    bring(people, "user_id\n01\n02\n")
    for text, reason in (
        ("Type,Identity\nx,01\ny,02\n", "2 of 2 rows are bad"),
        ("user_id\n98\n99\n", "none of its 2 rows fits a profile"),
        ("a,b\n1,2\n", "has the columns a, b"),
        ("someone\n01\n", 'say what "someone" holds'),
        ('Type,Identity\ng,"01\n', "a quote opens and never closes"),
    ):
        with pytest.raises(IngestError, match=reason):
            bring(people, text, days=1)
    assert members(people, days=2) == ["01", "02"]
    assert [item.version for item in people.workspace.lake.at().catalogue.lists["vips"]] == [1]


def test_each_import_is_a_version_and_the_past_keeps_its_own(people: Account) -> None:
    """As of an instant the newest version imported by then counts; a pinned one is that one or nobody."""
    bring(people, "user_id\n01\n", days=1)
    bring(people, "user_id\n02\n03\n", days=3)
    assert members(people, days=0) == []
    assert members(people, days=2) == ["01"]
    assert members(people, days=4) == ["02", "03"]
    assert members(people, days=4, version=1) == ["01"]
    assert members(people, days=2, version=2) == []


def test_the_same_users_again_are_no_new_version(people: Account) -> None:
    """Another order and a duplicate change nothing; one user more or another does."""
    assert bring(people, "user_id\n01\n02\n").version == 1
    again = bring(people, "user_id\n02\n01\n01\n", days=1)
    assert (again.version, again.is_new, again.duplicates) == (1, False, 1)
    assert bring(people, "user_id\n02\n03\n", days=2).version == 2


@pytest.mark.parametrize("name", ["", " x", "x" * 101, "a\nb"])
def test_a_name_that_nobody_could_type_is_refused(people: Account, name: str) -> None:
    """Names are 1 to 100 printable characters."""
    workspace = people.workspace
    with pytest.raises(IngestError, match="a list has a name"):
        import_list(workspace.lake, workspace.settings, name, "list.csv", now=NOW)
