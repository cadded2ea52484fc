"""``workbench explain`` and ``workbench runs users``, as text, as JSON and as a file."""

import json
import stat
from pathlib import Path

import pytest
from accounts import NOW, Account
from command_line import Run

from workbench import runs
from workbench.display.lookup import explained_html
from workbench.export.sandbox import Receiver
from workbench.lookup import explain_run


@pytest.fixture
def run_id(shop: Account, receiver: Receiver) -> str:
    """The run of ``hello``: 500 of 1,000 sent to."""
    return runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW)).run.run_id


def test_explain_says_every_step(run: Run, shop: Account, run_id: str) -> None:
    """A capped user in words and as JSON; the run names the command."""
    config = ("-c", shop.config)
    listed = json.loads(
        run("runs", "users", run_id, "--reason", "campaign limit for the run", "--json", *config).out
    )
    user = listed["rows"][0]["user_id"]
    text = run("explain", "--run", run_id, "--user", user, *config).out
    assert f"User {user} was not sent to: campaign limit for the run." in text
    assert "who could be sent to, in hash order; the cap is 500." in text
    assert f'md5("test-salt/control/hello:{user}") begins with' in text
    assert "Every step was asked again" in text
    assert text.count("as of 2026-07-01 08:00 EDT") == 2
    assert "UTC" not in text
    assert explained_html(explain_run(shop.workspace, run_id, user)).count("as of 2026-07-01 08:00 EDT") == 2
    found = json.loads(run("explain", "--run", run_id, "--user", user, "--json", *config).out)
    assert (found["verdict"], found["reason"], found["agrees"]) == (
        "not sent",
        "campaign limit for the run",
        True,
    )
    assert [item["name"] for item in found["steps"] if item["answer"] == "stops"] == ["cap"]
    assert len(found["steps"]) == 12
    assert len(found["cap_key"]) == 16
    assert f"workbench explain --run {run_id} --user ID" in run("runs", "show", run_id, *config).out


def test_a_list_says_how_many_there_are_in_all(run: Run, shop: Account, run_id: str) -> None:
    """500 of them, 50 shown, or as many as are wanted."""
    config = ("-c", shop.config)
    assert (
        "500 users, 50 are shown; --limit or --csv gives more"
        in run("runs", "users", run_id, "--verdict", "send", *config).out
    )
    found = json.loads(
        run("runs", "users", run_id, "--verdict", "send", "--limit", "3", "--json", *config).out
    )
    assert (found["users"], found["shown"], len(found["rows"])) == (500, 3, 3)
    assert found["rows"][0]["state"] == "accepted"


def test_a_file_of_users_is_private(run: Run, shop: Account, run_id: str, tmp_path: Path) -> None:
    """All 500, readable by its owner only, also over a file that everybody could read; no rest is left."""
    path = tmp_path / "out" / "sent.csv"
    path.parent.mkdir()
    path.write_text("old")
    path.chmod(0o644)
    said = run("runs", "users", run_id, "--verdict", "send", "--csv", path, "-c", shop.config).out
    assert f"500 of 500 users are in {path}" in said
    lines = path.read_text().splitlines()
    assert (len(lines), lines[0]) == (501, "user_id,arm,held_by,verdict,reason,send_at,request,state")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert run("runs", "users", run_id, "--csv", tmp_path / "none" / "x.csv", "-c", shop.config).code == 4


def test_wrong_names_are_wrong_input(run: Run, shop: Account, run_id: str) -> None:
    """Exit code 3 with the nearest name."""
    config = ("-c", shop.config)
    bad = run("explain", "--run", run_id, "--user", "0001", *config)
    assert (bad.code, 'no user "0001" in the lake. Did you mean "00001"' in bad.err) == (3, True)
    assert run("explain", "--run", "nothing", "--user", "00001", *config).code == 3
    assert run("runs", "users", run_id, "--verdict", "sent", *config).code == 3
