"""The reach panel: its numbers are a plan's numbers, and moving control or cap asks no segment again."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from accounts import NOW, Account

from workbench import charts, runs
from workbench.errors import StoreError
from workbench.widgets import reach_view
from workbench.widgets.preview import Answer, Preview, Question
from workbench.widgets.reach_model import Choice, ReachModel
from workbench.widgets.reach_view import ReachView

CHOICES = [
    Choice(id="hello", name="Hello", version=3, control_share=0.1, cap=500),
    Choice(id="odd", name="Odd", version=1, control_share=0.075, cap=None),
]


def answer(question: Question, users: int = 1000) -> Answer:
    """Hold a tenth out and send to the rest."""
    rows = [
        ("holdout", None, "control", "campaign", users // 10),
        ("send", None, "target", None, users - users // 10),
    ]
    frame = pl.DataFrame(rows, schema=["verdict", "reason", "arm", "held_by", "users"], orient="row")
    return Answer(question=question, audience="did x", reachable=users, reconstructed=False, waterfall=frame)


def model(ask: object = answer, **options: object) -> ReachModel:
    """A model over two campaigns in New York at 8 in the morning."""
    return ReachModel(CHOICES, ask, zone=ZoneInfo("America/New_York"), as_of=NOW, **options)


def test_the_panel_shows_the_numbers_of_a_plan(shop: Account) -> None:
    """Control and cap as saved: the waterfall equals that of ``runs.plan`` at the same instant."""
    view = reach_view.panel(shop.workspace, as_of=NOW)
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    assert view.model.answer.waterfall.equals(plan.waterfall)
    assert view.model.blockers() == []


def test_control_and_cap_move_over_the_same_audience(shop: Account) -> None:
    """Held out of 1,000 at 10, 11, 2, 50 and 0 %, with the cap of 500 and without; one audience for all."""
    preview = Preview(shop.workspace, clock=lambda: NOW)
    found, audiences = [], set()
    for share, cap in ((0.1, 500), (0.11, 500), (0.02, None), (0.5, 500), (None, 500)):
        reply = preview(Question(campaign="hello", as_of=NOW, control_share=share, cap=cap))
        found.append((reply.held_out, reply.sent))
        audiences.add(id(preview._audience))
    assert found == [(100, 500), (114, 500), (18, 982), (489, 500), (0, 500)]
    assert len(audiences) == 1


def test_a_new_lake_version_or_instant_asks_again(shop: Account) -> None:
    """The cache knows campaign version, instant and lake version."""
    preview = Preview(shop.workspace, clock=lambda: NOW)
    assert preview(Question(campaign="hello", as_of=NOW)).qualified == 1000
    assert preview(Question(campaign="hello", as_of=NOW - timedelta(days=30))).qualified == 0
    rows = [{"user_id": "99999", "event": "Purchase", "ts": "2026-06-30T12:00:00Z"}]
    shop.ingest("profiles", [{"user_id": "99999", "email": "late@example.com"}], recorded="history")
    shop.ingest("events", rows, recorded="history")
    assert preview(Question(campaign="hello", as_of=NOW)).qualified == 1001


def test_the_panel_counts_at_the_newest_event(shop: Account) -> None:
    """Without an instant it asks at the newest event, shown in the account's zone."""
    view = reach_view.panel(shop.workspace)
    assert view.as_of.value == datetime(2026, 6, 30, 8, 0)  # noqa: DTZ001 - a date field has no zone
    assert view.model.question().as_of == datetime(2026, 6, 30, 12, 0, tzinfo=UTC)


def test_what_stands_in_the_way_is_said_in_sentences() -> None:
    """Each limit has its sentence, and no question is asked until it is kept."""
    found = model()
    found.cap_text = "99"
    assert found.blockers() == ["A limit of 99 is below 100, the smallest that a campaign may have."]
    assert found.question() is None
    found.cap_text = "many"
    assert found.blockers() == ['The limit "many" is not a whole number; leave it empty for no limit.']
    found.cap_text = ""
    found.percent = 1
    assert found.blockers() == [
        "A control group of 1.0% is outside 2 % to 99 %; choose none or at least 2 %."
    ]
    found.percent = 2
    found.as_of = None
    assert found.blockers() == ["Give the date and time to count at."]


def test_small_caps_are_free_where_the_account_allows_them() -> None:
    """``allow_small_cap`` lets 5 through."""
    found = model(small_caps=True)
    found.cap_text = "5"
    assert (found.blockers(), found.cap) == ([], 5)


def test_nobody_in_the_segment_and_no_campaign_are_said() -> None:
    """Both are sentences, not errors."""
    assert model(lambda question: answer(question, 0)).blockers() == [
        "No user is in the segment at this instant."
    ]
    empty = ReachModel([], answer, zone=ZoneInfo("UTC"), as_of=NOW)
    assert empty.blockers() == ["No campaign is saved yet; save one, then run this cell again."]
    assert ReachView(empty).chart.outputs == ()


def test_the_lines_to_copy_follow_the_choices() -> None:
    """As saved, then changed, then without either."""
    view = ReachView(model())
    assert view.model.state() == {"control": {"share": 0.1}, "cap": {"per_run": 500}}
    assert "As saved in version 3." in view.lines.value
    view.control.value, view.cap.value = 15, "1,200"
    assert view.model.yaml() == "control: {share: 0.15}\ncap: {per_run: 1200}"
    assert "Not as saved in version 3" in view.lines.value
    view.control.value, view.cap.value = 0, ""
    assert view.model.yaml() == "# no control group, no limit"


def test_another_campaign_brings_its_own_control_and_cap() -> None:
    """7.5 % is no step of the slider's and is kept all the same; the campaign is asked once."""
    asked: list[Question] = []
    view = ReachView(model(lambda question: asked.append(question) or answer(question)))
    view.campaign.value = "odd"
    assert (view.control.value, view.cap.value) == (7.5, "")
    assert [(q.campaign, q.control_share, q.cap) for q in asked] == [
        ("hello", 0.1, 500),
        ("odd", 0.075, None),
    ]


def test_an_error_is_shown_above_the_last_numbers_which_turn_grey() -> None:
    """A failing question leaves the chart, greys it, and is gone after the next good answer."""
    failing = [False]

    def ask(question: Question) -> Answer:
        if failing[0]:
            raise StoreError("the lake cannot be read: disk")
        return answer(question)

    view = ReachView(model(ask))
    before = json.dumps(view.chart.outputs)
    failing[0] = True
    view.control.value = 20
    assert "the lake cannot be read: disk" in view.error.value
    assert "wb-stale" in view.results._dom_classes
    assert json.dumps(view.chart.outputs) == before
    failing[0] = False
    view.control.value = 21
    assert view.error.value == ""
    assert "wb-stale" not in view.results._dom_classes


def test_in_a_notebook_numbers_are_stale_until_the_newest_answer_is_there() -> None:
    """With an event loop, moves do not block; the panel is grey meanwhile and ends on the last question."""

    async def use() -> tuple[bool, bool, float | None]:
        view = ReachView(model())
        for percent in (11, 12, 13):
            view.control.value = percent
        during = view.model.stale
        await view.model.latest.settled()
        return during, view.model.stale, view.model.answer.question.control_share

    assert asyncio.run(use()) == (True, False, 0.13)


def test_the_future_cannot_be_asked(shop: Account) -> None:
    """An instant after now is an error in the page, as ``runs.plan`` would have it."""
    view = reach_view.panel(shop.workspace, as_of=datetime.now(UTC) + timedelta(days=2))
    assert "lies in the future" in view.error.value


def test_the_chart_is_one_plotly_bundle() -> None:
    """The output holds the MIME bundle that needs no widget, with the sentence for those without it."""
    (output,) = ReachView(model()).chart.outputs
    assert set(output["data"]) == {charts.MIME, "text/plain"}
    assert output["data"]["text/plain"] == "1,000 qualify, 100 held out, 900 sent to"
