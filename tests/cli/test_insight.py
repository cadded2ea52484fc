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
