"""Displays: sentences and tables that add up, escaped, without a person."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from accounts import NOW, Account
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

import workbench
from workbench import charts, display, measure, runs
from workbench.export.sandbox import Receiver
from workbench.reach import curve, diff, history, overlap
from workbench.rehearsal import rehearse
from workbench.segments import qualify
from workbench.segments.build import bucket, did, prop, user
from workbench.segments.model import Segment
from workbench.segments.predicates import Operator, Predicate
from workbench.segments.traits import UserProperty


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell with the extension loaded."""
    shell = InteractiveShell.instance()
    workbench.load_ipython_extension(shell)
    yield shell
    InteractiveShell.clear_instance()


def shown(shell: InteractiveShell, item: object) -> list[RichOutput]:
    """Display an object as a cell's last expression and return its outputs."""
    with capture_output() as captured:
        shell.display_formatter.format(item)
    return list(captured.outputs)


def texts(markup: str) -> list[list[str]]:
    """Return the cells of each row of the tables in ``markup``."""
    rows = re.findall(r"<tr>(.*?)</tr>", markup)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_a_plan_shows_a_table_that_adds_up_and_its_chart(shell: InteractiveShell, shop: Account) -> None:
    """Sentence, verdicts with both arms and a total, then the waterfall."""
    page, chart = shown(shell, runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW))
    assert texts(page.data["text/html"]) == [
        ["Verdict", "Users", "Target", "Control", "Share"],
        ["Not sent: campaign limit for the run", "400", "400", "0", "40.0%"],
        ["Held out (control)", "100", "0", "100", "10.0%"],
        ["Would be sent to (development)", "500", "500", "0", "50.0%"],
        ["Qualified", "1,000", "900", "100", "100.0%"],
    ]
    assert charts.MIME in chart.data
    assert page.data["text/plain"] == (
        "hello-20260701T120000Z: 1,000 qualify, 500 would be sent to (development), as of 2026-07-01 12:00 UTC"
    )


def test_a_receipt_shows_what_became_of_the_sent(
    shell: InteractiveShell, shop: Account, receiver: Receiver
) -> None:
    """After a real run: 500 accepted of 500, in words and in a second table."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    page, _ = shown(shell, runs.execute(shop.workspace, plan, clock=lambda: NOW))
    assert texts(page.data["text/html"])[-2:] == [["Accepted", "500", "100.0%"], ["Total", "500", ""]]
    assert page.data["text/plain"] == (
        "hello-20260701T120000Z: completed, 500 of 500 accepted, 500 of them now (development)"
    )


def test_no_display_holds_a_person(shell: InteractiveShell, shop: Account) -> None:
    """Neither plan, counts nor catalogue say an address, a user id or the account's salt."""
    workspace, lake = shop.workspace, shop.workspace.lake.at()
    saved = workspace.segments.get("buyers")
    query = qualify.compiled(saved.segment, NOW, workspace.scope(lake))
    plan = runs.plan(workspace, "hello", as_of=NOW, now=NOW)
    counts = qualify.counts(query, lake.connect())
    items = [plan, counts, saved, saved.segment, workspace.campaigns.get("hello"), lake.catalogue]
    everything = str([[output.data for output in shown(shell, item)] for item in items])
    assert "example.com" not in everything
    assert "00042" not in everything
    assert "test-salt" not in everything
    assert "buyers" in everything


def test_a_condition_shows_its_counts_once_a_workspace_is_open(
    shell: InteractiveShell, shop: Account
) -> None:
    """The sentence alone; with a workspace the counts as of the newest event, and the chart."""
    expression = did("Purchase").where(prop("price") > 5)
    (page,) = shown(shell, expression)
    assert page.data["text/plain"] == 'users who did "Purchase" (price > 5)'
    shell.user_ns["account"] = shop.workspace
    _, counts, chart = shown(shell, expression & (user("country") == "US"))
    assert "As of 2026-06-30 12:00 UTC" in counts.data["text/html"]
    assert texts(counts.data["text/html"])[-1] == ["In the segment", "1,000", "100.0%"]
    assert charts.MIME in chart.data


def test_a_condition_that_cannot_be_asked_shows_why(shell: InteractiveShell, shop: Account) -> None:
    """Every problem in the page, not a traceback."""
    shell.user_ns["account"] = shop.workspace
    _, told = shown(shell, did("Purchse").named("typo"))
    assert "Did you mean &quot;Purchase&quot;?" in told.data["text/html"]
    assert 'unknown event "Purchse"' in told.data["text/plain"]


def test_an_overlap_shows_combinations_that_add_up_and_its_chart(
    shell: InteractiveShell, shop: Account
) -> None:
    """1,000 buyers, about half of them in the other segment too."""
    workspace = shop.workspace
    some = (did("Purchase") & bucket(0, 499)).named("some")
    page, chart = shown(shell, overlap(workspace, ["buyers", some], as_of=NOW))
    rows = texts(page.data["text/html"])
    assert rows[0] == ["In exactly these", "Users", "Of the union", "In all of these"]
    assert sum(int(row[1]) for row in rows[1:3]) == 1000
    assert rows[3] == ["In at least one", "1,000", "100.0%", ""]
    assert rows[-1][:2] == ["buyers", "some"]
    assert charts.MIME in chart.data
    assert page.data["text/plain"].startswith("1,000 users in at least one of 2 segments")


def test_a_diff_shows_who_is_responsible_and_its_chart(shell: InteractiveShell, shop: Account) -> None:
    """All 1,000 left because of the new number; what it was stands beside it; no user id anywhere."""
    twice = did("Purchase").at_least(2).in_last(days=7).named("twice")
    found = diff(shop.workspace, "buyers", twice, as_of=NOW)
    page, chart = shown(shell, found)
    assert texts(page.data["text/html"]) == [
        ["Condition responsible", "Change", "Entered", "Left"],
        [
            "did &quot;Purchase&quot; at least 2 times in the last 7 days (before: did &quot;Purchase&quot; in the last 7 days)",
            "changed", "0", "1,000",
        ],
        ["Moved", "", "0", "1,000"],
    ]  # fmt: skip
    assert page.data["text/plain"].endswith(
        "twice as of 2026-07-01 12:00 UTC: 0; 0 stayed, 0 entered, 1,000 left"
    )
    assert "00042" not in str([page.data, chart.data, repr(found)])


def test_a_curve_shows_the_thresholds_around_the_current_one(shell: InteractiveShell, shop: Account) -> None:
    """Nobody bought twice: 1,000 at 1, nobody from 2 on."""
    page, chart = shown(shell, curve(shop.workspace, "buyers", as_of=NOW))
    assert texts(page.data["text/html"]) == [
        ["Threshold", "Users", "Change"], ["&gt;= 1  (now)", "1,000", ""], ["&gt;= 2", "0", "-1,000"],
    ]  # fmt: skip
    assert page.data["text/plain"] == "buyers: 1,000 users with count >= 1; >= 2 would be 0 (-1,000)"
    assert charts.MIME in chart.data


def test_markup_in_a_segment_is_shown_as_text(shell: InteractiveShell) -> None:
    """Names and values come from people: they are escaped."""
    predicate = Predicate(property="plan", operator=Operator.EQUALS, values=("<img src=x onerror=alert(1)>",))
    (page,) = shown(shell, Segment(name="<script>", condition=UserProperty(predicate=predicate)))
    assert "<script>" not in page.data["text/html"]
    assert "<img" not in page.data["text/html"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.data["text/html"]


def test_a_history_shows_its_first_and_last_day_and_its_chart(shell: InteractiveShell, shop: Account) -> None:
    """All buy at noon of 30 June: nobody the day before, so there is no percentage; no user id anywhere."""
    spread = (did("Purchase").in_last(days=7) & bucket(0, 999)).named("spread")
    found = history(shop.workspace, spread, as_of=NOW, days=3)
    page, chart = shown(shell, found)
    assert texts(page.data["text/html"]) == [
        ["", "Day", "Users", "Since the first day", "In percent"],
        ["First day", "2026-06-29", "0", "0", "–"],
        ["Last day", "2026-07-01", "1,000", "+1,000", "–"],
        ["Lowest", "2026-06-29", "0", "0", "–"],
        ["Highest", "2026-06-30", "1,000", "+1,000", "–"],
        ["Condition", "2026-06-29", "2026-07-01", "Change", "In percent"],
        ["\u2003did &quot;Purchase&quot; in the last 7 days", "0", "1,000", "+1,000", "–"],
        ["\u2003is in user bucket 0 to 999", "1,000", "1,000", "0", "0.0%"],
        ["In the segment", "0", "1,000", "+1,000", "–"],
    ]
    assert "As of 2026-07-01 08:00 EDT, and at that time of each day before" in page.data["text/html"]
    assert "history as reconstructed" in page.data["text/html"]
    assert page.data["text/plain"] == (
        "spread: 1,000 users on 2026-07-01, +1,000 since 2026-06-29; "
        "lowest 0 on 2026-06-29, highest 1,000 on 2026-06-30"
    )
    assert charts.MIME in chart.data
    assert "00042" not in str([page.data, chart.data])


def test_a_history_of_one_day_compares_nothing(shell: InteractiveShell, shop: Account) -> None:
    """The conditions of that day, once."""
    page, _ = shown(shell, history(shop.workspace, "buyers", as_of=NOW, days=1))
    assert texts(page.data["text/html"]) == [["Condition", "2026-07-01"], ["In the segment", "1,000"]]
    assert page.data["text/plain"] == "buyers: 1,000 users on 2026-07-01"


def test_an_object_without_a_display_is_refused() -> None:
    """``show`` names the type."""
    with pytest.raises(TypeError, match="int has no display of its own"):
        display.show(3)


def test_power_shows_its_table_and_its_chart(shell: InteractiveShell, shop: Account) -> None:
    """1,000 buyers of the last day; the events begin after the window did, which is said once."""
    shop.save_campaign(
        "goal", "buyers", goal={"event": "Purchase", "within_minutes": 10080}, control={"share": 0.1}
    )
    (saved,) = shown(shell, shop.workspace.campaigns.get("goal"))
    assert "Goal: did &quot;Purchase&quot; within 7 days of the send." in saved.data["text/html"]
    page, chart = shown(shell, measure.power(shop.workspace, "goal", as_of=NOW))
    rows = texts(page.data["text/html"])
    assert rows[0] == [
        "Control", "Sent to", "Held out", "Lift found", "Of the rate", "Sends fewer", "Conversions lost",
        "Revenue lost",
    ]  # fmt: skip
    assert rows[3] == ["10 %  (chosen)", "915", "85", "–", "–", "85", "–", "–"]
    assert "the events begin on 2026-06-30 12:00 UTC, after the window did" in page.data["text/html"]
    assert charts.MIME in chart.data
    assert page.data["text/plain"] == (
        "goal: 10 % control: 915 would be sent to and 85 held out; how small a lift would be found cannot be said: "
        "the events begin on 2026-06-30 12:00 UTC, after the window did"
    )


def test_balance_shows_its_table_and_its_chart(shell: InteractiveShell, shop: Account) -> None:
    """Both arms with their sizes; nobody's address."""
    page, chart = shown(shell, measure.balance(shop.workspace, "hello", as_of=NOW))
    assert texts(page.data["text/html"]) == [
        ["Attribute", "Target (900)", "Control (100)", "Difference (SMD)", ""],
        ["country: US", "100.0 %", "100.0 %", "+0.000", ""],
        ["email: missing", "0.0 %", "0.0 %", "+0.000", ""],
        ["unsubscribed: true", "0.0 %", "0.0 %", "+0.000", ""],
    ]
    assert "user0@example.com" not in page.data["text/html"]
    assert charts.MIME in chart.data


def test_the_audit_trail_shows_who_did_what(shell: InteractiveShell, shop: Account) -> None:
    """A row an entry, the newest last; of a flag not whom it is about; an empty answer says so."""
    shop.workspace.groups.flag("00001", now=NOW)
    (page,) = shown(shell, shop.workspace.trail.entries())
    rows = texts(page.data["text/html"])
    assert rows[0] == ["No.", "At", "Who", "What", "About", "Details"]
    assert [row[2:5] for row in rows[2:]] == [
        ["tester", "segment saved", "buyers"], ["tester", "campaign saved", "hello"],
        ["tester", "user flagged never in control", "a user"],
    ]  # fmt: skip
    assert page.data["text/plain"].splitlines()[2].endswith("tester: campaign saved hello")
    assert "00001" not in str(page.data)
    (empty,) = shown(shell, shop.workspace.trail.entries(who="nobody"))
    assert empty.data["text/plain"] == "no such entries"


def test_a_rehearsal_shows_a_row_a_fault(shell: InteractiveShell, shop: Account) -> None:
    """The marks, the counts and the words; what failed is said above the table too."""
    found = rehearse(shop.workspace, "hello", as_of=NOW, faults=["rejected"], kills="none")
    (page,) = shown(shell, found)
    assert texts(page.data["text/html"]) == [
        ["", "Fault", "Arrived", "Missing", "Doubled", "Held out", "Rejected", "Resumed", "Verdict"],
        ["✓", "none", "500", "0", "0", "0", "0", "0", "every user once"],
        ["✓", "rejected", "400", "0", "0", "0", "100", "0", "400 users once, 100 rejected and told as such"],
    ]
    assert page.data["text/plain"] == (
        "rehearsal of hello-20260701T120000Z: 2 of 2 hold, 500 users each, nobody was sent to"
    )
    none, rejected = found.rows
    failed = replace(
        found, rows=(replace(none, faults=("3 users missing",)), replace(rejected, reached=False))
    )
    (page,) = shown(shell, failed)
    assert "none: 3 users missing." in page.data["text/html"]
    assert [row[0] for row in texts(page.data["text/html"])] == ["", "✗", "?"]
    assert (found.holds, failed.holds) == (True, False)
    assert failed.frame["verdict"].to_list() == [
        "3 users missing", "not reached; 400 users once, 100 rejected and told as such",
    ]  # fmt: skip
