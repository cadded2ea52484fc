"""Voila: the overview as a visitor sees it, and what a visitor without the token sees."""

import pytest
from accounts import NOW, Account
from browser.servers import TOKEN, Watched

from workbench import runs

PAGE = "/voila/render/overview.ipynb"


@pytest.mark.browser
def test_the_overview_shows_the_ledgers_counts_and_no_source(
    voila: str, sent: Account, watched: Watched
) -> None:
    """One run: 1,000 qualified, 400 not sent, 100 held out, 500 sent to; a refresh finds the second run."""
    page = watched.page
    page.goto(f"{voila}{PAGE}?token={TOKEN}")
    row = page.locator("table.wb-table tbody tr")
    row.wait_for()
    assert row.all_inner_texts() == ["hello\n01 Jul 2026, 08:00\n\tcompleted\t1,000\t400\t100\t500\t500\t0"]
    page.locator(".js-plotly-plot .bartext").get_by_text("−400", exact=True).wait_for()
    assert page.get_by_text("overview_view").count() == 0
    second = NOW.replace(hour=18)
    workspace = sent.workspace
    again = runs.plan(workspace, "hello", occurrence=second, as_of=NOW, now=second)
    runs.execute(workspace, again, clock=lambda: second)
    page.get_by_role("button", name="Refresh").click()
    page.locator(".wb-tile").filter(has_text="Users sent to").get_by_text("1,000", exact=True).wait_for()
    assert row.count() == 2
    assert (watched.outside, watched.errors) == ([], [])


@pytest.mark.browser
def test_a_visitor_without_the_token_sees_a_login(voila: str, watched: Watched) -> None:
    """No token, no numbers."""
    page = watched.page
    page.goto(f"{voila}{PAGE}")
    page.get_by_label("Password or token").wait_for()
    assert "/login" in page.url
    assert page.locator("table").count() == 0
