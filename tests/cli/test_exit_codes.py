"""The documented exit codes, each by a command that ends with it."""

import re
from pathlib import Path

import pytest
from accounts import NOW, Account
from command_line import Run

from workbench import errors, runs
from workbench.export.sandbox import Receiver, parse_answers

AS_OF = "2026-07-01T12:00:00Z"


def test_0_done(run: Run, shop: Account, receiver: Receiver) -> None:
    """A send that went through, and the same one again."""
    first = run("send", "hello", "--as-of", AS_OF, "-c", shop.config)
    again = run("send", "hello", "-c", shop.config)
    assert (first.code, again.code) == (0, 0)
    assert "sent now: 500" in first.out
    assert "sent now: 0" in again.out


def test_2_wrong_usage(run: Run) -> None:
    """An option that does not exist."""
    assert run("send", "--nonsense").code == 2


def test_3_wrong_input(run: Run, shop: Account) -> None:
    """A campaign that does not exist: one line with the nearest name."""
    found = run("send", "helo", "-c", shop.config)
    assert found.code == 3
    assert found.err.strip() == 'error unknown campaign "helo". Did you mean "hello"?'


def test_3_other_bytes(run: Run, shop: Account) -> None:
    """An argument in Latin-1: one line with its place."""
    found = run("campaign", "test", "hello", "--user", "zo\udceb", "-c", shop.config)
    assert (found.code, found.err.strip()) == (3, 'error argument 5, "zo?", is not text in UTF-8')


def test_3_no_settings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of any account the message says how to make one."""
    monkeypatch.chdir(tmp_path)
    found = run("check")
    assert found.code == 3
    assert "workbench init" in found.out


def test_4_store(run: Run, shop: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer: one line without the password."""
    monkeypatch.setenv(
        "WORKBENCH_DATABASE_URL", "postgresql+psycopg://u:sesame@127.0.0.1:9/db?connect_timeout=1"
    )
    found = run("runs", "list", "-c", shop.config)
    assert found.code == 4
    assert "sesame" not in found.err
    assert len(found.err.strip().splitlines()) == 1


def test_5_receiver_down(run: Run, shop: Account, receiver: Receiver) -> None:
    """Nobody listens: the line names the command that goes on."""
    receiver.stop()
    found = run("send", "hello", "--as-of", AS_OF, "-c", shop.config)
    assert found.code == 5
    assert re.search(r"workbench resume hello-\d{8}T\d{6}Z", found.err)


def test_6_wrong_key(run: Run, shop: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key, and no key at all."""
    monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", "nobody")
    assert run("send", "hello", "--as-of", AS_OF, "-c", shop.config).code == 6
    monkeypatch.delenv("WORKBENCH_MPARTICLE_KEY")
    found = run("resume", "hello-20260701T120000Z", "-c", shop.config)
    assert found.code == 6
    assert "WORKBENCH_MPARTICLE_KEY" in found.err


def test_7_busy(run: Run, shop: Account, receiver: Receiver) -> None:
    """The run is held by somebody else."""
    receiver.play(parse_answers("503*2"))
    with pytest.raises(errors.DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    run_id = shop.workspace.ledger.newest()[0].run_id
    with shop.workspace.ledger.hold(run_id):
        assert run("resume", run_id, "-c", shop.config).code == 7


def test_8_rejected_and_unknown(run: Run, shop: Account, receiver: Receiver) -> None:
    """The run went through, and some users were not accepted."""
    receiver.play(parse_answers("400"))
    found = run("send", "hello", "--as-of", AS_OF, "-c", shop.config)
    assert found.code == 8
    assert "accepted 400, rejected 100" in found.out
    assert "100 users were rejected" in found.err


def test_8_stopped_by_a_person(run: Run, shop: Account, receiver: Receiver) -> None:
    """The receipt counts who is not sent to and why; the sender exits with 8, resume with 3."""
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(errors.DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    run_id = shop.workspace.ledger.newest()[0].run_id
    found = run("runs", "stop", run_id, "-c", shop.config)
    assert found.code == 0
    assert "of 500 to send: accepted 100, unknown 100; run stopped" in found.out
    assert "300 not sent: campaign stopped" in found.out
    assert "reserved" not in found.out
    found = run("send", "hello", "-c", shop.config)
    assert found.code == 8
    assert "stopped by tester; 300 users were not sent to" in found.err
    found = run("resume", run_id, "-c", shop.config)
    assert found.code == 3
    assert "a stopped run is not resumed" in found.err


def test_every_code_is_documented() -> None:
    """The table in the docs has the codes of the error tree, and no other ones."""
    tree: list[type[errors.WorkbenchError]] = [errors.WorkbenchError]
    for kind in tree:
        tree += kind.__subclasses__()
    page = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}
    assert documented == {0, 2, 130} | {kind.exit_code for kind in tree}
