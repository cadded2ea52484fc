"""What combines, and what is refused because a part of it would be lost."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from workbench.errors import InputError
from workbench.segments.build import (
    age,
    all_of,
    device_with,
    did,
    did_all,
    prop,
    restarted,
    same,
    stopped,
    user,
)
from workbench.segments.model import AllOf, AnyOf, Not

A, B, C = did("A"), did("B"), did("C")


def test_signs_flatten_and_functions_nest() -> None:
    """``a & b & c`` is one group of three; a group in parentheses of the other sign stays one."""
    assert (A & B & C).condition == AllOf(conditions=(A.condition, B.condition, C.condition))
    assert (A & (B | C)).condition == AllOf(
        conditions=(A.condition, AnyOf(conditions=(B.condition, C.condition)))
    )
    assert (~~A).condition == Not(condition=Not(condition=A.condition))
    assert all_of(A & B, C).condition == AllOf(
        conditions=(AllOf(conditions=(A.condition, B.condition)), C.condition)
    )


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: A and B,
        lambda: not A,
        lambda: 1 < prop("price") < 5,
        lambda: (prop("a") > 1) and (prop("b") > 2),
        lambda: (prop("a") > 1) & (prop("b") > 2),
        lambda: 1 < user("points") < 5,
        lambda: user("unsubscribed") and A,
        lambda: not user("premium"),
        lambda: A.count() and B,
        lambda: same(A.by("sku") and B.by("sku")),
        lambda: A & "B",
        lambda: A | True,
    ],
)
def test_what_python_would_drop_is_an_error(mistake: Callable[[], Any]) -> None:
    """``and``, ``not`` and chains keep only one side; they never build a condition."""
    with pytest.raises(TypeError):
        mistake()


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: A.at_least(3).then(B, hours=2), "its measure has no meaning here"),
        (lambda: A.then(B.in_last(days=3), hours=2), "its window has no meaning here"),
        (lambda: did_all("A", "B").first_time(), "its match has no meaning here"),
        (lambda: A.in_last(days=3).regularly(1, of=4), "its window has no meaning here"),
        (lambda: A.including_zero().by("p"), "its include zero has no meaning here"),
        (lambda: A.sum("p").between(1, 2).predominantly("p", 1), "its measure has no meaning here"),
        (lambda: A.at_least(3).at_most(4), "it is measured already"),
        (lambda: A.after("2026-06-20").before("2026-06-25"), "its window is set already"),
        (lambda: A.in_last(days=3).first_time().today(), "its window is set already"),
        (lambda: A.on_weekdays("friday").on_weekdays("saturday"), "its weekdays are set already"),
        (lambda: A.at_hours("08:00").at_hours("09:00"), "its hours are set already"),
        (lambda: stopped(A.at_least(3), active_days=30, quiet_days=7), "its measure has no meaning here"),
        (lambda: stopped(did_all("A", "B"), active_days=30, quiet_days=7), "its match has no meaning here"),
        (
            lambda: restarted(A.in_last(days=90), quiet_days=7, recent_days=7),
            "its window has no meaning here",
        ),
        (lambda: A.on(datetime(2026, 6, 30, tzinfo=UTC)), "is an instant; give a date"),
        (
            lambda: A.at_hours("09:00", zone="user").on_weekdays("monday", zone="account"),
            "its zone is the user's already",
        ),
        (lambda: A.at_hours("9:00"), 'a time of day is written 09:30, not "9:00"'),
        (A.in_last, "give one of"),
        (lambda: A.in_last(days=1, hours=2), "got days=1, hours=2"),
        (lambda: A.in_last(fortnights=1), "got fortnights=1"),
        (lambda: A.on("30/06/2026"), "a date is written 2026-06-30"),
    ],
)
def test_what_would_be_lost_is_an_error(build: Callable[[], Any], told: str) -> None:
    """A part that the result has no place for is refused, never dropped."""
    with pytest.raises(InputError, match=told):
        build()


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (A.in_last(days=7), 'did "A" in the last 7 days'),
        (A.in_last(hours=1), 'did "A" in the last hour'),
        (A.days_ago(3), 'did "A" exactly 3 days ago'),
        (A.between_days_ago(9, 3), 'did "A" between 9 and 3 days ago'),
        (A.at_least_days_ago(9), 'did "A" at least 9 days ago'),
        (A.before("2026-03-01"), 'did "A" up to 2026-02-28'),
        (A.after(date(2026, 2, 28)), 'did "A" since 2026-03-01'),
        (A.on("2026-03-01"), 'did "A" on 2026-03-01'),
        (A.between_dates("2026-03-01", "2026-03-09"), 'did "A" from 2026-03-01 to 2026-03-09'),
        (A.today().at_most(2), 'did "A" <= 2 times today'),
        (A.fewer_than(2).including_zero(), 'did "A" < 2 times, users without any included'),
        (A.average("p") >= 2.5, 'did "A" with average of p >= 2.5'),
        (A.distinct("p").between(2, 3), 'did "A" with distinct values of p between 2 and 3'),
        (A.first_time().this_month(), 'did "A" for the first time this month'),
        (A.last_time().previous_month(), 'did "A" for the last time in the previous month'),
        (A.predominantly("p", "x", "y"), 'did "A" predominantly with p "x" or "y"'),
        (A.mostly("p", "x", percent=30), 'did "A" with p "x" in at least 30 % of them'),
        (A.regularly(3, of=4), 'did "A" in at least 3 of the last 4 weeks'),
        (A.regularly(3, of=4, days=10, times=2), 'did "A" at least 2 times in at least 3 of the last 4 periods of 10 days'),
        (A.in_last(days=14).then(B, hours=2), 'did "A" in the last 14 days then "B" within 2 hours'),
        (A.at_hours("22:00", "06:00").on_weekdays("friday", "saturday"),
         'did "A" on Friday, Saturday between 22:00 and 06:00'),
        (A.on_weekdays("friday", zone="user").at_hours("22:00", "06:00"),
         'did "A" on Friday between 22:00 and 06:00 in the local time of the user'),
        (A.at_hours("09:00", zone="user"), 'did "A" from 09:00 in the local time of the user'),
        (same(A.by("sku"), ~B.at_least(2).by("item"), alias="product"),
         'for one and the same product: did "A" by sku and did not do "B" at least 2 times by item'),
        (user("birth_date").anniversary(), "the anniversary of birth_date is today"),
        (user("birth_date").anniversary(within=7), "the anniversary of birth_date is within the next 7 days"),
        (user("renewal").in_next(weeks=2), "renewal is in the next 2 weeks"),
        (user("tags").contains_none("a", "b"), 'tags contains none "a", "b"'),
        (device_with(prop("os") == "iOS", prop("app_version") > "2.9.3"),
         'has a device with os is "iOS" and app_version > "2.9.3"'),
        (age().between(18, 30), "age between 18 and 30"),
        (stopped(A, active_days=30, quiet_days=14),
         'did "A" between 44 and 15 days ago and did not do "A" in the last 14 days'),
        (restarted(A, quiet_days=30, recent_days=7),
         'did "A" in the last 7 days and did not do "A" between 37 and 8 days ago and did "A" at least 38 days ago'),
    ],
)  # fmt: skip
def test_what_an_expression_says(expression: Any, text: str) -> None:
    """Its repr is its sentence."""
    assert repr(expression) == text
