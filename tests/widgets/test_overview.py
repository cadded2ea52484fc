"""The overview: read-only, aggregates, friendly when there is nothing or no access."""

import subprocess
import sys
from pathlib import Path

import pytest
from accounts import NOW, Account

from workbench import runs
from workbench.errors import StoreError
from workbench.export.sandbox import Receiver
from workbench.stats.report import Overview
from workbench.widgets import overview_view
from workbench.widgets.overview_view import OverviewView


def test_an_empty_ledger_gets_a_sentence(account: Account) -> None:
    """No run yet: one sentence, no chart, no error."""
    view = overview_view.panel(account.config)
    assert "No run has been recorded yet." in view.body.value
    assert (view.runs.outputs, view.verdicts.outputs, view.error.value) == ((), (), "")


def test_a_run_appears_after_a_refresh_without_a_person(shop: Account, receiver: Receiver) -> None:
    """The button reads again: 500 sent to, 100 held out, two charts; no address and no user id."""
    view = overview_view.panel(shop.config)
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW), clock=lambda: NOW)
    view.button.click()
    page = f"{view.head.value}{view.body.value}{view.between.value}{view.runs.outputs}{view.verdicts.outputs}"
    assert "<b>500</b><small>100.0% of 500 accepted</small>" in page
    assert "<b>100</b><small>control, over all runs</small>" in page
    assert "hello<small>01 Jul 2026, 08:00</small>" in page
    assert "hello-20260701T120000Z, counted as of 01 Jul 2026, 08:00 EDT" in page
    assert "example.com" not in page
    assert "00042" not in page


def test_an_error_leaves_the_last_numbers_in_place(shop: Account) -> None:
    """The ledger fails at the second reading: the box says so, the page stays."""
    good = overview_view.Reader(shop.config)
    answers = [good]

    def read() -> Overview:
        if not answers:
            raise StoreError("the ledger (ledger.db) failed: disk I/O error")
        return answers.pop()()

    view = OverviewView(read)
    body = view.body.value
    view.button.click()
    assert "the ledger (ledger.db) failed: disk I/O error" in view.error.value
    assert view.body.value == body


def test_no_account_is_an_error_in_the_page(tmp_path: Path) -> None:
    """A missing workbench.toml does not end in a traceback."""
    view = overview_view.panel(tmp_path / "workbench.toml")
    assert 'role="alert"' in view.error.value
    assert "Traceback" not in view.error.value


def test_the_overview_cannot_write(shop: Account) -> None:
    """Its database refuses every write."""
    reader = overview_view.Reader(shop.config)
    reader()
    assert reader._workspace is not None
    with pytest.raises(StoreError, match="readonly"):
        reader._workspace.campaigns.archive("hello", now=NOW)


def test_the_overview_loads_no_publisher_and_no_credential_store_user() -> None:
    """A kernel that shows the dashboard has neither client, publisher nor ``runs`` in it."""
    program = (
        "import sys, workbench.widgets.overview_view\n"
        "print([name for name in sys.modules if name in {'workbench.runs', 'workbench.export.client',"
        " 'workbench.export.publish', 'workbench.export.payload', 'requests'}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
