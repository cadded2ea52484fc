"""Rehearsals, end to end: real copies, real receivers, real processes that die."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from accounts import NOW, SETTINGS, Account, make_account, people, purchases
from command_line import Run

from workbench import runs
from workbench.errors import InputError
from workbench.export.sandbox import Receiver
from workbench.rehearsal import Rehearsal, Row, rehearse
from workbench.store import copied
from workbench.store.database import Database

ROOT = Path(__file__).parents[2]
AS_OF = "2026-07-01T12:00:00Z"
QUICK = ["429", "200", "202-body", "redirect", "huge", "trickle", "rejected", "key-revoked"]
SLOW = [
    "429-retry-after", "acceleration", "503", "500-before", "500-after", "reset-before", "reset-after", "late-202",
    "html",
]  # fmt: skip
# Whoever is interrupted: each in the first request and in the middle.
RESUMED = {"429": 1, "200": 2, "redirect": 2, "key-revoked": 2}


def rows(found: Rehearsal) -> dict[str, Row]:
    """By name."""
    return {row.name: row for row in found.rows}


def fine(row: Row, *, rejected: int = 0) -> bool:
    """Whether 500 users were sent to, each once, and the ledger says so."""
    came = row.arrived
    assert row.faults == ()
    assert (came.users, row.rejected) == (500 - rejected, rejected)
    assert not any((came.missing, came.doubled, came.held_out, came.strange, came.changed, came.over_cap))
    assert {str(state): users for state, users in row.users.items() if users} == {
        "accepted": 500 - rejected, **({"rejected": rejected} if rejected else {}),
    }  # fmt: skip
    return row.holds is True


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's folders for the moment are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def state(account: Account) -> dict[str, str]:
    """The digest of every file of an account."""
    account.workspace.database.close()
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(account.home.rglob("*"))
        if path.is_file()
    }


def test_faults_that_take_no_time(shop: Account, temporary: Path) -> None:
    """Each on a copy of its own; every file of the account stays as it is, and no folder is left."""
    before = state(shop)
    steps: list[tuple[str, int, int]] = []
    found = rehearse(
        shop.workspace, "hello", as_of=NOW, faults=QUICK, kills="none",
        report=lambda label, done, total: steps.append((label, done, total)),
    )  # fmt: skip
    assert [row.name for row in found.rows] == ["none", *QUICK]
    for name, row in rows(found).items():
        assert fine(row, rejected=100 if name == "rejected" else 0)
        assert name not in RESUMED or row.resumed >= RESUMED[name]
    assert found.holds
    assert rows(found)["rejected"].verdict == "400 users once, 100 rejected and told as such"
    assert rows(found)["none"].verdict == "every user once"
    assert list(dict.fromkeys(steps)) == [("rehearse", done, 9) for done in range(10)]
    assert (found.requests, found.database, found.folder, found.plan.to_send) == (5, "sqlite", None, 500)
    assert state(shop) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_all_faults_and_a_kill_of_every_kind(tmp_path: Path) -> None:
    """The whole default rehearsal; what is taken in doubt comes again and is known by its ids."""
    account = make_account(tmp_path / "home", SETTINGS.replace("in_flight = 1", "in_flight = 4"))
    account.ingest("profiles", people(1000))
    account.ingest("events", purchases(1000))
    account.save_segment(
        "buyers", {"kind": "did", "events": ["Purchase"], "window": {"kind": "last", "count": 7}}
    )
    account.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500})
    found = rehearse(account.workspace, "hello", as_of=NOW)
    assert found.holds
    assert len(found.rows) == 1 + 17 + 10
    for name, row in rows(found).items():
        assert row.faults == ()
        assert row.arrived.users == (400 if name == "rejected" else 500)
        if name.startswith("kill"):
            assert row.resumed >= 1
    for name in ("500-after", "reset-after", "late-202"):
        assert rows(found)[name].repeated >= 200
        assert rows(found)[name].resumed >= 1


@pytest.mark.postgres
def test_on_a_server(shop: Account, postgres_database: str) -> None:
    """The ledger of the copies in an empty PostgreSQL, which is empty again afterwards; a kill among them."""
    found = rehearse(
        shop.workspace, "hello", as_of=NOW, faults=["key-revoked"], kills="after request 3",
        database=postgres_database,
    )  # fmt: skip
    assert [row.name for row in found.rows] == ["none", "key-revoked", "kill after request 3"]
    assert all(fine(row) for row in found.rows)
    assert found.database == "postgresql"
    with closing(Database(postgres_database)) as after:
        copied.refuse_full(after)


@pytest.mark.long
@pytest.mark.postgres
def test_all_faults_on_a_server(shop: Account, postgres_database: str) -> None:
    """The whole default rehearsal, the ledger of each copy in PostgreSQL."""
    found = rehearse(shop.workspace, "hello", as_of=NOW, database=postgres_database)
    assert [row.name for row in found.rows if row.holds is False] == []
    assert len(found.rows) == 28


@pytest.mark.postgres
def test_an_account_on_a_server(team: Account, postgres_database: str) -> None:
    """Rehearsed on SQLite, or on an empty database: its own is refused, and nothing of it is touched."""
    with pytest.raises(InputError, match="has tables already"):
        rehearse(team.workspace, "hello", as_of=NOW, kills="none", database=postgres_database)
    found = rehearse(team.workspace, "hello", as_of=NOW, faults=["key-revoked"], kills="none")
    assert all(fine(row) for row in found.rows)
    assert team.workspace.ledger.newest() == []
    assert team.workspace.campaigns.get("hello").stored.version == 1


def test_killed_and_gone_on_with(shop: Account, tmp_path: Path) -> None:
    """A point behind the end is not reached, which is said and is no fault; the bytes are those of a dry run."""
    kept = tmp_path / "kept"
    found = rehearse(
        shop.workspace,
        "hello",
        as_of=NOW,
        faults=["none"],
        kills=["after commit 2", "before answer 99"],
        keep=kept,
    )
    assert [(row.name, row.holds) for row in found.rows] == [
        ("none", True), ("kill after commit 2", True), ("kill before answer 99", None),
    ]  # fmt: skip
    assert fine(rows(found)["kill after commit 2"])
    assert rows(found)["kill before answer 99"].verdict == "not reached; every user once"
    assert found.holds
    dry = runs.dry_run(shop.workspace, found.plan, tmp_path / "dry")
    bodies = [path.read_bytes() for path in kept.rglob("requests.jsonl")]
    assert len(bodies) >= 4
    assert set(bodies) == {(dry.folder / "requests.jsonl").read_bytes()}


def test_groups_duplicates_a_cap_and_push_tokens(account: Account) -> None:
    """The system group and the campaign's own, twins of held-out users, two devices, a cap: counted by user."""
    profiles = people(400)
    profiles += [{**profiles[n], "user_id": f"twin-{n:05d}"} for n in range(40)]
    account.ingest("profiles", profiles)
    account.ingest("events", [{**purchases(1)[0], "user_id": row["user_id"]} for row in profiles])
    account.ingest(
        "devices",
        [
            {"user_id": row["user_id"], "device_id": f"{row['user_id']}-{m}", "platform": "iOS",
             "push_token": f"{row['user_id']}-{m}"}
            for row in profiles
            for m in range(2)
        ],
    )  # fmt: skip
    account.workspace.groups.add("system", 0.05, now=NOW)
    account.save_segment("all", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign(
        "push", "all", control={"share": 0.2}, cap={"per_run": 150}, content={"push_tokens": True}
    )
    found = rehearse(account.workspace, "push", as_of=NOW, faults=["500-after", "key-revoked"], kills="none")
    reasons = {row["reason"] for row in found.plan.waterfall.to_dicts()}
    assert reasons == {None, "duplicate identity", "campaign limit for the run"}
    assert (found.plan.to_send, found.requests) == (150, 3)
    assert found.holds
    for row in found.rows:
        assert row.arrived.users == 150
    assert rows(found)["500-after"].repeated >= 100


@pytest.mark.parametrize(
    ("what", "fault", "found", "said"),
    [
        ("fresh ids", "reset-after", "doubled", "users doubled"),
        ("too early", "200", "missing", "users missing; the ledger says 500 accepted"),
    ],
)
def test_a_broken_path_is_found(shop: Account, what: str, fault: str, found: str, said: str) -> None:
    """Fresh ids at every attempt double users; what is marked before it is accepted goes missing."""
    command = [sys.executable, str(ROOT / "tests/rehearsal/broken.py"), str(shop.config), what, fault]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    printed = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=True).stdout
    _, broken = json.loads(printed)
    assert broken["holds"] is False
    assert broken[found] >= 100
    assert broken["missing" if found == "doubled" else "doubled"] == 0
    assert said in broken["verdict"]


@pytest.fixture
def hook() -> Iterator[tuple[list[str], str]]:
    """A web hook on loopback, and the address that writes to it."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Write no log."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield heard, f"json://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()
    thread.join()


def test_nobody_is_alerted(shop: Account, hook: tuple[list[str], str], receiver: Receiver) -> None:
    """A rehearsal fails twice and tells nobody; the real run that fails tells the address."""
    heard, address = hook
    shop.save_campaign(
        "told", "buyers", cap={"per_run": 100}, alert_to=[address], safety_check={"fewer_than": 10}
    )
    found = rehearse(shop.workspace, "told", as_of=NOW, faults=["key-revoked"], kills="none")
    assert found.holds
    assert rows(found)["key-revoked"].resumed >= 1
    assert heard == []
    assert shop.workspace.ledger.newest() == []
    receiver.stop()
    with pytest.raises(Exception, match="no connection"):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "told", as_of=NOW))
    assert heard == ["/hook"]


def test_what_has_nothing_to_rehearse_is_refused(shop: Account, receiver: Receiver) -> None:
    """An occurrence that has run, a blocked plan, nobody to send to."""
    shop.save_campaign("blocked", "buyers", safety_check={"more_than": 999}, alert_to=["json://127.0.0.1:9/"])
    with pytest.raises(InputError, match="is blocked by the safety check: 1,000 users qualify"):
        rehearse(shop.workspace, "blocked", as_of=NOW)
    with pytest.raises(InputError, match="would send to nobody"):
        rehearse(shop.workspace, "hello", as_of=NOW.replace(year=2025))
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    with pytest.raises(
        InputError, match=r"has run \(completed\): a rehearsal is of a send that is still to come"
    ):
        rehearse(shop.workspace, "hello", as_of=NOW)


def test_the_command(run: Run, shop: Account, tmp_path: Path) -> None:
    """A table for people, rows for programs, and a folder that is kept."""
    kept = tmp_path / "kept"
    command = [
        "rehearse",
        "hello",
        "--as-of",
        AS_OF,
        "--fault",
        "rejected",
        "--kill",
        "none",
        "-c",
        shop.config,
    ]
    shown = run(*command)
    assert shown.code == 0
    assert [line.split()[:4] for line in shown.out.splitlines() if "✓" in line] == [
        ["✓", "none", "500", "0"], ["✓", "rejected", "400", "0"],
    ]  # fmt: skip
    assert "every user once" in " ".join(shown.out.split())
    assert "500 of 1,000 users in 5 requests, 2 times, ledger on sqlite" in shown.out
    assert "2 sends of the whole plan" in shown.out
    found = json.loads(run(*command, "--json", "--keep", kept).out)
    assert (found["holds"], found["to_send"], found["qualified"], found["folder"]) == (
        True,
        500,
        1000,
        str(kept),
    )
    none, rejected = found["rows"]
    assert (none["name"], none["arrived"], none["verdict"]) == ("none", 500, "every user once")
    assert rejected["verdict"] == "400 users once, 100 rejected and told as such"
    assert rejected["ledger"] == {"reserved": 0, "sent": 0, "accepted": 400, "rejected": 100, "unknown": 0}
    copied = run("runs", "show", found["run_id"], "--json", "-c", kept / "rejected" / "workbench.toml")
    assert json.loads(copied.out)["users"] == rejected["ledger"]
    assert "user1" not in shown.out + json.dumps(found)


def test_names_that_do_not_exist(run: Run, shop: Account, temporary: Path) -> None:
    """One line with the nearest; nothing is begun."""
    for option, said in [
        (["--fault", "redirekt"], 'error unknown fault "redirekt". Did you mean "redirect"?'),
        (["--kill", "after comit 2"], 'error unknown point "after comit". Did you mean "after commit"'),
        (["--kill", "som"], 'error kill "som" is none of some, all, none'),
    ]:
        found = run("rehearse", "hello", *option, "-c", shop.config)
        assert found.code == 3
        assert said in found.err
    assert run("rehearse", "helo", "-c", shop.config).err.strip() == (
        'error unknown campaign "helo". Did you mean "hello"?'
    )
    assert list(temporary.iterdir()) == []


def test_a_database_for_a_rehearsal_is_on_a_server(shop: Account, tmp_path: Path) -> None:
    """SQLite is what it takes by itself; a file that somebody names is not made."""
    with pytest.raises(InputError, match="is one on a server"):
        rehearse(shop.workspace, "hello", as_of=NOW, database=f"sqlite:///{tmp_path / 'x.db'}")
    assert not (tmp_path / "x.db").exists()
