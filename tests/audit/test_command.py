"""``workbench audit``: the list, the check, and what is damaged."""

import hashlib
import json
from zoneinfo import ZoneInfo

import pytest
from accounts import Account
from audit.changes import DONE, unguarded
from command_line import Run as Command
from export.sendable import RUN_ID, reserve


def test_the_command(run: Command, lived: Account) -> None:
    """A table, JSON with which each digest can be computed again, and the errors of its options."""
    config = ("-c", lived.config)
    text = run("audit", *config, "--about", "hello")
    assert text.code == 0
    assert "the event is planned now" in text.out
    assert "campaign saved" in text.out
    shown = json.loads(run("audit", *config, "--json", "--limit", "2").out)
    assert [entry["what"] for entry in shown] == ["run stopped", "run ended"]
    for entry in shown:
        digest = entry.pop("digest")
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == digest
    wrong = run("audit", *config, "--what", "run reservd")
    assert (wrong.code, 'Did you mean "run reserved"' in wrong.err) == (3, True)
    assert run("audit", *config, "--since", "yesterday").code == 3
    assert len(json.loads(run("audit", *config, "--json", "--since", "2026-01-01").out)) == len(DONE)
    assert json.loads(run("audit", *config, "--json", "--since", "2999-01-01T00:00:00Z").out) == []
    assert run("audit", *config, "--expect", "0" * 64).code == 3
    assert run("audit", *config, "--check", "--who", "tester").code == 3


def test_the_check_command(run: Command, shop: Account) -> None:
    """0 and the digest to keep, or 4 and what is wrong."""
    config = ("-c", shop.config)
    found = run("audit", "--check", *config)
    kept = shop.workspace.trail.check().digest
    assert found.code == 0
    assert found.out.splitlines()[1] == kept
    shop.save_campaign("other", "buyers")
    again = run("audit", "--check", "--expect", kept, *config)
    assert (again.code, "the digest is that of entry 3" in again.out) == (0, True)
    unguarded(shop.workspace, "DELETE FROM audit WHERE number > 2")
    assert run("audit", "--check", *config).code == 0
    cut = run("audit", "--check", "--expect", kept, "--json", *config)
    assert (cut.code, json.loads(cut.out)["holds"]) == (4, False)
    assert cut.err == "error the audit trail is not what was written: 1 fault\n"
    said = run("audit", "--check", "--expect", kept, *config)
    assert (said.out + said.err).count(f"no entry has the digest {kept}") == 1
    unguarded(shop.workspace, "UPDATE audit SET who = 'eve' WHERE number = 1")
    assert run("audit", "--check", "--expect", kept, *config).err.endswith("was written: 2 faults\n")


def test_a_name_that_nothing_has(run: Command, shop: Account) -> None:
    """An unknown name is wrong input, with the nearest; of a known one it is said that there is nothing."""
    config = ("-c", shop.config)
    wrong = run("audit", *config, "--about", "helo")
    assert (wrong.code, wrong.out) == (3, "")
    assert 'is called "helo", and the audit trail has no entry of one. Did you mean "hello"?' in wrong.err
    wrong = run("audit", *config, "--who", "testr", "--json")
    assert (wrong.code, wrong.out) == (3, "")
    assert 'no entry by anybody called "testr". Did you mean "tester"?' in wrong.err
    assert "There are entries by: tester." in run("audit", *config, "--who", "zoe").err
    empty = run(
        "audit",
        *config,
        "--about",
        "hello",
        "--who",
        "tester",
        "--what",
        "run reserved",
        "--since",
        "2026-01-02",
    )
    assert (empty.code, empty.out) == (
        0, 'the audit trail has no entry about "hello" by "tester" of run reserved since 2026-01-02\n'
    )  # fmt: skip
    assert run("audit", *config, "--about", "hello", "--what", "run ended", "--json").out == "[]\n"
    reserve(shop, 1)
    unguarded(shop.workspace, "DELETE FROM audit")
    for known in ("buyers", "hello", RUN_ID):
        assert (
            run("audit", *config, "--about", known).out == f'the audit trail has no entry about "{known}"\n'
        )


def test_a_second_stop_says_whose_the_first_was(
    run: Command, shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes later reads who stopped the run and why, and that the new reason is kept nowhere."""
    reserve(shop, 3)
    config = ("-c", shop.config)
    first = run("runs", "stop", RUN_ID, "--because", "wrong text", *config)
    assert (first.code, first.err) == (0, "")
    monkeypatch.setenv("WORKBENCH_ACTOR", "ana")
    entries = shop.workspace.trail.entries()
    again = run("runs", "stop", RUN_ID, "--because", "legal", "--json", *config)
    at = entries[-2].at.astimezone(ZoneInfo("America/New_York"))
    said = (
        f"{RUN_ID} was stopped before, by tester on {at:%Y-%m-%d %H:%M %Z}: wrong text; nothing was changed; "
        '"legal" is not recorded, for it stopped nothing'
    )
    assert (again.code, again.err) == (0, said + "\n")
    assert json.loads(again.out)["stopped_before"] == said
    assert run("runs", "stop", RUN_ID, *config).err.endswith(": wrong text; nothing was changed\n")
    assert shop.workspace.trail.entries() == entries
    assert shop.workspace.ledger.get(RUN_ID).note == "stopped by tester: wrong text"


def test_a_damaged_entry_is_told(run: Command, shop: Account) -> None:
    """A list with an entry that cannot be read is an error, not a trace."""
    unguarded(shop.workspace, "UPDATE audit SET at = 'never' WHERE number = 2")
    found = run("audit", "-c", shop.config)
    assert found.code == 4
    assert "entry 2 of the audit trail is damaged in the ledger: " in found.err
