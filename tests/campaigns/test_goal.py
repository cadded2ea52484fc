"""Goals: what is accepted, what is refused and why, and how they read."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from accounts import Account, make_account, purchases
from ruamel.yaml import YAML

from workbench.campaigns import codec, goal
from workbench.campaigns.model import Campaign, Goal, SegmentPin
from workbench.errors import CampaignError
from workbench.segments.predicates import Operator, Predicate
from workbench.segments.windows import Dates
from workbench.store import documents

WEEK = {"event": "Purchase", "within_minutes": 10080}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """One buyer: events ``Purchase`` (price, sku, paid_on) and ``Visit`` (page)."""
    account = make_account(tmp_path_factory.mktemp("goal") / "home")
    rows = [
        {**purchases(1)[0], "sku": "a", "paid_on": "2026-06-30"},
        {"user_id": "00000", "event": "Visit", "ts": "2026-06-30T12:00:00Z", "page": "/"},
    ]
    account.ingest("events", rows, types={"paid_on": "date"})
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    return account


def refused(account: Account, **changes: Any) -> list[str]:
    """Save a campaign whose goal differs from ``WEEK``, and return the problems."""
    with pytest.raises(CampaignError) as caught:
        account.save_campaign("hello", "buyers", goal={**WEEK, **changes})
    return [f"{item.path}: {item.message}" for item in caught.value.problems]


@pytest.mark.parametrize("minutes", [1, 60, 153 * 24 * 60])
def test_a_window_of_one_minute_to_five_months_is_saved(known: Account, minutes: int) -> None:
    """The longest five months in a row have 153 days."""
    known.save_campaign("hello", "buyers", goal={**WEEK, "within_minutes": minutes, "revenue": "price"})
    saved = known.workspace.campaigns.get("hello").campaign.goal
    assert saved == Goal(event="Purchase", within_minutes=minutes, revenue="price")


@pytest.mark.parametrize("minutes", [0, -1, 220_321])
def test_a_window_outside_the_limits_is_refused(known: Account, minutes: int) -> None:
    """It is never cut to fit."""
    (problem,) = refused(known, within_minutes=minutes)
    assert problem == (
        f"goal > within_minutes: {minutes:,} is outside 1 minute to 5 months (220,320 minutes, which are 153 days)"
    )


@pytest.mark.parametrize("minutes", [True, 60.5, 60.0, float("nan"), float("inf"), "60", None, [60]])
def test_a_window_that_is_no_whole_number_is_refused(known: Account, minutes: object) -> None:
    """Neither true nor a text is read as a number of minutes."""
    (problem,) = refused(known, within_minutes=minutes)
    assert problem == f"goal > within_minutes: {minutes!r} is not a whole number"


@pytest.mark.parametrize("minutes", [True, float("nan"), "60"])
def test_a_window_of_another_type_is_refused_from_python_too(known: Account, minutes: Any) -> None:
    """The check does not rely on whoever read the file."""
    catalogue = known.workspace.lake.at().catalogue
    (problem,) = goal.problems(Goal(event="Purchase", within_minutes=minutes), catalogue)
    assert problem.message == f"{minutes!r} is not a whole number of minutes"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"event": "Purchse"}, 'goal > event: unknown event "Purchse". Did you mean "Purchase"?'),
        (
            {"event": "Any Event"},
            'goal > event: "Any Event" would count the event that a run itself writes for held-out users; name what they do',
        ),
        (
            {"event": "Control Group"},
            'goal > event: "Control Group" would count the event that a run itself writes for held-out users; name what they do',
        ),
        (
            {"revenue": "pric"},
            'goal > revenue: unknown property of "Purchase" "pric". Did you mean "price"?',
        ),
        ({"revenue": "sku"}, 'goal > revenue: "sku" is a text; revenue is a number'),
        (
            {"where": [{"property": "page", "operator": "=", "values": ["/"]}]},
            'goal > where > 1st filter: unknown property of "Purchase" "page".',
        ),
        (
            {"where": [{"property": "price", "operator": ">", "values": [1]}, {"property": "sku", "operator": ">", "values": ["a"]}]},
            'goal > where > 2nd filter: "sku" is a text; ">" does not apply to it',
        ),
        (
            {"where": [{"property": "price", "operator": "=", "values": ["10"]}]},
            "goal > where > 1st filter: \"price\" is a number, '10' is not",
        ),
        (
            {"where": [{"property": "paid_on", "operator": "within", "window": {"kind": "last", "count": 7}}]},
            "goal > where > 1st filter: depends on the day on which it is asked; a goal takes fixed dates only",
        ),
        (
            {"where": [{"property": "paid_on", "operator": "anniversary", "values": [3]}]},
            "goal > where > 1st filter: depends on the day on which it is asked; a goal takes fixed dates only",
        ),
    ],
)  # fmt: skip
def test_a_goal_that_cannot_be_counted_is_refused(known: Account, changes: Any, problem: str) -> None:
    """The value, the rule, and the nearest names."""
    (found,) = refused(known, **changes)
    assert found.startswith(problem)


def test_a_number_that_is_none_is_refused(known: Account) -> None:
    """NaN compares with nothing."""
    problems = refused(known, where=[{"property": "price", "operator": ">", "values": [float("nan")]}])
    assert problems
    assert all(item.startswith("goal > where") for item in problems)


def test_all_problems_come_at_once(known: Account) -> None:
    """Event, window, and no third one for what depends on the event."""
    assert [item.split(":")[0] for item in refused(known, event="x", within_minutes=0, revenue="y")] == [
        "goal > event", "goal > within_minutes",
    ]  # fmt: skip


def test_a_goal_survives_yaml_and_json() -> None:
    """Filters, fixed dates and revenue come back as they were; a campaign without a goal has no key for it."""
    paid = Predicate(
        property="paid_on",
        operator=Operator.WITHIN,
        window=Dates(first=date(2026, 6, 1), last=date(2026, 6, 30)),
    )
    price = Predicate(property="price", operator=Operator.AT_LEAST, values=(9.5,))
    plain = Campaign(id="hello", name="Hello", segment=SegmentPin(name="buyers", version=2))
    whole = codec.from_json(
        codec.to_json(
            replace(plain, goal=Goal(event="Purchase", within_minutes=90, where=(price,), revenue="price"))
        )
    )
    assert whole.goal == Goal(event="Purchase", within_minutes=90, where=(price,), revenue="price")
    body = codec.to_json(replace(plain, goal=Goal(event="Purchase", within_minutes=90, where=(paid,))))
    assert body == {
        "id": "hello", "name": "Hello", "segment": {"name": "buyers", "version": 2},
        "goal": {
            "event": "Purchase", "within_minutes": 90,
            "where": [
                {
                    "property": "paid_on", "operator": "within",
                    "window": {"kind": "dates", "first": "2026-06-01", "last": "2026-06-30"},
                }
            ],
        },
    }  # fmt: skip
    again = codec.from_json(YAML(typ="safe").load(documents.dump(body)))
    assert codec.to_json(again) == body
    assert codec.to_json(plain) == {
        "id": "hello", "name": "Hello", "segment": {"name": "buyers", "version": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(1, "1 minute"), (90, "90 minutes"), (60, "1 hour"), (36 * 60, "36 hours"), (1440, "1 day"), (10080, "7 days")],
)  # fmt: skip
def test_a_window_is_said_in_the_largest_unit_that_says_it_whole(minutes: int, said: str) -> None:
    """No half hours, no 1440 minutes."""
    found = goal.sentence(Goal(event="Purchase", within_minutes=minutes))
    assert found == f'did "Purchase" within {said} of the send'


def test_a_goal_says_its_filters_and_its_revenue() -> None:
    """In the words of the segments."""
    price = Predicate(property="price", operator=Operator.GREATER, values=(50,))
    found = goal.sentence(Goal(event="Purchase", within_minutes=10080, where=(price,), revenue="price"))
    assert found == 'did "Purchase" (price > 50) within 7 days of the send, revenue from price'
