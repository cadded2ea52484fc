"""Why one user is in or out: each condition's answer, what decided, and the events that did."""

from datetime import timedelta
from typing import Any

import pytest
from accounts import NOW, Account

from workbench.errors import NotFoundError
from workbench.segments.build import Expression, did, in_segment, prop, same, user
from workbench.segments.explain import Explanation, explain


@pytest.fixture
def small(account: Account) -> Account:
    """Three people, one of them without a profile, and a handful of events."""
    hour = timedelta(hours=1)
    account.ingest(
        "profiles",
        [{"user_id": "1", "country": "US", "timezone": "Asia/Tokyo"}, {"user_id": "2", "country": "DE"}],
    )
    rows = [
        {"user_id": "1", "event": "View", "sku": "a", "ts": NOW - 3 * hour}, {"user_id": "1", "event": "View", "sku": "b", "ts": NOW - 2 * hour},
        {"user_id": "1", "event": "Buy", "sku": "a", "price": 7, "ts": NOW - hour}, {"user_id": "2", "event": "View", "sku": "a", "ts": NOW - hour},
        {"user_id": "ghost", "event": "Buy", "sku": "a", "price": 9, "ts": NOW - hour},
    ]  # fmt: skip
    account.ingest("events", [{**row, "ts": row["ts"].isoformat()} for row in rows])
    return account


def asked(account: Account, expression: Expression, user_id: str) -> Explanation:
    """Explain one user."""
    version = account.workspace.lake.at()
    connection = version.connect()
    found = explain(
        expression.named("asked"), user_id, NOW, scope=account.workspace.scope(version), connection=connection
    )
    connection.close()
    return found


def told(found: Explanation) -> list[tuple[str, int, bool, bool]]:
    """The answers without their events."""
    return [(item.sentence, item.depth, item.holds, item.decides) for item in found.answers]


def test_the_conditions_that_decide_are_marked(small: Account) -> None:
    """Out because of one of two conditions; in because of all of them."""
    expression = did("View").at_least(2) & ~did("Buy").where(prop("price") > 5)
    out = asked(small, expression, "1")
    assert not out.holds
    assert told(out) == [
        ('did "View" at least 2 times and did not do "Buy" (price > 5)', 0, False, True),
        ('did "View" at least 2 times', 1, True, False),
        ('did not do "Buy" (price > 5)', 1, False, True),
        ('did "Buy" (price > 5)', 2, True, True),
    ]
    bought = out.answers[3]
    assert bought.events is not None
    assert bought.events.to_dicts() == [
        {"event": "Buy", "ts": NOW - timedelta(hours=1), "price": 7.0, "sku": "a"}
    ]
    assert bought.matching == 1
    either = asked(small, (user("country") == "US") | (user("country") == "DE"), "2")
    assert either.holds
    assert [item.decides for item in either.answers] == [True, False, True]


def test_the_newest_events_come_first(small: Account) -> None:
    """With how many match in all; properties that none of them has are left out."""
    (answer,) = asked(small, did("View"), "1").answers
    assert answer.events is not None
    assert answer.events["sku"].to_list() == ["b", "a"]
    assert answer.events.columns == ["event", "ts", "sku"]
    assert answer.matching == 2


def test_every_kind_over_events_shows_its_rows(small: Account) -> None:
    """Sequences and constant properties show the events of all their parts; a clock of the user works too."""
    (sequence,) = asked(small, did("View").then(did("Buy"), hours=2), "1").answers
    assert (sequence.holds, sequence.matching) == (True, 3)
    (constant,) = asked(small, same(did("View").by("sku"), ~did("Buy").by("sku")), "1").answers
    assert (constant.holds, constant.matching) == (True, 3)
    (clock,) = asked(small, did("Buy").at_hours("20:00", "21:00", zone="user"), "1").answers
    assert (clock.holds, clock.matching) == (True, 1)


def test_a_segment_inside_is_explained_too(small: Account) -> None:
    """Its conditions stand one level deeper."""
    small.save_segment("buyers", {"kind": "did", "events": ["Buy"]})
    assert told(asked(small, ~in_segment("buyers"), "2")) == [
        ('is not in segment "buyers"', 0, True, True), ('is in segment "buyers"', 1, False, True), ('did "Buy"', 2, False, True),
    ]  # fmt: skip


def test_nobody_is_in_without_a_profile(small: Account) -> None:
    """The events are there, the profile is not; an id that nobody has is an error."""
    found = asked(small, did("Buy"), "ghost")
    assert (found.known, found.holds) == (False, False)
    with pytest.raises(NotFoundError, match='no user "nobody" in the lake'):
        asked(small, did("Buy"), "nobody")


def test_an_explanation_agrees_with_the_segment(small: Account) -> None:
    """Whatever the tree, the first answer is the membership."""
    trees: list[Any] = [
        did("View").at_least(2),
        ~did("Buy"),
        did("View") & ~did("Buy"),
        did("Buy") | (user("country") == "DE"),
    ]
    assert [[asked(small, tree, name).holds for name in ("1", "2")] for tree in trees] == [
        [True, False], [False, True], [False, True], [True, True],
    ]  # fmt: skip
