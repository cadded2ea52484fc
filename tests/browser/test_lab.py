"""JupyterLab: the reach notebook, opened, run and used by keyboard."""

import pytest
from browser.servers import TOKEN, Watched


@pytest.mark.browser
def test_the_slider_and_the_limit_move_by_keyboard_and_the_numbers_follow(lab: str, watched: Watched) -> None:
    """Of 1,000 buyers 100 are held out at 10 %, 125 at 12 %; a limit of 0 is refused in words, 1,200 sends to 875."""
    page = watched.page
    page.goto(f"{lab}/lab/tree/02_reach_and_control.ipynb?token={TOKEN}")
    page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.click("li.lm-MenuBar-item >> text=Run")
    page.click("li[data-command='runmenu:run-all']")
    tiles = page.locator(".wb-tile")
    tiles.filter(has_text="Held out").get_by_text("100", exact=True).wait_for()
    page.locator(".js-plotly-plot .barlayer .bartext").get_by_text("−100", exact=True).wait_for()
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    tiles.filter(has_text="Held out").get_by_text("125", exact=True).wait_for()
    page.locator(".js-plotly-plot .barlayer .bartext").get_by_text("−125", exact=True).wait_for()
    page.get_by_text("control: {share: 0.12}").wait_for()
    page.locator(".wb-stale").wait_for(state="detached")
    assert [text.split() for text in tiles.all_inner_texts()] == [
        ["Qualified", "1,000", "in", "the", "segment"], ["Reachable", "1,000", "100.0%"],
        ["Held", "out", "125", "12.5%"], ["Sent", "to", "500", "50.0%"],
    ]  # fmt: skip
    limit = page.get_by_label("Limit", exact=True)
    limit.fill("0")
    page.get_by_text("A limit of 0 is below 100, the smallest that a campaign may have.").wait_for()
    page.locator(".wb-stale").wait_for()
    limit.fill("1200")
    tiles.filter(has_text="Sent to").get_by_text("875", exact=True).wait_for()
    page.locator(".wb-stale").wait_for(state="detached")
    assert page.get_by_text("A limit of").count() == 0
    assert watched.outside == []
    assert watched.errors == []
