"""The commands that compare segments, as text and as JSON."""

import json

import pytest
from accounts import BUYERS, Account
from command_line import Run

AS_OF = ("--as-of", "2026-07-01T12:00:00Z")


@pytest.fixture
def two(shop: Account) -> Account:
    """The shop, 300 of whose buyers bought a second time, and a segment of those in its second version."""
    rows = [
        {"user_id": f"{n:05d}", "event": "Purchase", "ts": "2026-06-30T13:00:00Z", "price": 5}
        for n in range(300)
    ]
    shop.ingest("events", rows)
    for least in (1, 2):
        shop.save_segment("regulars", {**BUYERS, "measure": {"operator": ">=", "values": [least]}})
    return shop


def test_overlap_prints_sizes_combinations_and_pairs(run: Run, two: Account) -> None:
    """300 are in both; the rest of the buyers are in buyers alone."""
    config = (*AS_OF, "-c", two.config)
    found = json.loads(run("segment", "overlap", "buyers", "regulars", "--json", *config).out)
    assert found["combinations"] == [
        {"segments": ["buyers"], "users": 700, "at_least": 1000},
        {"segments": ["buyers", "regulars"], "users": 300, "at_least": 300},
        {"segments": ["regulars"], "users": 0, "at_least": 300},
    ]
    assert found["pairs"] == [
        {"first": "buyers", "second": "regulars", "both": 300, "jaccard": 0.3, "share_of_first": 0.3, "share_of_second": 1},
    ]  # fmt: skip
    assert (found["union"], found["none"], found["as_of"]) == (1000, 0, "2026-07-01T12:00:00Z")
    text = run("segment", "overlap", "buyers", "regulars", *config).out
    assert "buyers + regulars" in text
    assert "30.0%" in text
    assert "0 of 1,000 users with a profile are in none of them" in text


def test_diff_compares_versions_segments_and_instants(run: Run, two: Account) -> None:
    """By default the last two versions; the condition responsible with the number of users."""
    config = (*AS_OF, "-c", two.config)
    found = json.loads(run("segment", "diff", "regulars", "--json", *config).out)
    assert (found["stayed"], found["entered"], found["left"]) == (300, 0, 700)
    assert found["causes"] == [
        {
            "sentence": 'did "Purchase" at least 2 times in the last 7 days', "change": "changed",
            "was": 'did "Purchase" in the last 7 days', "entered": 0, "left": 700,
        }
    ]  # fmt: skip
    turned = json.loads(run("segment", "diff", "regulars", "--versions", 2, 1, "--json", *config).out)
    assert (turned["before"]["name"], turned["entered"]) == ("regulars v2", 700)
    other = json.loads(run("segment", "diff", "buyers", "--to", "regulars", "--json", *config).out)
    assert other["left"] == 700
    earlier = ("--as-of-before", "2026-06-30T12:30:00Z")
    text = run("segment", "diff", "regulars", *earlier, *config).out
    assert "regulars v2 as of 2026-06-30 08:30 EDT: 0 users" in text
    assert "0 stayed, 300 entered, 0 left" in text


def test_diff_says_what_it_needs(run: Run, two: Account) -> None:
    """One version alone, both options, a version that is not there."""
    config = (*AS_OF, "-c", two.config)
    alone = run("segment", "diff", "buyers", *config)
    assert (alone.code, 'segment "buyers" has one version; give --to' in alone.err) == (3, True)
    both = run("segment", "diff", "regulars", "--versions", 1, 2, "--to", "buyers", *config)
    assert (both.code, "give one of them" in both.err) == (3, True)
    absent = run("segment", "diff", "regulars", "--versions", 1, 9, *config)
    assert (absent.code, 'segment "regulars" has no version 9' in absent.err) == (3, True)
    unknown = run("segment", "diff", "regular", *config)
    assert (unknown.code, 'Did you mean "regulars"?' in unknown.err) == (3, True)


def test_curve_prints_the_steps_around_the_threshold(run: Run, two: Account) -> None:
    """Everyone at 1, 300 at 2, nobody beyond."""
    config = (*AS_OF, "-c", two.config)
    found = json.loads(run("segment", "curve", "regulars", "--json", *config).out)
    assert found["steps"] == [
        {"threshold": 1, "users": 1000, "current": False},
        {"threshold": 2, "users": 300, "current": True},
        {"threshold": 3, "users": 0, "current": False},
    ]
    assert found["near"] == [{"value": 1, "users": 700}, {"value": 2, "users": 300}]
    assert (found["operator"], found["threshold"], found["users"]) == (">=", 2, 300)
    text = run("segment", "curve", "regulars", "--condition", 0, *config).out
    assert "+700" in text
    assert "700 at 1, 300 at 2" in text
    older = json.loads(run("segment", "curve", "regulars", "--version", 1, "--json", *config).out)
    assert older["users"] == 1000
    wrong = run("segment", "curve", "regulars", "--condition", 4, *config)
    assert (wrong.code, '0: did "Purchase" at least 2 times in the last 7 days' in wrong.err) == (3, True)


def test_history_prints_a_row_a_day(run: Run, two: Account) -> None:
    """Noon UTC is 8 in the morning of New York; 300 bought a second time on 30 June at 13:00 UTC."""
    config = (*AS_OF, "--days", 3, "-c", two.config)
    found = json.loads(run("segment", "history", "regulars", "--json", *config).out)
    assert found["sizes"] == [
        {"as_of": "2026-06-29T12:00:00Z", "everyone": 1000, "qualified": 0},
        {"as_of": "2026-06-30T12:00:00Z", "everyone": 1000, "qualified": 0},
        {"as_of": "2026-07-01T12:00:00Z", "everyone": 1000, "qualified": 300},
    ]
    assert found["conditions"][-1] == {
        "as_of": "2026-07-01T12:00:00Z", "place": 0, "depth": 0, "users": 300,
        "sentence": 'did "Purchase" at least 2 times in the last 7 days',
    }  # fmt: skip
    assert (found["segment"], found["as_of"], found["reconstructed"]) == (
        "regulars", "2026-07-01T12:00:00Z", True,
    )  # fmt: skip
    lines = run("segment", "history", "regulars", *config).out.splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "2026-0" in line]
    assert rows[:3] == [
        ["2026-06-29 Mon", "0", "", ""],
        ["2026-06-30 Tue", "0", "0", ""],
        ["2026-07-01 Wed", "300", "+300", "█" * 30],
    ]
    assert rows[3] == [
        "300 users on 2026-07-01, +300 since 2026-06-29; lowest 0 on 2026-06-29, highest 300 on 2026-07-01"
    ]
    assert lines[-1].startswith("as of 2026-07-01 08:00 EDT, exact, ")
    older = json.loads(run("segment", "history", "regulars", "--version", 1, "--json", *config).out)
    assert [row["qualified"] for row in older["sizes"]] == [0, 1000, 1000]
    assert (
        len(json.loads(run("segment", "history", "buyers", "--json", *AS_OF, "-c", two.config).out)["sizes"])
        == 28
    )


def test_history_says_what_it_cannot_answer(run: Run, two: Account) -> None:
    """An unknown name with the nearest one, days out of range, an instant to come."""
    config = ("-c", two.config)
    unknown = run("segment", "history", "regular", *config)
    assert (unknown.code, 'Did you mean "regulars"?' in unknown.err) == (3, True)
    none = run("segment", "history", "regulars", "--days", 0, *config)
    assert (none.code, none.err) == (3, "error days 0: give 1 to 366\n")
    future = run("segment", "history", "regulars", "--as-of", "2900-01-01T00:00:00Z", *config)
    assert (future.code, "lies in the future" in future.err) == (3, True)


def test_reach_prints_the_numbers_by_which_a_curve_knows_conditions(run: Run, two: Account) -> None:
    """From 0; the whole segment has the last one."""
    condition = {"kind": "all", "conditions": [
        {**BUYERS, "measure": {"operator": ">=", "values": [2]}}, {"kind": "bucket", "first": 0, "last": 999},
    ]}  # fmt: skip
    two.save_segment("both", condition)
    lines = run("reach", "both", *AS_OF, "-c", two.config).out.splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert rows == [
        ["0", 'did "Purchase" at least 2 times in the last 7 days', "300"],
        ["1", "is in user bucket 0 to 999", "1,000"],
        ["2", "qualified", "300"],
        ["", "reachable", "300"],
        ["", "everyone with a profile", "1,000"],
    ]
    curve = json.loads(
        run("segment", "curve", "both", "--condition", 0, "--json", *AS_OF, "-c", two.config).out
    )
    assert curve["condition"] == rows[0][1]


@pytest.mark.parametrize(
    ("command", "default"),
    [
        (("segment", "history"), "(default: now)"), (("segment", "explain"), "(default: now)"),
        (("reach",), "(default: the newest)"), (("plan",), "(default: the campaign's only one)"),
        (("ingest",), "(default: ISO 8601)"), (("dashboards",), "(default: a new one)"),
    ],
)  # fmt: skip
def test_a_help_text_says_its_default(run: Run, command: tuple[str, ...], default: str) -> None:
    """Square brackets would be markup, and vanish."""
    assert default in " ".join(run(*command, "--help").out.replace("│", " ").split())
