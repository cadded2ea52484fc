"""Charts: the numbers that are drawn, and what is drawn when there are none."""

from datetime import UTC, date, datetime

import polars as pl

from workbench import charts
from workbench.segments.qualify import ConditionCount, Counts
from workbench.stats.report import RUNS

WATERFALL = pl.DataFrame(
    [
        ("not sent", "not reachable", "target", None, 30),
        ("not sent", "not reachable", "control", "campaign", 5),
        ("not sent", "campaign limit for the run", "target", None, 465),
        ("holdout", None, "control", "campaign", 100),
        ("send", None, "target", None, 1400),
    ],
    schema=["verdict", "reason", "arm", "held_by", "users"],
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


def test_each_group_that_holds_out_is_a_step() -> None:
    """System, custom and the campaign's own are three bars; a reason that all arms have stays one."""
    rows = [
        ("not sent", "unsubscribed", "target", None, 7), ("not sent", "unsubscribed", "control", "system", 1),
        ("not sent", "unsubscribed", "control", "campaign", 2), ("holdout", None, "control", "system", 50),
        ("holdout", None, "control", "custom: vip", 30), ("holdout", None, "control", "campaign", 10),
        ("send", None, "target", None, 900),
    ]  # fmt: skip
    figure = charts.waterfall(pl.DataFrame(rows, schema=WATERFALL.schema, orient="row"))
    labels = [label.replace("<br>", " ") for label in figure.layout.yaxis.ticktext]
    assert dict(zip(labels, figure.data[0].text, strict=True)) == {
        "Qualified": "1,000", "Unsubscribed": "−10", "Held out (system)": "−50",
        "Held out (custom: vip)": "−30", "Held out (control)": "−10", "Sent to": "900",
    }  # fmt: skip


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


def test_combinations_are_dots_beside_bars_and_the_rest_is_said() -> None:
    """Twenty rows; the dots say which segments, the last line what the smaller ones hold together."""
    rows = [(["a", "c"], 900), *([(["b"], 100 - n) for n in range(22)]), (["c"], 0)]
    frame = pl.DataFrame(rows, schema={"segments": pl.List(pl.String), "users": pl.Int64}, orient="row")
    figure = charts.combinations(frame, [("a", 900), ("b", 1969), ("<c>", 900), ("c", 900)])
    (bar,) = [trace for trace in figure.data if trace.type == "bar"]
    assert (len(bar.x), bar.text[0], bar.customdata[0]) == (20, "900", "a + c")
    line, off, on = [trace for trace in figure.data if trace.type == "scatter"]
    assert (list(line.x), list(line.y)) == ([0, 3], [0, 0])
    assert list(zip(on.x, on.y, strict=True))[:3] == [(0, 0), (3, 0), (1, 1)]
    assert len(off.x) + len(on.x) == 4 * 20
    notes = [note.text for note in figure.layout.annotations]
    assert notes[2] == "&lt;c&gt;  <b>900</b>"
    assert notes[-1] == "and 3 smaller combinations with 240 users together"


def test_combinations_of_nobody_say_so() -> None:
    """All rows with 0 users."""
    frame = pl.DataFrame({"segments": [["a"], ["b"]], "users": [0, 0]})
    notes = charts.combinations(frame, [("a", 0), ("b", 0)]).layout.annotations
    assert [note.text for note in notes] == ["Nobody is in any of these segments"]


def test_moves_diverge_by_cause() -> None:
    """All users in one bar, those who left to one side, those who entered to the other; nobody is no row."""
    rows = [("did x", 5, 70), ("did y", 0, 0), ("several", 30, 0)]
    frame = pl.DataFrame(rows, schema=["cause", "entered", "left"], orient="row")
    figure = charts.moves(frame, 200)
    whole, parts = figure.data[:3], figure.data[3:]
    assert [(trace.name, list(trace.x)) for trace in whole] == [
        ("70 left", [70]), ("200 stayed", [200]), ("35 entered", [35]),
    ]  # fmt: skip
    assert [list(trace.x) for trace in parts] == [[-70, 0], [5, 30]]
    assert [list(trace.text) for trace in parts] == [["−70", ""], ["+5", "+30"]]
    assert list(figure.layout.yaxis.ticktext) == ["did x", "several"]


def test_nobody_moved_and_nobody_at_all_are_said() -> None:
    """A sentence in place of bars."""
    frame = pl.DataFrame([("did x", 0, 0)], schema=["cause", "entered", "left"], orient="row")
    assert [note.text for note in charts.moves(frame, 9).layout.annotations] == ["Nobody moved"]
    assert [n.text for n in charts.moves(frame, 0).layout.annotations] == ["Nobody is in either of the two"]


def curve_frame(rows: int, current: int) -> pl.DataFrame:
    """Thresholds 0, 1, 2, …, each with one user less."""
    return pl.DataFrame({
        "threshold": [float(n) for n in range(rows)], "users": [rows - n for n in range(rows)],
        "current": [n == current for n in range(rows)],
    })  # fmt: skip


def test_thresholds_are_steps_that_hold_up_to_or_from_their_threshold() -> None:
    """The line of *at least* drops after its threshold, that of *at most* rises at it; *exactly* has bars."""
    frame = curve_frame(4, 2)
    for operator, shape in ((">=", "vh"), ("<", "vh"), (">", "hv"), ("<=", "hv")):
        line, mark = charts.thresholds(frame, operator=operator, title="count").data
        assert (line.line.shape, list(line.y)) == (shape, [4, 3, 2, 1])
        assert (list(mark.x), list(mark.y)) == ([2], [2])
    figure = charts.thresholds(frame, operator="=", title="count")
    assert figure.data[0].type == "bar"
    assert figure.layout.annotations[0].text == "now = 2: <b>2 users</b>"


def test_many_thresholds_are_thinned_but_not_around_the_current_one() -> None:
    """Of 50,000 about 2,000 are drawn: both ends, and a hundred on either side one by one."""
    shown = charts.thresholds(curve_frame(50_000, 30_000), operator=">=", title="sum").data[0].x
    assert len(shown) <= 2_000
    assert set(range(29_900, 30_101)) <= set(shown)
    assert (shown[0], shown[-1]) == (0, 49_999)


def test_a_long_tail_is_left_out_and_said() -> None:
    """The last half percent of users at an end would take most of the width."""
    tail = pl.DataFrame({"threshold": [1_000_000.0], "users": [0], "current": [False]})
    rows = [*range(60), *range(60, 1000, 300)]
    frame = pl.DataFrame({
        "threshold": [float(n) for n in rows], "users": [max(10_000 - 200 * n, 9) for n in rows],
        "current": [n == 3 for n in rows],
    })  # fmt: skip
    figure = charts.thresholds(pl.concat([frame, tail]), operator=">=", title="count")
    assert figure.layout.xaxis.range[1] < 100
    assert figure.layout.xaxis.title.text == "count (14 thresholds beyond are not drawn)"


def size_frame(*users: int) -> pl.DataFrame:
    """Days from 1 June 2026 on, of 2,000 with a profile."""
    frame = pl.DataFrame({"day": [date(2026, 6, 1 + n) for n in range(len(users))], "users": list(users)})
    return frame.with_columns(change=pl.col("users").diff(), everyone=2000)


def test_sizes_are_a_line_from_zero_with_its_last_value() -> None:
    """Exact numbers for each day; what changed and what share it is stands below."""
    figure = charts.sizes(size_frame(800, 1200, 1000))
    line, mark = figure.data
    assert list(line.x) == [date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)]
    assert (list(line.y), line.fill) == ([800, 1200, 1000], "tozeroy")
    assert list(line.customdata) == [
        "<br>40.0% of 2,000 with a profile",
        "<br>+400 since the day before<br>60.0% of 2,000 with a profile",
        "<br>-200 since the day before<br>50.0% of 2,000 with a profile",
    ]
    assert (list(mark.x), list(mark.y)) == ([date(2026, 6, 3)], [1000])
    assert [note.text for note in figure.layout.annotations] == ["<b>1,000</b>"]
    assert figure.layout.hovermode == "x unified"
    assert (figure.layout.yaxis.range[0], figure.layout.xaxis.title.text) == (0, None)


def test_an_axis_that_does_not_begin_at_zero_says_so() -> None:
    """The line moves within 3 of 100: it takes at most a third of the height, and has no area below."""
    figure = charts.sizes(size_frame(1000, 1030, 1010))
    assert figure.layout.yaxis.range == (940, 1039)
    assert figure.layout.xaxis.title.text == "The axis of users begins at 940, not at 0"
    assert figure.data[0].fill is None


def test_sizes_of_one_day_of_nobody_and_without_change() -> None:
    """A mark, a flat line of zeros, and a flat line: each from zero, with ticks that are whole users."""
    one = charts.sizes(size_frame(7))
    assert one.layout.xaxis.range == (datetime(2026, 5, 31, 12), datetime(2026, 6, 1, 12))  # noqa: DTZ001
    nobody = charts.sizes(size_frame(0, 0, 0))
    assert list(nobody.data[0].y) == [0, 0, 0]
    assert (nobody.layout.yaxis.range, nobody.layout.yaxis.dtick) == ((0, 1.1), 1)
    assert nobody.layout.annotations[0].text == "<b>0</b>"
    assert charts.sizes(size_frame(900, 900)).layout.yaxis.range == (0, 990)


def test_lifts_are_drawn_by_share_and_said_where_there_is_none() -> None:
    """The campaign's own share has its own colour; a reason stands in place of a bar."""
    rows = [
        ("2 %", None, "too few control users", False),
        ("10 %", 10.0, "+10.0 points", True),
        ("50 %", 5.4, "+5.4 points", False),
    ]
    figure = charts.lifts(rows)
    bar = figure.data[0]
    assert list(bar.x) == [0, 10.0, 5.4]
    assert list(bar.text) == ["too few control users", "+10.0 points", "+5.4 points"]
    assert list(bar.marker.color) == ["#56B4E9", "#009E73", "#56B4E9"]
    assert list(figure.layout.yaxis.ticktext) == ["2 %", "<b>10 %</b>", "50 %"]
    assert figure.layout.xaxis.range[1] > 10


def test_without_any_lift_the_chart_says_so() -> None:
    """No bar of 0."""
    figure = charts.lifts([("2 %", None, "no baseline", True)])
    assert [note.text for note in figure.layout.annotations] == [
        "No share of control has a lift that could be computed"
    ]


def test_a_love_plot_shows_the_largest_difference_on_top() -> None:
    """Flagged rows have their own sign and colour; what has no spread is not drawn; names are no markup."""
    frame = pl.DataFrame(
        [
            ("vip", "true", None, True),
            ("<b>", "mean", 0.05, False),
            ("city", "Oslo", -0.3, True),
        ],
        schema={"attribute": pl.String, "level": pl.String, "smd": pl.Float64, "flagged": pl.Boolean},
        orient="row",
    )
    figure = charts.love(frame, 0.1)
    assert list(figure.layout.yaxis.ticktext) == ["city: Oslo", "&lt;b&gt;"]
    calm, loud = figure.data
    assert (list(calm.x), list(calm.y), list(loud.x), list(loud.y)) == ([0.05], [1], [-0.3], [0])
    assert loud.marker.symbol == "diamond"
    band = figure.layout.shapes[0]
    assert (band.x0, band.x1) == (-0.1, 0.1)
    assert figure.layout.xaxis.range[1] == 0.33
    empty = charts.love(frame.clear(), 0.1)
    assert [note.text for note in empty.layout.annotations] == [
        "Nothing to compare between target and control"
    ]
