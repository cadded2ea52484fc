"""Charts: the numbers that are drawn, and what is drawn when there are none."""

from datetime import UTC, datetime

import polars as pl

from workbench import charts
from workbench.segments.qualify import ConditionCount, Counts
from workbench.stats.report import RUNS

WATERFALL = pl.DataFrame(
    [
        ("not sent", "not reachable", "target", 30),
        ("not sent", "not reachable", "control", 5),
        ("not sent", "campaign limit for the run", "target", 465),
        ("holdout", None, "control", 100),
        ("send", None, "target", 1400),
    ],
    schema=["verdict", "reason", "arm", "users"],
    orient="row",
)


def test_the_waterfall_falls_from_the_qualified_to_the_sent() -> None:
    """Each bar ends where the next one begins, and both totals stand on the ground."""
    bar = charts.waterfall(WATERFALL).data[0]
    assert list(bar.base) == [0, 1965, 1500, 1400, 0]
    assert list(bar.x) == [2000, 35, 465, 100, 1400]
    assert list(bar.text) == ["2,000", "−35", "−465", "−100", "1,400"]
    assert [row[2:] for row in bar.customdata] == [[1895, 105], [30, 5], [465, 0], [0, 100], [1400, 0]]


def test_the_waterfall_names_each_step_and_gives_the_held_out_their_own_colour() -> None:
    """A step is named on the axis; reasons share a colour that the held out and the sent do not have."""
    figure = charts.waterfall(WATERFALL)
    assert list(figure.layout.yaxis.ticktext) == [
        "Qualified", "Not reachable", "Campaign limit for the run", "Held out (control)", "Sent to",
    ]  # fmt: skip
    assert list(figure.data[0].marker.color) == ["#8C959F", "#E69F00", "#E69F00", "#56B4E9", "#009E73"]


def test_a_waterfall_of_nobody_says_so() -> None:
    """Zero users give a sentence, not an empty box."""
    figure = charts.waterfall(WATERFALL.clear())
    assert [note.text for note in figure.layout.annotations] == [
        "No user qualifies, so there is nobody to send to"
    ]


def test_nobody_left_to_send_to_is_drawn_as_zero() -> None:
    """The last total is there when it is 0."""
    held = WATERFALL.filter(pl.col("verdict") == "holdout")
    assert list(charts.waterfall(held).data[0].text) == ["100", "−100", "0"]


def test_conditions_are_drawn_between_everyone_and_the_segment() -> None:
    """Users per condition; a condition's text cannot become markup."""
    steps = (
        ConditionCount(sentence='did "<b>x</b>"', depth=1, users=1200),
        ConditionCount(sentence="all of it", depth=0, users=900),
    )
    figure = charts.conditions(Counts(everyone=5000, conditions=steps, seconds=0.1))
    assert list(figure.data[0].text) == ["5,000", "1,200", "900"]
    assert list(figure.layout.yaxis.ticktext) == [
        "Everyone with a profile", 'did "&lt;b&gt;x&lt;/b&gt;"', "In the segment",
    ]  # fmt: skip


def test_runs_are_stacked_by_outcome_and_outcomes_that_never_occurred_are_left_out() -> None:
    """One bar a run, newest on top, its sum at the end."""
    row = dict.fromkeys(RUNS) | {"occurrence": datetime(2026, 6, 30, 18, tzinfo=UTC), "campaign_id": "hello"}
    outcomes = {"accepted": 400, "rejected": 100, "unknown": 0, "pending": 0}
    frame = pl.DataFrame([{**row, **outcomes, "run_id": "hello-1"}], schema=RUNS)
    figure = charts.runs(frame)
    assert [(trace.name, list(trace.x)) for trace in figure.data] == [
        ("Accepted", [400]), ("Rejected", [100]), (None, [500]),
    ]  # fmt: skip
    assert list(figure.data[-1].text) == [" 500"]


def test_no_run_gives_a_sentence() -> None:
    """An empty ledger is said."""
    assert charts.runs(pl.DataFrame(schema=RUNS)).layout.annotations[0].text == "No run yet"


def test_a_figure_leaves_theme_and_width_to_the_page() -> None:
    """The paper is transparent and no width is fixed."""
    layout = charts.bundle(charts.waterfall(WATERFALL), "2,000 qualify")[charts.MIME]["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert "width" not in layout
