"""``workbench audit``: the list, the check, and what is damaged."""

import hashlib
import json

from accounts import Account
from audit.changes import DONE, unguarded
from command_line import Run as Command


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
    assert run("audit", *config, "--about", "nothing").out == "no such entries\n"
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
    assert f"no entry has the digest {kept}" in cut.err


def test_a_damaged_entry_is_told(run: Command, shop: Account) -> None:
    """A list with an entry that cannot be read is an error, not a trace."""
    unguarded(shop.workspace, "UPDATE audit SET at = 'never' WHERE number = 2")
    found = run("audit", "-c", shop.config)
    assert found.code == 4
    assert "entry 2 of the audit trail cannot be read; see workbench audit --check" in found.err
