import logging

import pytest
from accounts import NOW, Account
from command_line import Run

from workbench import runs
from workbench.errors import CampaignError


def save(account: Account, *addresses: str) -> None:
    """Save a campaign that its safety check blocks, with addresses."""
    account.save_campaign("safe", "buyers", safety_check={"more_than": 999}, alert_to=list(addresses))


def test_a_credential_is_never_shown(
    shop: Account, run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in a repr, nor in an error, a log line, the ledger's record, or what a command prints."""
    caplog.set_level(logging.DEBUG)
    secret = "hunter2secret"
    save(shop, f"json://user:{secret}@127.0.0.1:9/", f"mailtos://user:{secret}@127.0.0.1:9?to=a@example.com&from=b@example.com")  # fmt: skip
    saved = shop.workspace.campaigns.get("safe")
    plan = runs.plan(shop.workspace, "safe", as_of=NOW)
    receipt = runs.execute(shop.workspace, plan)
    printed = run("send", "safe", "--as-of", "2026-07-01T12:00:00Z", "-c", shop.config)
    shown = run("runs", "show", receipt.run.run_id, "-c", shop.config)
    assert "alert to address 1, blocked by safety check: not sent" in shown.out
    with pytest.raises(CampaignError) as caught:
        save(shop, f"nosuch://user:{secret}@example.com")
    assert not [record for record in caplog.records if record.name.startswith("apprise")]
    assert "alert_to > 1: is not an address that Apprise knows" in str(caught.value)
    texts = [
        repr(saved), repr(plan), repr(receipt), repr(shop.workspace.ledger.alerts(receipt.run.run_id)),
        printed.out, printed.err, shown.out, shown.err, str(caught.value), repr(caught.value), caplog.text,
        *capsys.readouterr(),
    ]  # fmt: skip
    assert not [found for found in texts if secret in found]
